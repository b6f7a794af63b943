import { encodeReview } from '../admission/encode.ts'
import type { ReviewRequest } from '../admission/request.ts'
import type { Verdict } from '../admission/verdict.ts'
import { isJsonObject, own, ownObject, sameJson, type JsonObject } from '../platform/json.ts'

/**
 * The fields of an answer that are compared, in the order in which people want them. Each is undefined where the answer
 * has none.
 */
export const ANSWER_FIELDS = ['allowed', 'code', 'message', 'causes', 'warnings', 'patch', 'audit', 'defect'] as const
export type AnswerField = typeof ANSWER_FIELDS[number]

/** What the API server was told, or would be. `defect`: why the review was not judged. */
export type ReplayedResponse = Readonly<Partial<Record<AnswerField, unknown>>>

export interface Change { readonly field: AnswerField, readonly recorded: unknown, readonly now: unknown }

/** The answer that goes out for a verdict, read off what the server sends. */
export function answerOf (request: ReviewRequest, verdict: Verdict): ReplayedResponse {
  const review: unknown = JSON.parse(encodeReview(request, verdict))
  const response = isJsonObject(review) ? ownObject(review, 'response') : {}
  const status = ownObject(response, 'status')
  const fields: Record<AnswerField, unknown> = {
    allowed: own(response, 'allowed'),
    code: own(status, 'code'),
    message: own(status, 'message'),
    causes: own(ownObject(status, 'details'), 'causes'),
    warnings: own(response, 'warnings'),
    patch: patchOf(response),
    audit: own(response, 'auditAnnotations'),
    defect: undefined
  }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** Each field of two answers that differs. */
export function changesOf (recorded: ReplayedResponse, now: ReplayedResponse): Change[] {
  return ANSWER_FIELDS.filter((field) => !sameJson(recorded[field], now[field])).map((field) => ({
    field,
    recorded: recorded[field],
    now: now[field]
  }))
}

function patchOf (response: JsonObject): unknown {
  const patch = own(response, 'patch')
  return typeof patch === 'string' ? JSON.parse(Buffer.from(patch, 'base64').toString('utf8')) : undefined
}
