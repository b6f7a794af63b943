/** The program of the thread behind `LargeReviews`. */
import { workerData } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { webhooksFor } from '../../../webhooks/engine.ts'
import { decodeReview, type DecodedReview } from '../../admission/decode.ts'
import { judgeReview } from '../../admission/judge.ts'
import type { ReviewRequest } from '../../admission/request.ts'
import { isJsonObject, own, ownObject, type JsonObject } from '../../platform/json.ts'
import type { Judged, JudgeResult, JudgeTask, WorkerPolicies } from './large-reviews.ts'
import { worldOf } from './lookups.ts'

/** The review that holds the turn. The next `parse` replaces it. */
let current: ReviewRequest | undefined

/** Parses a body, keeps the review for `judge`, and returns an outline. */
export function parse (pieces: readonly Uint8Array[]): DecodedReview {
  const decoded = decodeReview(Buffer.concat(pieces))
  current = decoded.kind === 'review' ? decoded.request : undefined
  return decoded.kind === 'review' ? { kind: 'review', request: outline(decoded.request) } : decoded
}

/** Judges the parsed review by the given answers; if they do not suffice, returns the missing lookups. */
export function judge ({ webhook: name, answers }: JudgeTask): JudgeResult {
  const { policy, pathPolicy } = workerData as WorkerPolicies
  const { world, missing } = worldOf(answers, pathPolicy)
  const webhook = webhooksFor(world, policy).find((webhook) => webhook.name === name)
  if (current === undefined || webhook === undefined) throw new Error('the thread has no such review or webhook')
  const judgement = judgeReview(webhook, current) // counts only if it looked nothing up without an answer
  if (missing.length > 0) return { lookups: missing }
  current = undefined
  return transferred({ ...judgement, response: new TextEncoder().encode(judgement.response) })
}

/** Has the pool transfer the response instead of copying it. */
function transferred (judged: Judged & { readonly response: Uint8Array }): Judged {
  // to the pool's caller
  return move({ [transferableSymbol]: judged.response.buffer, [valueSymbol]: judged }) as unknown as Judged
}

/** The request with outlines of its objects. */
function outline ({ object, oldObject, ...request }: ReviewRequest): ReviewRequest {
  return {
    ...request,
    ...(object !== undefined && { object: outlineObject(object) }),
    ...(oldObject !== undefined && { oldObject: outlineObject(oldObject) })
  }
}

/** What the wait for a configuration depends on, and what the log names. */
function outlineObject (object: JsonObject): JsonObject {
  const metadata = ownObject(object, 'metadata')
  const spec = own(object, 'spec')
  return {
    metadata: Object.fromEntries(OUTLINED_METADATA.map((key) => [key, scalar(own(metadata, key))])),
    spec: isJsonObject(spec) ? { runtimeConfigName: scalar(own(spec, 'runtimeConfigName')) } : scalar(spec)
  }
}

const OUTLINED_METADATA = ['name', 'generateName', 'deletionTimestamp']

/** An object or a list is never a valid name or time, and may nest deeper than a structured clone can. */
function scalar (value: unknown): unknown {
  return typeof value === 'object' && value !== null ? false : value
}
