import { webhooksFor } from '../../webhooks/engine.ts'
import { decodeReview } from '../admission/decode.ts'
import { encodeReview } from '../admission/encode.ts'
import type { ReviewRequest } from '../admission/request.ts'
import type { Verdict } from '../admission/verdict.ts'
import { ConfigIndex } from '../cache/config-index.ts'
import { ServiceIndex } from '../cache/service-index.ts'
import type { ObjectSink, ServedFields } from '../core/ports.ts'
import { PRODUCT_FIELDS } from '../core/served-fields.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import type { PathIndex, World } from '../core/world.ts'
import { keyOf, keyText } from '../api/object-meta.ts'
import { errorMessage } from '../platform/error-message.ts'
import { isJsonObject, own, ownObject, ownString, sameJson, type JsonObject } from '../platform/json.ts'
import { RESPONSE_FIELDS, type ReplayedResponse, type ResponseField, type ReviewRecord } from './review-record.ts'

export interface ResponseDifference { readonly field: ResponseField, readonly recorded: unknown, readonly now: unknown }

/** Creates the webhooks over a world. */
export type WebhooksOver = typeof webhooksFor

/** The response of this version to a recorded review, by the code that the server runs. Never throws. */
export function replayRecord (record: ReviewRecord, webhooksOver: WebhooksOver = webhooksFor): ReplayedResponse {
  const webhook = webhooksOver(worldOf(record), record.policy).find(({ name }) => name === record.webhook)
  if (webhook === undefined) return { defect: `this version has no webhook ${record.webhook}` }
  const decoded = decodeReview(Buffer.from(JSON.stringify(record.review)))
  if (decoded.kind === 'malformed') return { defect: decoded.message }
  try {
    return responseOf(decoded.request, webhook.decide(decoded.request))
  } catch (error) {
    return { defect: errorMessage(error) }
  }
}

/** The response to a verdict, read from the encoded AdmissionReview. */
export function responseOf (request: ReviewRequest, verdict: Verdict): ReplayedResponse {
  const review: unknown = JSON.parse(encodeReview(request, verdict))
  const response = isJsonObject(review) ? ownObject(review, 'response') : {}
  const status = ownObject(response, 'status')
  const patch = ownString(response, 'patch')
  const fields: Record<ResponseField, unknown> = {
    allowed: own(response, 'allowed'),
    code: own(status, 'code'),
    message: own(status, 'message'),
    causes: own(ownObject(status, 'details'), 'causes'),
    warnings: own(response, 'warnings'),
    patch: patch === '' ? undefined : JSON.parse(Buffer.from(patch, 'base64').toString()),
    audit: own(response, 'auditAnnotations'),
    defect: undefined
  }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** The fields in which two responses differ. */
export function differencesOf (recorded: ReplayedResponse, now: ReplayedResponse): ResponseDifference[] {
  return RESPONSE_FIELDS.filter((field) => !sameJson(recorded[field], now[field]))
    .map((field) => ({ field, recorded: recorded[field], now: now[field] }))
}

/** The objects that the recorded review depended on. */
function worldOf ({ configs: recorded, services: users, paths, pathPolicy, fields, shapes }: ReviewRecord): World {
  const configs = new ConfigIndex()
  const services = new ServiceIndex(undefined, pathPolicy.pathSegments)
  for (const { kind, object } of recorded) feed(configs.sink(kind), object)
  for (const object of users) feed(services.sink(), object)
  for (const claim of paths) if (services.get(claim.service) === undefined) services.paths.add(claim)
  const recent = new Set(recorded.filter((config) => config.recent)
    .map(({ kind, object }) => `${kind} ${keyText(keyOf(object))}`))
  const pendingConfigs = {
    announce: () => undefined,
    isRecent: (config: RuntimeConfig) => recent.has(`${config.kind} ${keyText(config)}`),
    waitForConfig: () => undefined
  }
  const served: ServedFields = {
    has: (...path) => fields[path.join('.')] ?? PRODUCT_FIELDS.has(...path),
    shapeOf: (path) => shapes?.[JSON.stringify(path)] ?? PRODUCT_FIELDS.shapeOf(path)
  }
  const index: PathIndex = {
    heldBy: (service) => paths.find((claim) => keyText(claim.service) === keyText(service)),
    holders: (claim) => services.paths.holders(claim),
    above: (claim, scope) => services.paths.above(claim, scope),
    below: (claim, scope) => services.paths.below(claim, scope)
  }
  return { configs, services, paths: index, pathPolicy, pendingConfigs, served }
}

/** Skips an object that this version cannot read, as the caches of a server do. */
function feed (sink: ObjectSink, object: JsonObject): void {
  try {
    sink.upsert(object)
  } catch {
    // unknown to this version
  }
}
