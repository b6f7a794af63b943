import type { ResolvedRuntimeConfig } from '../../api/aim-service.ts'
import type { ObjectKey } from '../ports.ts'
import type { ConfigLookup, PathClaim } from '../world.ts'
import { PRECEDENCE, settle } from './precedence.ts'
import type { RuntimeConfig } from './runtime-config.ts'
import type { Service } from './service.ts'
import { effectiveRouting, pathClaim, servicePath, type EffectiveRouting, type ServicePath } from './service-path.ts'

/** Everything that follows from a service and the configurations. */
export interface Assessment {
  readonly service: Service
  /** Undefined if the configuration is missing; then `claim` and `block` are undefined too. */
  readonly config: RuntimeConfig | undefined
  readonly routing: EffectiveRouting
  readonly path: ServicePath
  readonly claim: PathClaim | undefined
  /** The `spec.resolvedRuntimeConfig` that admission writes. */
  readonly block: ResolvedRuntimeConfig | undefined
}

/** Resolves the configuration, settles the routing, renders the path and composes the block. Pure. */
export function assessService (service: Service, configs: ConfigLookup): Assessment {
  const config = resolveConfig({ namespace: service.namespace, name: service.configName }, configs)
  const routing = effectiveRouting(service, config)
  const path = servicePath(service, routing)
  return {
    service,
    config,
    routing,
    path,
    claim: config && pathClaim(service, routing, path),
    block: config && resolvedBlock(service, config, { routing, path })
  }
}

/** The namespace's configuration replaces the cluster's whole: the two are never merged. */
export function resolveConfig ({ namespace, name }: ObjectKey, configs: ConfigLookup): RuntimeConfig | undefined {
  return configs.namespaced(namespace, name) ?? configs.cluster(name)
}

/** A pure function of the service without its block, and the configuration. Unset fields are left out. */
function resolvedBlock (service: Service, config: RuntimeConfig, { routing, path }: Pick<Assessment, 'routing' | 'path'>): ResolvedRuntimeConfig {
  const { value: storageClass } = settle(PRECEDENCE.defaultStorageClassName, service, config)
  const { value: serviceAccount } = settle(PRECEDENCE.serviceAccountName, service, config)
  const { value: pullSecrets } = settle(PRECEDENCE.imagePullSecrets, service, config)
  return {
    kind: config.kind,
    scope: config.scope,
    ...(config.scope === 'Namespace' && { namespace: config.namespace }),
    name: config.name,
    hash: config.hash,
    ...(storageClass !== undefined && { defaultStorageClassName: storageClass }),
    ...(serviceAccount !== undefined && { serviceAccountName: serviceAccount }),
    ...(pullSecrets !== undefined && { imagePullSecrets: pullSecrets.map((name) => ({ name })) }),
    model: {
      creationScope: settle(PRECEDENCE['model.creationScope'], service, config).value,
      autoDiscovery: settle(PRECEDENCE['model.autoDiscovery'], service, config).value
    },
    routing: {
      enabled: routing.enabled,
      ...(routing.gatewayRef !== undefined && { gatewayRef: routing.gatewayRef }),
      pathTemplate: routing.template.source,
      ...(path.kind === 'path' && { path: path.path })
    }
  }
}
