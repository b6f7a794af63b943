/** The message of anything that was thrown; the code or name of an error without a message. */
export function errorMessage (error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? String(error.code) : error.name
  return error.message === '' ? code : error.message // an AggregateError of several connection attempts has no message
}

/** Whether a file, folder or program does not exist. */
export function isMissingFile (error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
