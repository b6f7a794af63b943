/** Until when one review is waited for, in milliseconds of the server's clock. */
export interface Deadline {
  /**
   * Beyond it the caller is told to come back: the API server rounds the time that is left up to a second, so an answer
   * is due well before.
   */
  readonly answerBy: number
  /** Beyond it nobody listens any more. */
  readonly end: number
}

/**
 * The deadline that the `timeout` of a query (`10s`, `1500ms`, `1m`) sets for a request that arrived then. Anything
 * else counts as not given.
 */
export function deadlineOf (timeout: unknown, arrived: number): Deadline {
  if (timeout !== last.timeout) last = { timeout, allowed: allowedBy(timeout) }
  const { allowed } = last
  return { answerBy: arrived + SHARE * allowed, end: arrived + allowed }
}

/** In milliseconds. */
function allowedBy (timeout: unknown): number {
  const [, digits, unit] = typeof timeout === 'string' ? /^(\d{1,6})(ms|s|m)$/.exec(timeout) ?? [] : []
  const given = Math.min(Number(digits ?? 0) * (UNITS[unit ?? ''] ?? 0), MAX_TIMEOUT)
  return given > 0 ? given : DEFAULT_TIMEOUT
}

/**
 * What the API server gives a webhook that names none, and the most it gives any. Source:
 * admissionregistration.k8s.io/v1, timeoutSeconds.
 */
const DEFAULT_TIMEOUT = 10_000
const MAX_TIMEOUT = 30_000
const SHARE = 0.7
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }

/** An API server sends the same one each time. */
let last = { timeout: undefined as unknown, allowed: DEFAULT_TIMEOUT }
