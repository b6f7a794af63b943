import type { Logger } from 'pino'
import type { ReviewRequest } from '../admission/review-request.ts'
import type { Verdict } from '../admission/verdict.ts'
import type { FaultCode } from '../core/faults.ts'
import type { Metrics, Outcome } from './metrics.ts'

/** How one review ended. */
export interface Ending {
  readonly webhook: string
  readonly review: ReviewRequest
  readonly outcome: Outcome
  readonly faults?: readonly FaultCode[] | undefined
  /** Since the last byte of the review, in milliseconds. */
  readonly ms: number
  /** What a defect threw. */
  readonly error?: unknown
}

/** Counts a review and writes its one log line. */
export function recordReview ({ metrics, log }: { readonly metrics: Metrics, readonly log: Logger }, ending: Ending): void {
  const { webhook, review: { uid, operation, namespace, name, dryRun }, outcome, faults = [], ms, error } = ending
  metrics.requests.inc({ webhook, operation, outcome, dry_run: String(dryRun) })
  metrics.duration.observe({ webhook }, ms / 1_000)
  for (const reason of new Set(faults)) metrics.refusals.inc({ reason })
  log[LEVELS[outcome]]({
    uid: capped(uid),
    webhook,
    operation,
    namespace: capped(namespace),
    name: capped(name),
    dryRun,
    outcome,
    ms: Math.round(ms * 1_000) / 1_000,
    ...(faults.length > 0 && { faults }),
    ...(error !== undefined && { error: capped(error instanceof Error ? error.stack ?? error.message : 'not an Error', MAX_STACK) })
  }, 'review ended')
}

export function outcomeOf (verdict: Verdict): Outcome {
  if (verdict.kind === 'deny') return 'refused'
  if (verdict.warnings.length > 0) return 'warned'
  return verdict.kind === 'patch' ? 'patched' : 'allowed'
}

const LEVELS = {
  allowed: 'debug', patched: 'debug', unmatched: 'debug', warned: 'info', refused: 'info', unavailable: 'warn', error: 'error'
} as const satisfies Record<Outcome, string>

/** Longest name in Kubernetes, and longest stack that is logged, in UTF-16 code units. */
const MAX_NAME = 253
const MAX_STACK = 4_096

function capped (text: string, limit = MAX_NAME): string {
  return text.length > limit ? `${text.slice(0, limit)}…` : text
}
