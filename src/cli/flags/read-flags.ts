interface Bounds { readonly from?: number, readonly to: number, readonly problems: string[] }

export function wholeNumber (flag: string, text: string, { from = 0, to, problems }: Bounds): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : NaN
  if (!(number >= from && number <= to)) { problems.push(`--${flag} is a whole number from ${from} to ${to}, not "${text}"`) }
  return number
}

/** As Kubernetes writes one; the bounds are in seconds, the result is in milliseconds. */
export function duration (flag: string, text: string, { from = 0, to, problems }: Bounds): number {
  const [, digits, unit] = /^(\d{1,6})(ms|s|m)$/.exec(text) ?? []
  const ms = Number(digits ?? NaN) * (UNITS[unit ?? ''] ?? NaN)
  if (!(ms >= from * 1_000 && ms <= to * 1_000)) { problems.push(`--${flag} is a time from ${from}s to ${to}s, such as 500ms or 3s, not "${text}"`) }
  return ms
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }

interface Choice<T> { readonly choices: readonly [T, ...T[]], readonly problems: string[] }

export function oneOf<T extends string> (flag: string, text: string, { choices, problems }: Choice<T>): T {
  const chosen = choices.find((choice) => choice === text)
  if (chosen === undefined) problems.push(`--${flag} is one of ${choices.join(', ')}, not "${text}"`)
  return chosen ?? choices[0]
}
