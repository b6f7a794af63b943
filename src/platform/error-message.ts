/** What went wrong, in the words of whoever threw it. */
export function errorMessage (error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? String(error.code) : error.name
  return error.message === '' ? code : error.message // a connection tried at several addresses fails without a message
}
