/** Time the API server gives a webhook that names none, in milliseconds. Source: admissionregistration.k8s.io/v1, timeoutSeconds. */
const DEFAULT_TIMEOUT = 10_000
/** The API server rounds the time that is left up to a second, so an answer is due well before. */
const SHARE = 0.7

/** How long a review may take, in milliseconds, by the `timeout` of its query (`10s`, `1500ms`, `1m`). Anything else counts as not given. */
export function timeBudget (timeout: unknown): number {
  const [, digits, unit] = typeof timeout === 'string' ? /^(\d{1,6})(ms|s|m)$/.exec(timeout) ?? [] : []
  const given = Number(digits ?? 0) * (UNITS[unit ?? ''] ?? 0)
  return SHARE * (given > 0 ? given : DEFAULT_TIMEOUT)
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }
