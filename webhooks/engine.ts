import { AIM_CLUSTER_RUNTIME_CONFIG, AIM_RUNTIME_CONFIG, type Kind } from '../src/api/kinds.ts'
import { ConfigIndex } from '../src/cache/config-index.ts'
import { PendingConfigCache } from '../src/cache/pending-configs.ts'
import { ServiceIndex, type KeptTextLimits } from '../src/cache/service-index.ts'
import type { ObjectSink, ServedFields } from '../src/core/ports.ts'
import type { ServicePolicy } from '../src/core/rules/service.ts'
import { PRODUCT_FIELDS } from '../src/core/served-fields.ts'
import { DEFAULT_PATH_POLICY, type PathPolicy, type World } from '../src/core/world.ts'
import { systemClock, type Clock } from '../src/platform/clock.ts'
import { mutateService, validateService } from './services.ts'
import { validateConfig } from './configs.ts'
import type { Webhook } from './webhook.ts'

/** All webhooks over one world, and the sinks that fill it. */
export interface AdmissionEngine {
  readonly world: World
  readonly webhooks: readonly Webhook[]
  readonly configs: ConfigIndex
  readonly services: ServiceIndex
  readonly sinks: Readonly<Record<Kind['kind'], ObjectSink>>
}

export interface AdmissionOptions {
  readonly clock?: Clock
  readonly pathPolicy?: PathPolicy
  /** Of AIMService; by default those of the product's own definition. */
  readonly served?: ServedFields
  /** By default every service is kept whole. */
  readonly serviceLimits?: KeptTextLimits
  /** Builds the webhooks; by default those of the product. */
  readonly webhooksOver?: (world: World, policy: ServicePolicy) => readonly Webhook[]
}

/** An engine without any object. */
export function newAdmissionEngine (policy: ServicePolicy, options: AdmissionOptions = {}): AdmissionEngine {
  const { clock = systemClock, pathPolicy = DEFAULT_PATH_POLICY, served = PRODUCT_FIELDS } = options
  const { webhooksOver = webhooksFor } = options
  const configs = new ConfigIndex()
  const services = new ServiceIndex(options.serviceLimits, pathPolicy.pathSegments)
  const world = {
    configs,
    services,
    paths: services.paths,
    pathPolicy,
    pendingConfigs: new PendingConfigCache(configs, clock, pathPolicy),
    served
  }
  return {
    world,
    configs,
    services,
    webhooks: webhooksOver(world, policy),
    sinks: {
      AIMRuntimeConfig: configs.sink('AIMRuntimeConfig'),
      AIMClusterRuntimeConfig: configs.sink('AIMClusterRuntimeConfig'),
      AIMService: services.sink()
    }
  }
}

/** Every webhook of the product, over one world. */
export function webhooksFor (world: World, policy: ServicePolicy): readonly Webhook[] {
  return [
    mutateService(world, policy),
    validateService(world, policy),
    validateConfig(AIM_RUNTIME_CONFIG, world),
    validateConfig(AIM_CLUSTER_RUNTIME_CONFIG, world)
  ]
}
