import { REVIEW_API_VERSION, REVIEW_KIND } from '../api/admission-review.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../platform/json.ts'
import { parseReview } from './fast-parse/parse-review.ts'
import type { ReviewRequest } from './request.ts'

/** A review, or why the body is not one: one sentence that never echoes the input. */
export type DecodedReview =
  | { readonly kind: 'review', readonly request: ReviewRequest }
  | { readonly kind: 'malformed', readonly message: string }

/** Keeps a byte order mark, which is not valid JSON. */
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Decodes an AdmissionReview v1. Source: admission.k8s.io/v1, AdmissionReview. */
export function decodeReview (body: Uint8Array): DecodedReview {
  if (body.length === 0) return malformed('the body is empty; send an AdmissionReview as JSON')
  let review: unknown
  try {
    review = parseReview(DECODER.decode(body))
  } catch (error) {
    if (error instanceof TypeError) return malformed('the body is not valid UTF-8')
  }
  if (!isJsonObject(review)) return malformed('the body is not a JSON object; send an AdmissionReview as JSON')
  if (own(review, 'apiVersion') !== REVIEW_API_VERSION || own(review, 'kind') !== REVIEW_KIND) {
    return malformed(`the body is not an ${REVIEW_KIND} of ${REVIEW_API_VERSION}, the only accepted version`)
  }
  const request = own(review, 'request')
  if (!isJsonObject(request)) return malformed('the review has no request')
  const uid = ownString(request, 'uid')
  return uid === ''
    ? malformed('the request has no uid of type string')
    : { kind: 'review', request: readRequest(request, uid) }
}

function malformed (message: string): DecodedReview {
  return { kind: 'malformed', message }
}

const OPERATIONS = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const

function readRequest (request: JsonObject, uid: string): ReviewRequest {
  const kind = ownObject(request, 'kind')
  const object = own(request, 'object')
  const oldObject = own(request, 'oldObject')
  return {
    uid,
    operation: OPERATIONS.find((known) => known === own(request, 'operation')) ?? 'UNKNOWN',
    group: ownString(kind, 'group'),
    version: ownString(kind, 'version'),
    kind: ownString(kind, 'kind'),
    resource: ownString(ownObject(request, 'resource'), 'resource'),
    subResource: ownString(request, 'subResource'),
    name: ownString(request, 'name'),
    namespace: ownString(request, 'namespace'),
    dryRun: own(request, 'dryRun') === true,
    ...(isJsonObject(object) && { object }),
    ...(isJsonObject(oldObject) && { oldObject })
  }
}

/** Stands for the request of a review until its body is decoded. */
export const UNREAD_REQUEST = readRequest({}, '')
