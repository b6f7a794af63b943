import { STATUS_CODES } from 'node:http'
import { keyOf, versionOf } from '../../api/object-meta.ts'
import type { ObjectKey, Unavailable, WriteResult } from '../../core/ports.ts'
import { errorMessage } from '../../platform/error-message.ts'
import { isJsonObject, own, ownObject, ownString, parseJson, type JsonObject } from '../../platform/json.ts'
import type { ApiRequest, ApiResponse, SendRequest } from './api-connection.ts'

/** Sends one request for an object or a list; `written` stands for any success. Never rejects. */
export async function requestObject (
  request: SendRequest, path: string, options: ApiRequest
): Promise<WriteResult | Unavailable> {
  try {
    return await resultOf(await request(path, options))
  } catch (error) {
    const scope = error instanceof Error && error.name === 'TimeoutError' ? 'object' : 'server'
    return { kind: 'unavailable', scope, reason: errorMessage(error), retryAfterMs: 0 }
  }
}

async function resultOf (response: ApiResponse): Promise<WriteResult | Unavailable> {
  if (response.statusCode === 200 || response.statusCode === 201) {
    const object = parseObject(await response.body.text())
    return versionOf(object) === '' // a list has a version, but no name
      ? { kind: 'failed', reason: 'the API server returned no object' }
      : { kind: 'written', object }
  }
  const status = await statusOf(response)
  return failureOf(status)
}

function failureOf (status: Status): WriteResult | Unavailable {
  const { code, message } = status
  if (code === 404) return { kind: 'gone' }
  if (code === 409 || (code === 422 && PATCH_TEST_FAILED.test(message))) return { kind: 'conflict' }
  const reason = describeStatus(status)
  if (code === 422 || (code === 500 && OTHER_SCHEMA.test(message))) return { kind: 'failed', reason, invalid: true }
  return code === 429 || code >= 500 ? unavailable(status) : { kind: 'failed', reason }
}

function unavailable (status: Status): Unavailable {
  const { code, retryAfterSeconds } = status
  const scope = code === 429 || (code === 503 && retryAfterSeconds > 0) ? 'server' : 'object'
  return { kind: 'unavailable', scope, reason: describeStatus(status), retryAfterMs: retryAfterSeconds * 1_000 }
}

/** Source: evanphx/json-patch, `ErrTestFailed`, which the API server returns with code 422. */
const PATCH_TEST_FAILED = /testing value .* failed|test failed/

/** Of server-side apply. Source: structured-merge-diff, typed; apimachinery, managedfields. */
const OTHER_SCHEMA = /field not declared in schema|failed to create typed|to smd typed/

/** A failure reported by the API server. Source: metav1.Status. */
export interface Status {
  /** An HTTP status; 500 if absent. */
  readonly code: number
  readonly message: string
  /** 0 if absent. */
  readonly retryAfterSeconds: number
  /** The `reason` of each of `details.causes`. */
  readonly causes: readonly string[]
}

export function readStatus (status: JsonObject): Status {
  const details = ownObject(status, 'details')
  const causes = own(details, 'causes')
  return {
    code: numberOr(own(status, 'code'), 500),
    message: ownString(status, 'message'),
    retryAfterSeconds: numberOr(own(details, 'retryAfterSeconds'), 0),
    causes: Array.isArray(causes) ? causes.filter(isJsonObject).map((cause) => ownString(cause, 'reason')) : []
  }
}

/** The status of a failed response; reads its body. */
export async function statusOf ({ statusCode, headers, body }: ApiResponse): Promise<Status> {
  const { message, causes } = readStatus(parseObject(await body.text()))
  return {
    code: statusCode,
    message: message || STATUS_CODES[statusCode] || 'unknown',
    causes,
    retryAfterSeconds: numberOr(Number(headers['retry-after']), 0) // the API server sends whole seconds, never a date
  }
}

export function describeStatus ({ code, message }: Status): string {
  return `the API server returned ${code}: ${message}`
}

/** An API object with its key and version. */
export interface VersionedObject {
  readonly object: JsonObject
  readonly key: ObjectKey
  /** `metadata.resourceVersion`. */
  readonly version: string
}

/** Undefined if the value is not an object with a name and a version. */
export function versionedObject (value: unknown): VersionedObject | undefined {
  if (!isJsonObject(value)) return undefined
  const [key, version] = [keyOf(value), versionOf(value)]
  return key.name === '' || version === '' ? undefined : { object: value, key, version }
}

/** The JSON object in a text; an empty object if the text is anything else. */
export function parseObject (text: string): JsonObject {
  try {
    const value = parseJson(text)
    return isJsonObject(value) ? value : {}
  } catch {
    return {}
  }
}

function numberOr (value: unknown, fallback: number): number {
  return Number.isFinite(value) ? Number(value) : fallback
}
