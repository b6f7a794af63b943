import { REVIEW_API_VERSION, REVIEW_KIND, type ReviewStatus } from '../api/admission-review.ts'
import { ownObject, ownString } from '../platform/json.ts'
import type { Fault } from '../core/rules/faults.ts'
import type { ReviewRequest } from './request.ts'
import { shownMessage, shownMessages, shownWarnings } from './shown-texts.ts'
import type { Verdict } from './verdict.ts'

/** The AdmissionReview v1 that answers a request, as JSON. Source: admission.k8s.io/v1, AdmissionResponse. */
export function encodeReview (request: ReviewRequest, verdict: Verdict): string {
  let response = `{"uid":${JSON.stringify(request.uid)},"allowed":${verdict.kind !== 'deny'}`
  if (verdict.kind === 'patch') { response += `,"patchType":"JSONPatch","patch":"${Buffer.from(JSON.stringify(verdict.operations)).toString('base64')}"` }
  if (verdict.kind === 'deny') response += `,"status":${JSON.stringify(refusal(request, verdict.faults))}`
  if (verdict.warnings.length > 0) response += `,"warnings":${JSON.stringify(shownWarnings(verdict.warnings))}`
  if (verdict.audit !== undefined) response += `,"auditAnnotations":${JSON.stringify(verdict.audit)}`
  return `${HEAD}${response}}}`
}

const HEAD = `{"apiVersion":"${REVIEW_API_VERSION}","kind":"${REVIEW_KIND}","response":`

/** What kubectl prints a refusal from: it lists the causes, and drops the message where an Invalid has none. */
export function refusal (request: ReviewRequest, faults: readonly Fault[]): ReviewStatus {
  const causes = faults.map(({ code, message, field }) => ({ reason: code, message: shownMessage(message), field }))
  const metadata = ownObject(request.object ?? {}, 'metadata')
  return {
    status: 'Failure',
    code: 422,
    reason: 'Invalid',
    message: shownMessages(causes),
    details: {
      group: request.group,
      kind: request.kind,
      name: request.name || ownString(metadata, 'name') || ownString(metadata, 'generateName'),
      causes
    }
  }
}
