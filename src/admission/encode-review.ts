import { REVIEW_API_VERSION, REVIEW_KIND } from '../api/admission-review.ts'
import type { ReviewStatus } from '../api/admission-review.ts'
import { ownObject, ownString } from '../core/json.ts'
import type { Fault } from '../core/faults.ts'
import type { ReviewRequest } from './review-request.ts'
import type { Verdict } from './verdict.ts'

/** The AdmissionReview v1 that answers a request, as JSON. Source: admission.k8s.io/v1, AdmissionResponse. */
export function encodeReview (request: ReviewRequest, verdict: Verdict): string {
  const response = {
    uid: request.uid,
    allowed: verdict.kind !== 'deny',
    ...(verdict.kind === 'patch' && { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(verdict.operations)).toString('base64') }),
    ...(verdict.kind === 'deny' && { status: refusal(request, verdict.faults) }),
    ...(verdict.warnings.length > 0 && { warnings: fitting(verdict.warnings) }),
    ...(verdict.audit !== undefined && { auditAnnotations: verdict.audit })
  }
  return JSON.stringify({ apiVersion: REVIEW_API_VERSION, kind: REVIEW_KIND, response })
}

/** Longest message of a cause, and of the refusal as a whole, in UTF-16 code units. */
const MAX_MESSAGE = 1_024
/** Longest warning, and all of them together, in bytes: beyond these the API server cuts. Source: apiserver, warning recorder. */
const MAX_WARNING = 256
const MAX_WARNINGS = 4_096

/** What kubectl prints a refusal from: it lists the causes, and drops the message where an Invalid has none. */
export function refusal (request: ReviewRequest, faults: readonly Fault[]): ReviewStatus {
  const causes = faults.map(({ code, message, field }) => ({ reason: code, message: cut(oneLine(message)), field }))
  const metadata = ownObject(request.object ?? {}, 'metadata')
  return {
    status: 'Failure',
    code: 422,
    reason: 'Invalid',
    message: cut(causes.map(({ field, message }) => `${field}: ${message}`).join('; ')),
    details: { group: request.group, kind: request.kind, name: request.name || ownString(metadata, 'name') || ownString(metadata, 'generateName'), causes }
  }
}

function oneLine (text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
}

function cut (text: string): string {
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1)}…` : text
}

/** As many warnings as the API server passes on, each cut to what it shows. */
function fitting (warnings: readonly string[]): string[] {
  let room = MAX_WARNINGS
  return warnings.map((warning) => cutToBytes(oneLine(warning), MAX_WARNING)).filter((warning) => (room -= Buffer.byteLength(warning)) >= 0)
}

function cutToBytes (text: string, bytes: number): string {
  const encoded = Buffer.from(text)
  if (encoded.length <= bytes) return text
  let end = bytes - ELLIPSIS.length
  while (((encoded[end] ?? 0) & 0xC0) === 0x80) end-- // a continuation byte: the character began earlier
  return `${encoded.toString('utf8', 0, end)}…`
}

const ELLIPSIS = Buffer.from('…')
