import { errorMessage } from '../../platform/error-message.ts'
import type { Status } from '../client/status.ts'

/** Why a list or watch came to an end that nobody planned. */
export type RestartReason = keyof typeof RESTARTS

/**
 * How to go on after each kind of trouble. `cap`: the longest wait before the next try, in ms. `relistAfter`: the
 * number of such troubles in a row after which a watch is given up for a list, so that a watch that is never served
 * still leaves a polled cache.
 */
const RESTARTS = {
  /** No answer: an attempt costs a server that is away nothing, and a server that comes back is to be found at once. */
  unreachable: { cap: 1_000, relistAfter: Infinity },
  /** A connection on which nothing comes any more. */
  mute: { cap: 1_000, relistAfter: Infinity },
  /** 404: the kind is not there (yet), or was, and its objects have gone with it. */
  missing: { cap: 5_000, relistAfter: 1 },
  /** 410: the server has forgotten the version that was asked for. */
  expired: { cap: 30_000, relistAfter: 1 },
  /** Any other HTTP status or ERROR event. */
  refused: { cap: 30_000, relistAfter: 5 },
  /** A line or a page that is not what it should be. */
  unreadable: { cap: 30_000, relistAfter: 3 }
} as const

/** The first wait after a trouble, in ms; each further one in a row doubles it, up to the cap. */
const FIRST_WAIT = 500

/** Retry-After beyond this, in ms, is not waited for. */
const MAX_RETRY_AFTER = 60_000

export class ListWatchError extends Error {
  readonly reason: RestartReason
  /** What the server asked for, in ms; 0 where it did not. */
  readonly retryAfter: number
  /** The HTTP status; 0 where there was none. */
  readonly code: number

  constructor (reason: RestartReason, message: string, { retryAfter = 0, code = 0 }: { readonly retryAfter?: number, readonly code?: number } = {}) {
    super(message)
    this.reason = reason
    this.retryAfter = retryAfter
    this.code = code
  }
}

/** The trouble that an answer without success or an ERROR event means. */
export function refusal ({ code, message, retryAfterSeconds }: Status): ListWatchError {
  const reason = code === 404 ? 'missing' : code === 410 ? 'expired' : 'refused'
  return new ListWatchError(reason, `the API server answered ${code}: ${message}`, {
    retryAfter: retryAfterSeconds * 1000,
    code
  })
}

/** The trouble that a failed request is. */
export function asListWatchError (error: unknown): ListWatchError {
  return error instanceof ListWatchError
    ? error
    : new ListWatchError('unreachable', `no answer from the API server: ${errorMessage(error)}`)
}

/**
 * Milliseconds until the next try: exponential with jitter, and no sooner than the server asked for. `inARow` counts
 * from 1, `random` is from 0 to 1.
 */
export function waitAfter ({ reason, retryAfter }: ListWatchError, inARow: number, random: number): number {
  const backoff = Math.min(RESTARTS[reason].cap, FIRST_WAIT * 2 ** (inARow - 1))
  return Math.max(backoff * (0.5 + random / 2), Math.min(retryAfter, MAX_RETRY_AFTER))
}

/** Whether the next try is a list. */
export function shouldRelist ({ reason }: ListWatchError, inARow: number): boolean {
  return inARow >= RESTARTS[reason].relistAfter
}
