import { REVIEW_API_VERSION, REVIEW_KIND, type ReviewStatus, type StatusCause } from '../api/admission-review.ts'
import type { Fault } from '../core/faults.ts'
import { ownObject, ownString } from '../platform/json.ts'
import { oneLine } from '../platform/printable.ts'
import type { ReviewRequest } from './request.ts'
import type { Verdict } from './verdict.ts'

/** The AdmissionReview v1 that responds to a request, as JSON. Source: admission.k8s.io/v1, AdmissionResponse. */
export function encodeReview (request: ReviewRequest, verdict: Verdict): string {
  let response = `{"uid":${JSON.stringify(request.uid)},"allowed":${verdict.kind !== 'deny'}`
  if (verdict.kind === 'patch') {
    const patch = Buffer.from(JSON.stringify(verdict.operations)).toString('base64')
    response += `,"patchType":"JSONPatch","patch":"${patch}"`
  }
  if (verdict.kind === 'deny') response += `,"status":${JSON.stringify(refusal(request, verdict.faults))}`
  if (verdict.warnings.length > 0) response += `,"warnings":${JSON.stringify(limitWarnings(verdict.warnings))}`
  if (verdict.audit !== undefined) response += `,"auditAnnotations":${JSON.stringify(verdict.audit)}`
  return `${HEAD}${response}}}`
}

const HEAD = `{"apiVersion":"${REVIEW_API_VERSION}","kind":"${REVIEW_KIND}","response":`

/** The status of a refusal. kubectl lists the causes; without causes it drops the message of an `Invalid`. */
export function refusal (request: ReviewRequest, faults: readonly Fault[]): ReviewStatus {
  const causes = faults.map(({ code, message, field }) => ({
    reason: code, message: limitMessage(message), field: oneLine(field)
  }))
  const metadata = ownObject(request.object ?? {}, 'metadata')
  return {
    status: 'Failure',
    code: 422,
    reason: 'Invalid',
    message: joinMessages(causes),
    details: {
      group: request.group,
      kind: request.kind,
      name: oneLine(request.name || ownString(metadata, 'name') || ownString(metadata, 'generateName')),
      causes
    }
  }
}

/** In bytes: the API server truncates warnings beyond these limits. Source: apiserver, warning recorder. */
const MAX_WARNING = 256
const MAX_WARNINGS = 4_096

/** The warnings that the API server passes on, each on one line and within its limit. */
export function limitWarnings (warnings: readonly string[]): string[] {
  let room = MAX_WARNINGS
  return warnings
    .map((warning) => shortenBytes(oneLine(warning), MAX_WARNING))
    .filter((warning) => (room -= ENCODER.encode(warning).length) >= 0)
}

/** Longest message of a cause, and of the whole refusal, in UTF-16 code units. */
const MAX_MESSAGE = 1_024

/** Shortens a long message in its middle: it starts with what is wrong and ends with the fix. */
function limitMessage (message: string): string {
  const text = oneLine(message)
  if (text.length <= MAX_MESSAGE) return text
  return `${text.slice(0, MAX_MESSAGE / 2 - 1).toWellFormed()}…${text.slice(-MAX_MESSAGE / 2).toWellFormed()}`
}

function joinMessages (causes: readonly StatusCause[]): string {
  const text = causes.map(({ field, message }) => `${field}: ${message}`).join('; ')
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1).toWellFormed()}…` : text
}

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()
const ELLIPSIS = ENCODER.encode('…')

/** Shortens in the middle, between characters. */
function shortenBytes (text: string, bytes: number): string {
  const encoded = ENCODER.encode(text)
  if (encoded.length <= bytes) return text
  const kept = bytes - ELLIPSIS.length
  let end = Math.floor(kept / 2)
  let start = encoded.length - Math.ceil(kept / 2)
  const isContinuation = (at: number): boolean => ((encoded[at] ?? 0) & 0xC0) === 0x80
  while (isContinuation(end)) end--
  while (isContinuation(start)) start++
  return `${DECODER.decode(encoded.subarray(0, end))}…${DECODER.decode(encoded.subarray(start))}`
}
