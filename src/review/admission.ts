import { webhooksFor } from '../../webhooks/routes.ts'
import type { Webhook } from '../../webhooks/webhook.ts'
import type { Kind } from '../api/kinds.ts'
import { ConfigArrivals } from '../core/config-arrivals.ts'
import { ConfigIndex } from '../core/config-index.ts'
import type { Clock, ObjectSink, World } from '../core/ports.ts'
import { ServiceIndex } from '../core/service-index.ts'
import type { ServicePolicy } from '../core/service-rules.ts'
import { systemClock } from '../core/system-clock.ts'

/** The webhooks over a world of their own, and where its objects are fed in. */
export interface Admission {
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
export function newAdmission (policy: ServicePolicy, { clock = systemClock, webhooksOver = webhooksFor }: AdmissionOptions = {}): Admission {
  const configs = new ConfigIndex()
  const services = new ServiceIndex()
  const world = { configs, services, paths: services.paths, arrivals: new ConfigArrivals(configs, clock) }
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
