import { AIM_CLUSTER_RUNTIME_CONFIG, AIM_RUNTIME_CONFIG } from '../src/api/kinds.ts'
import type { World } from '../src/core/ports.ts'
import type { ServicePolicy } from '../src/core/rules/service.ts'
import { mutateService } from './mutate-service.ts'
import { validateConfig } from './validate-config.ts'
import { validateService } from './validate-service.ts'
import type { Webhook } from './webhook.ts'

/** Every webhook of the product, over one world. */
export function webhooksFor (world: World, policy: ServicePolicy): readonly Webhook[] {
  return [
    mutateService(world, policy), validateService(world, policy), validateConfig(AIM_RUNTIME_CONFIG, world), validateConfig(AIM_CLUSTER_RUNTIME_CONFIG, world)
  ]
}
