import type { ResolvedRuntimeConfig } from '../../api/aim-service.ts'
import type { ConfigLookup, PathClaim } from '../ports.ts'
import { resolveConfig } from './resolve.ts'
import { resolvedBlock } from './block.ts'
import type { RuntimeConfig } from './runtime-config.ts'
import { effectiveRouting, pathClaim, servicePath, type EffectiveRouting, type ServicePath } from './service-path.ts'
import type { Service } from './service.ts'

/** Everything that follows from a service and the configurations: gathered once, judged and written by others. */
export interface Assessment {
  readonly service: Service
  /** Undefined where the configuration is missing. */
  readonly config: RuntimeConfig | undefined
  readonly routing: EffectiveRouting
  readonly path: ServicePath
  /** Both undefined where the configuration is missing: then there is nothing to inject, and no path is held. */
  readonly claim: PathClaim | undefined
  readonly block: ResolvedRuntimeConfig | undefined
}

/** Resolves the configuration, settles the routing, renders the path and composes the block. Pure. */
export function assessService (service: Service, configs: ConfigLookup): Assessment {
  const resolution = resolveConfig({ namespace: service.namespace, name: service.configName }, configs)
  const config = resolution.kind === 'found' ? resolution.config : undefined
  const routing = effectiveRouting(service, config)
  const path = servicePath(service, routing)
  return {
    service,
    config,
    routing,
    path,
    claim: config === undefined ? undefined : pathClaim(service, routing, path),
    block: config === undefined ? undefined : resolvedBlock({ service, config, routing, path })
  }
}
