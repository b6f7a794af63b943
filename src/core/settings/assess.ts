import type { ResolvedRuntimeConfig } from '../../api/aim-service.ts'
import type { ObjectKey } from '../ports.ts'
import type { ConfigLookup, PathClaim } from '../world.ts'
import { PRECEDENCE, settle } from './precedence.ts'
import type { RuntimeConfig } from './runtime-config.ts'
import type { Service } from './service.ts'
import { effectiveRouting, pathClaim, servicePath, type EffectiveRouting, type ServicePath } from './service-path.ts'

/** The path that follows from a service and its configuration. */
export interface PathAssessment {
  readonly service: Service
  /** Undefined if the configuration is missing. */
  readonly config: RuntimeConfig | undefined
  readonly routing: EffectiveRouting
  readonly path: ServicePath
  /** Undefined without a configuration, a path or a gateway. */
  readonly claim: PathClaim | undefined
}

/** Everything that follows from a service and the configurations. */
export interface Assessment extends PathAssessment {
  /** The `spec.resolvedRuntimeConfig` that admission writes; undefined without a configuration. */
  readonly block: ResolvedRuntimeConfig | undefined
}

/** Resolves the configuration, settles the routing, renders the path and composes the block. Pure. */
export function assessService (service: Service, configs: ConfigLookup): Assessment {
  const config = resolveConfig({ namespace: service.namespace, name: service.configName }, configs)
  const assessed = assessPath(service, config)
  return { ...assessed, block: config && resolvedBlock(config, assessed) }
}

export function assessPath (service: Service, config: RuntimeConfig | undefined): PathAssessment {
  const routing = effectiveRouting(service, config)
  const path = servicePath(service, routing)
  return { service, config, routing, path, claim: config && pathClaim(service, routing, path) }
}

/** The namespace's configuration replaces the cluster's whole: the two are never merged. */
export function resolveConfig ({ namespace, name }: ObjectKey, configs: ConfigLookup): RuntimeConfig | undefined {
  return configs.namespaced(namespace, name) ?? configs.cluster(name)
}

/** A pure function of the service without its block, and the configuration. Unset fields are left out. */
function resolvedBlock (config: RuntimeConfig, { service, routing, path }: PathAssessment): ResolvedRuntimeConfig {
  const givers = { service, config }
  const { value: storageClass } = settle(PRECEDENCE.defaultStorageClassName, givers)
  const { value: serviceAccount } = settle(PRECEDENCE.serviceAccountName, givers)
  const { value: pullSecrets } = settle(PRECEDENCE.imagePullSecrets, givers)
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
      creationScope: settle(PRECEDENCE['model.creationScope'], givers).value,
      autoDiscovery: settle(PRECEDENCE['model.autoDiscovery'], givers).value
    },
    routing: {
      enabled: routing.enabled,
      ...(routing.gatewayRef !== undefined && { gatewayRef: routing.gatewayRef }),
      pathTemplate: routing.template.source,
      ...(path.kind === 'path' && { path: path.path })
    }
  }
}
