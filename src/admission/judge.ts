import type { Operation } from '../api/admission-review.ts'
import type { FaultCode } from '../core/faults.ts'
import { encodeReview } from './encode.ts'
import type { ReviewRequest } from './request.ts'
import type { Steps } from '../platform/steps.ts'
import { ADMIT, type Verdict } from './verdict.ts'

/** How a review ended. `unavailable` and `error`: without a judgement. */
export type ReviewOutcome = 'allowed' | 'patched' | 'warned' | 'refused' | 'unmatched' | 'unavailable' | 'error'

/** The part of a webhook that a judgement needs. */
export interface JudgingWebhook {
  readonly resource: { readonly group: string, readonly version: string, readonly kind: string }
  readonly registrations: ReadonlyArray<{ readonly operations: readonly Operation[] }>
  readonly decide: (request: ReviewRequest) => Verdict
  readonly decideInSteps?: (request: ReviewRequest) => Steps<Verdict>
}

export interface Judgement {
  readonly outcome: Exclude<ReviewOutcome, 'unavailable' | 'error'>
  /** Codes of the faults that refuse the request. */
  readonly faults: readonly FaultCode[]
  /** An AdmissionReview v1, as JSON. */
  readonly response: string
}

/** Decides, classifies and encodes: the only way from a request to its response. Throws only on a defect. */
export function judgeReview (webhook: JudgingWebhook, request: ReviewRequest): Judgement {
  return serves(webhook, request) ? judgementOf(request, webhook.decide(request)) : unmatched(request)
}

/** Judges in steps that `run` spreads over time, if the webhook can decide so. */
export async function judgeInSteps (
  webhook: JudgingWebhook, request: ReviewRequest, run: (steps: Steps<Verdict>) => Promise<Verdict>
): Promise<Judgement> {
  if (!serves(webhook, request)) return unmatched(request)
  const steps = webhook.decideInSteps?.(request)
  return judgementOf(request, steps === undefined ? webhook.decide(request) : await run(steps))
}

function unmatched (request: ReviewRequest): Judgement {
  return { outcome: 'unmatched', faults: [], response: encodeReview(request, ADMIT) }
}

function judgementOf (request: ReviewRequest, verdict: Verdict): Judgement {
  return {
    outcome: outcomeOf(verdict),
    faults: verdict.kind === 'deny' ? verdict.faults.map(({ code }) => code) : [],
    response: encodeReview(request, verdict)
  }
}

/** Whether the webhook is registered for this kind and operation; any other request is admitted unchanged. */
export function serves ({ resource, registrations }: JudgingWebhook, request: ReviewRequest): boolean {
  const { group, version, kind, subResource, operation } = request
  return group === resource.group && version === resource.version && kind === resource.kind && subResource === '' &&
    registrations.some(({ operations }) => operations.some((served) => served === operation))
}

function outcomeOf (verdict: Verdict): Judgement['outcome'] {
  if (verdict.kind === 'deny') return 'refused'
  if (verdict.warnings.length > 0) return 'warned'
  return verdict.kind === 'patch' ? 'patched' : 'allowed'
}
