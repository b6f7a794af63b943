import { webhooksFor } from './routes.ts'
import type { Webhook } from './webhook.ts'
import type { Kind } from '../src/api/kinds.ts'
import { PendingConfigCache } from '../src/cache/pending-configs.ts'
import { ConfigIndex } from '../src/cache/config-index.ts'
import type { ObjectSink, World } from '../src/core/ports.ts'
import { ServiceIndex } from '../src/cache/service-index.ts'
import type { ServicePolicy } from '../src/core/rules/service.ts'
import { systemClock, type Clock } from '../src/platform/clock.ts'

/** The webhooks over a world of their own, and where its objects are fed in. */
export interface AdmissionEngine {
  readonly world: World
  readonly webhooks: readonly Webhook[]
  readonly configs: ConfigIndex
  readonly services: ServiceIndex
  readonly sinks: Readonly<Record<Kind['kind'], ObjectSink>>
  /** How many objects of a kind are known. */
  readonly count: (kind: Kind['kind']) => number
}

export interface AdmissionOptions {
  readonly clock?: Clock
  /** Makes the webhooks over their world; the product's own by default. */
  readonly webhooksOver?: (world: World, policy: ServicePolicy) => readonly Webhook[]
}

/** Makes an admission that knows of no object yet. */
export function newAdmissionEngine (policy: ServicePolicy, { clock = systemClock, webhooksOver = webhooksFor }: AdmissionOptions = {}): AdmissionEngine {
  const configs = new ConfigIndex()
  const services = new ServiceIndex()
  const world = { configs, services, paths: services.paths, pendingConfigs: new PendingConfigCache(configs, clock) }
  return {
    world,
    configs,
    services,
    webhooks: webhooksOver(world, policy),
    sinks: {
      AIMRuntimeConfig: configs.sink('AIMRuntimeConfig'),
      AIMClusterRuntimeConfig: configs.sink('AIMClusterRuntimeConfig'),
      AIMService: services.sink()
    },
    count: (kind) => kind === 'AIMService' ? services.count() : configs.count(kind)
  }
}
