import type { Logger } from 'pino'
import type { Judgement, ReviewOutcome } from '../admission/judge.ts'
import type { ReviewRequest } from '../admission/request.ts'
import type { Log } from '../core/ports.ts'
import type { Clock } from '../platform/clock.ts'
import type { Metrics } from './metrics.ts'

/** How one review ended. */
export interface ReviewEnd {
  readonly webhook: string
  readonly review: ReviewRequest
  readonly outcome: ReviewOutcome
  readonly faults?: Judgement['faults']
  /** Since the last byte of the review, in milliseconds. */
  readonly ms: number
  /** Undefined if reviews are not traced. */
  readonly traceId?: string | undefined
  /** Thrown by a defect. */
  readonly error?: unknown
  /** The client disconnected before the response. */
  readonly gone?: boolean
}

export interface DecisionLog {
  readonly metrics: Metrics
  readonly log: Logger
  /** For lines that a client can cause repeatedly. */
  readonly limited: Log
}

/** Counts a review and writes its one log line. */
export function recordReview ({ metrics, log, limited }: DecisionLog, end: ReviewEnd): void {
  const { webhook, review: { operation, dryRun }, outcome, faults, ms, gone = false } = end
  metrics.requests.inc({ webhook, operation, outcome, dry_run: String(dryRun) })
  metrics.duration.observe({ webhook }, ms / 1_000)
  for (const reason of new Set(faults)) metrics.refusals.inc({ reason })
  if (gone) metrics.clientGone.inc()
  const level = gone ? 'debug' : LEVELS[outcome]
  if (!log.isLevelEnabled(level)) return
  if (level === 'debug') log.debug(keysOf(end), MESSAGE)
  else limited[level](keysOf(end), MESSAGE)
}

const MESSAGE = 'review ended'

const LEVELS = {
  allowed: 'debug',
  patched: 'debug',
  unmatched: 'debug',
  warned: 'info',
  refused: 'info',
  unavailable: 'warn',
  error: 'error'
} as const satisfies Record<ReviewOutcome, string>

function keysOf ({ webhook, review, outcome, faults = [], ms, traceId, error }: ReviewEnd): object {
  const { uid, operation, namespace, name, dryRun } = review
  return {
    uid: truncate(uid),
    webhook,
    operation,
    namespace: truncate(namespace),
    name: truncate(name),
    dryRun,
    outcome,
    ms: Math.round(ms * 1_000) / 1_000,
    ...(faults.length > 0 && { faults }),
    ...(traceId !== undefined && { traceId }),
    ...(error !== undefined && {
      error: truncate(error instanceof Error ? (error.stack ?? error.message) : 'not an Error', MAX_STACK)
    })
  }
}

/** Longest name in Kubernetes, and longest logged stack, in UTF-16 code units. */
const MAX_NAME = 253
const MAX_STACK = 4_096

function truncate (text: string, limit = MAX_NAME): string {
  return text.length > limit ? `${text.slice(0, limit)}…` : text
}

/** Lines of one message, level, and namespace in one window, in milliseconds; further lines are only counted. */
const MAX_LINES = 20
const WINDOW_MS = 10_000
/** Beyond, lines of other namespaces share one window for each message: callers may invent namespaces. */
const MAX_WINDOWS = 2_000

/**
 * A log for messages that any client can cause. The first line of a window counts the lines left out before it. The key
 * `namespace` of a line decides whose lines are left out: no namespace uses up the lines of another.
 */
export function limitedLog (log: Log, clock: Clock): Log {
  /** The oldest window first. */
  const windows = new Map<string, { since: number, lines: number }>()
  const windowKey = (message: string, namespace: string, now: number): string => {
    const own = `${message} ${namespace}` // messages are constants, so there are few
    for (const [key, { since }] of windows) {
      if (windows.size < MAX_WINDOWS || now - since < WINDOW_MS) break
      windows.delete(key)
    }
    return windows.has(own) || windows.size < MAX_WINDOWS ? own : message
  }
  const limited = (level: keyof Log) => (keys: object, message: string): void => {
    const now = clock.now()
    const namespace: unknown = Reflect.get(keys, 'namespace')
    const key = windowKey(`${level} ${message}`, typeof namespace === 'string' ? namespace : '', now)
    const window = windows.get(key)
    if (window !== undefined && now - window.since < WINDOW_MS) {
      if (++window.lines <= MAX_LINES) log[level](keys, message)
      return
    }
    windows.delete(key)
    windows.set(key, { since: now, lines: 1 })
    const leftOut = (window?.lines ?? 0) - MAX_LINES
    log[level](leftOut > 0 ? { ...keys, leftOut } : keys, message)
  }
  return { info: limited('info'), warn: limited('warn'), error: limited('error') }
}
