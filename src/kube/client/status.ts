import { STATUS_CODES } from 'node:http'
import { own, ownObject, ownString, type JsonObject } from '../../platform/json.ts'
import type { ApiResponse } from './api-connection.ts'
import { parseObject } from '../watch/versioned-object.ts'

/** A failure as the API server tells it. Source: metav1.Status. */
export interface Status {
  /** HTTP-like; 500 where none is given. */
  readonly code: number
  readonly message: string
  /** How long the server asks to wait; 0 where it does not. */
  readonly retryAfterSeconds: number
}

export function readStatus (status: JsonObject): Status {
  return {
    code: numberOr(own(status, 'code'), 500),
    message: ownString(status, 'message'),
    retryAfterSeconds: numberOr(own(ownObject(status, 'details'), 'retryAfterSeconds'), 0)
  }
}

/** Of a response that failed; reads its body. */
export async function statusOf ({ statusCode, headers, body }: ApiResponse): Promise<Status> {
  const { message } = readStatus(parseObject(await body.text()))
  return {
    code: statusCode,
    message: message || STATUS_CODES[statusCode] || 'unknown',
    retryAfterSeconds: numberOr(Number(headers['retry-after']), 0) // whole seconds, as the API server writes it
  }
}

function numberOr (value: unknown, fallback: number): number {
  return Number.isFinite(value) ? Number(value) : fallback
}
