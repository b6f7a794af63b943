import { isUtf8 } from 'node:buffer'
import { REVIEW_API_VERSION, REVIEW_KIND } from '../api/admission-review.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../platform/json.ts'
import { parseReview } from './fast-parse/parse-review.ts'
import type { ReviewRequest } from './request.ts'

/** A review that can be judged, or a sentence that says why the body is none. The sentence never echoes the input. */
export type DecodedReview =
  | { readonly kind: 'review', readonly request: ReviewRequest }
  | { readonly kind: 'malformed', readonly sentence: string }

/**
 * Reads an AdmissionReview v1 from a request body. Parses once and clones nothing. Source: admission.k8s.io/v1,
 * AdmissionReview.
 */
export function decodeReview (body: Uint8Array): DecodedReview {
  if (body.length === 0) return malformed('the body is empty; send an AdmissionReview as JSON')
  if (!isUtf8(body)) return malformed('the body is not valid UTF-8')
  const review = parse(body)
  if (!isJsonObject(review)) return malformed('the body is not a JSON object; send an AdmissionReview as JSON')
  if (own(review, 'apiVersion') !== REVIEW_API_VERSION || own(review, 'kind') !== REVIEW_KIND) {
    return malformed(`the body is not an ${REVIEW_KIND} of ${REVIEW_API_VERSION}, the only one that is accepted`)
  }
  const request = own(review, 'request')
  if (!isJsonObject(request)) return malformed('the review has no request')
  const uid = ownString(request, 'uid')
  return uid === ''
    ? malformed('the request has no uid, or one that is not a string')
    : { kind: 'review', request: readRequest(request, uid) }
}

function parse (body: Uint8Array): unknown {
  try {
    return parseReview(Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength))
  } catch {
    return undefined
  }
}

function malformed (sentence: string): DecodedReview {
  return { kind: 'malformed', sentence }
}

function readRequest (request: JsonObject, uid: string): ReviewRequest {
  const kind = ownObject(request, 'kind')
  const resource = ownObject(request, 'resource')
  const object = own(request, 'object')
  const oldObject = own(request, 'oldObject')
  const read: Writable<ReviewRequest> = {
    uid,
    operation: OPERATIONS.find((known) => known === own(request, 'operation')) ?? 'UNKNOWN',
    group: ownString(kind, 'group'),
    version: ownString(kind, 'version'),
    kind: ownString(kind, 'kind'),
    resource: ownString(resource, 'resource'),
    subResource: ownString(request, 'subResource'),
    name: ownString(request, 'name'),
    namespace: ownString(request, 'namespace'),
    dryRun: own(request, 'dryRun') === true,
    user: ownString(ownObject(request, 'userInfo'), 'username')
  }
  if (isJsonObject(object)) read.object = object
  if (isJsonObject(oldObject)) read.oldObject = oldObject
  return read
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

const OPERATIONS = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const
