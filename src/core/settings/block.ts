import type { ResolvedRuntimeConfig } from '../../api/aim-service.ts'
import type { LocalObjectReference } from '../../api/runtime-config.ts'
import type { RuntimeConfig } from './runtime-config.ts'
import type { EffectiveRouting, ServicePath } from './service-path.ts'
import type { Service } from './service.ts'

/** What the block is made of; see `assessService`. */
export interface BlockSource {
  readonly service: Service
  readonly config: RuntimeConfig
  readonly routing: EffectiveRouting
  readonly path: ServicePath
}

/**
 * `spec.resolvedRuntimeConfig`: a pure function of the service without the block and its configuration. Unset fields
 * are left out.
 */
export function resolvedBlock ({ service, config, routing, path }: BlockSource): ResolvedRuntimeConfig {
  const serviceAccountName = service.serviceAccountName ?? config.serviceAccountName
  const imagePullSecrets = pullSecrets(service, config)
  return {
    kind: config.kind,
    scope: config.scope,
    ...(config.scope === 'Namespace' && { namespace: config.namespace }),
    name: config.name,
    hash: config.hash,
    ...(config.defaultStorageClassName !== undefined && { defaultStorageClassName: config.defaultStorageClassName }),
    ...(serviceAccountName !== undefined && { serviceAccountName }),
    ...(imagePullSecrets.length > 0 && { imagePullSecrets }),
    model: config.model,
    routing: {
      enabled: routing.enabled,
      ...(routing.gatewayRef !== undefined && { gatewayRef: routing.gatewayRef }),
      pathTemplate: routing.template.source,
      ...(path.kind === 'path' && { path: path.path })
    }
  }
}

/** The service's own first, then the configuration's, one entry a name. */
function pullSecrets (service: Service, config: RuntimeConfig): LocalObjectReference[] {
  if (service.imagePullSecrets.length === 0) return [...config.imagePullSecrets]
  const names = new Set([...service.imagePullSecrets, ...config.imagePullSecrets].map(({ name }) => name))
  return Array.from(names, (name) => ({ name }))
}
