import { webhooksFor } from '../../webhooks/engine.ts'
import { decodeReview } from '../admission/decode.ts'
import { ConfigIndex } from '../cache/config-index.ts'
import { ownObject, ownString, type JsonObject } from '../platform/json.ts'
import type { ObjectSink } from '../core/ports.ts'
import type { World } from '../core/world.ts'
import { errorMessage } from '../platform/error-message.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import { ServiceIndex } from '../cache/service-index.ts'
import { answerOf, type ReplayedResponse } from './replayed-response.ts'
import type { ReviewRecord } from './review-record.ts'

/** Makes the webhooks over a world; the product's own by default. */
export type WebhooksOver = typeof webhooksFor

/** What this version answers to a recorded review, by the code that the server runs. Never throws. */
export function replayRecord (record: ReviewRecord, webhooksOver: WebhooksOver = webhooksFor): ReplayedResponse {
  const webhook = webhooksOver(worldOf(record), record.policy).find(({ name }) => name === record.webhook)
  if (webhook === undefined) return { defect: `this version has no webhook ${record.webhook}` }
  const decoded = decodeReview(Buffer.from(JSON.stringify(record.review)))
  if (decoded.kind === 'malformed') return { defect: decoded.sentence }
  try {
    return answerOf(decoded.request, webhook.decide(decoded.request))
  } catch (error) {
    return { defect: errorMessage(error) }
  }
}

/** The world as far as the recorded review saw it. */
function worldOf ({ configs: recorded, services: users, paths }: ReviewRecord): World {
  const configs = new ConfigIndex()
  const services = new ServiceIndex()
  for (const { kind, object } of recorded) feed(configs.sink(kind), object)
  for (const object of users) feed(services.sink(), object)
  for (const claim of paths) if (services.get(claim.service) === undefined) services.paths.add(claim)
  const justCome = new Set(
    recorded.filter((config) => config.justCome).map(({ kind, object }) => keyOf(kind, ownObject(object, 'metadata')))
  )
  const pendingConfigs = {
    announce: () => undefined,
    isRecent: ({ kind, namespace, name }: RuntimeConfig) => justCome.has(keyOf(kind, { namespace, name })),
    waitForConfig: () => undefined
  }
  return { configs, services, paths: services.paths, pendingConfigs }
}

/** As the caches of a server do, it passes over what this version cannot read. */
function feed (sink: ObjectSink, object: JsonObject): void {
  try {
    sink.upsert(object)
  } catch {
    // then it is not known
  }
}

function keyOf (kind: string, metadata: JsonObject): string {
  return `${kind} ${ownString(metadata, 'namespace')}/${ownString(metadata, 'name')}`
}
