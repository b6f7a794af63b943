import type { Logger } from 'pino'
import type { ReviewRequest } from '../admission/request.ts'
import type { Verdict } from '../admission/verdict.ts'
import type { FaultCode } from '../core/rules/faults.ts'
import type { Log } from '../core/ports.ts'
import type { Metrics, ReviewOutcome } from './metrics.ts'

/** How one review ended. */
export interface Ending {
  readonly webhook: string
  readonly review: ReviewRequest
  readonly outcome: ReviewOutcome
  readonly faults?: readonly FaultCode[] | undefined
  /** Since the last byte of the review, in milliseconds. */
  readonly ms: number
  /** What a defect threw. */
  readonly error?: unknown
  /** The caller went away before it was answered. */
  readonly gone?: boolean
}

export interface ReviewRecorder {
  readonly metrics: Metrics
  readonly log: Logger
  /** For lines that may come again and again. */
  readonly repeating: Log
}

/** Counts a review and writes its one log line. */
export function recordReview (recorder: ReviewRecorder, ending: Ending): void {
  const { metrics } = recorder
  const { webhook, review: { operation, dryRun }, outcome, faults = [], ms, gone = false } = ending
  metrics.requests.inc({ webhook, operation, outcome, dry_run: String(dryRun) })
  metrics.duration.observe({ webhook }, ms / 1_000)
  for (const reason of new Set(faults)) metrics.refusals.inc({ reason })
  if (gone) metrics.clientGone.inc()
  write(recorder, ending)
}

function write ({ log, repeating }: ReviewRecorder, ending: Ending): void {
  const level = ending.gone === true ? 'debug' : LEVELS[ending.outcome]
  if (!log.isLevelEnabled(level)) return
  const keys = keysOf(ending)
  if (level === 'warn' || level === 'error') repeating[level](keys, MESSAGE)
  else log[level](keys, MESSAGE)
}

const MESSAGE = 'review ended'

function keysOf ({ webhook, review: { uid, operation, namespace, name, dryRun }, outcome, faults = [], ms, error }: Ending): object {
  return {
    uid: capped(uid),
    webhook,
    operation,
    namespace: capped(namespace),
    name: capped(name),
    dryRun,
    outcome,
    ms: Math.round(ms * 1_000) / 1_000,
    ...(faults.length > 0 && { faults }),
    ...(error !== undefined && {
      error: capped(error instanceof Error ? (error.stack ?? error.message) : 'not an Error', MAX_STACK)
    })
  }
}

export function outcomeOf (verdict: Verdict): ReviewOutcome {
  if (verdict.kind === 'deny') return 'refused'
  if (verdict.warnings.length > 0) return 'warned'
  return verdict.kind === 'patch' ? 'patched' : 'allowed'
}

const LEVELS = {
  allowed: 'debug', patched: 'debug', unmatched: 'debug', warned: 'info', refused: 'info', unavailable: 'warn', error: 'error'
} as const satisfies Record<ReviewOutcome, string>

/** Longest name in Kubernetes, and longest stack that is logged, in UTF-16 code units. */
const MAX_NAME = 253
const MAX_STACK = 4_096

function capped (text: string, limit = MAX_NAME): string {
  return text.length > limit ? `${text.slice(0, limit)}…` : text
}
