/** An instant as metav1.MicroTime writes it, with the six fractional digits that the API server insists on. */
export function microTime (date: Date): string {
  return date.toISOString().replace('Z', '000Z')
}
