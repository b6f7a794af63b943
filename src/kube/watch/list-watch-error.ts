import { backoff } from '../../platform/clock.ts'
import { errorMessage } from '../../platform/error-message.ts'
import { describeStatus, type Status } from '../client/responses.ts'

/** Why a list or watch failed. */
export type RestartReason = keyof typeof RESTARTS

/** The retry policy per reason: the longest wait before the next try, in ms, and when a list replaces the watch. */
const RESTARTS = {
  /** No response. Short waits: an attempt costs an unreachable server nothing, and recovery is noticed at once. */
  unreachable: { cap: 1_000, relistAfter: Infinity },
  /** A connection that went silent. */
  mute: { cap: 1_000, relistAfter: Infinity },
  /** 404: the kind does not exist yet, or its definition was deleted with its objects. */
  missing: { cap: 5_000, relistAfter: 1 },
  /** 410: the server no longer has the requested version. */
  expired: { cap: 30_000, relistAfter: 1 },
  /** Any other HTTP status or ERROR event. */
  refused: { cap: 30_000, relistAfter: 5 },
  /** A malformed line or page. */
  unreadable: { cap: 30_000, relistAfter: 3 }
} as const

/** The wait after the first error, in ms; each further error in a row doubles it, up to the cap. */
const FIRST_WAIT = 500

/** The longest honored Retry-After, in ms. */
const MAX_RETRY_AFTER = 60_000

export class ListWatchError extends Error {
  readonly reason: RestartReason
  /** The server's Retry-After in ms; 0 if absent. */
  readonly retryAfter: number
  /** The HTTP status; 0 if there was no response. */
  readonly code: number

  constructor (
    reason: RestartReason,
    message: string,
    { retryAfter = 0, code = 0 }: { readonly retryAfter?: number, readonly code?: number } = {}
  ) {
    super(message)
    this.reason = reason
    this.retryAfter = retryAfter
    this.code = code
  }
}

/** The error for a failed response or an ERROR event. */
export function refusal (status: Status): ListWatchError {
  const { code, retryAfterSeconds } = status
  const reason = code === 404 ? 'missing' : code === 410 ? 'expired' : 'refused'
  return new ListWatchError(reason, describeStatus(status), { retryAfter: retryAfterSeconds * 1_000, code })
}

/** The error for a request that failed. */
export function asListWatchError (error: unknown): ListWatchError {
  if (error instanceof ListWatchError) return error
  return new ListWatchError('unreachable', `the API server did not respond: ${errorMessage(error)}`)
}

/**
 * Milliseconds until the next try: exponential with jitter, and at least the server's Retry-After. `inARow` counts from
 * 1, `random` is from 0 to 1.
 */
export function waitAfter ({ reason, retryAfter }: ListWatchError, inARow: number, random: number): number {
  const wait = backoff({ first: FIRST_WAIT, longest: RESTARTS[reason].cap }, inARow, random)
  return Math.max(wait, Math.min(retryAfter, MAX_RETRY_AFTER))
}

/** Whether the next try is a list. If watches always fail, lists poll the cache. */
export function shouldRelist ({ reason }: ListWatchError, inARow: number): boolean {
  return inARow >= RESTARTS[reason].relistAfter
}
