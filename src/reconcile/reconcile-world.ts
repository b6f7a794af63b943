import { AIM_CLUSTER_RUNTIME_CONFIG, AIM_RUNTIME_CONFIG } from '../api/kinds.ts'
import type { RuntimeConfigKind } from '../api/runtime-config.ts'
import type { ConfigIndex } from '../cache/config-index.ts'
import type { EventSink, ObjectKey, ObjectWriter } from '../core/ports.ts'
import type { OwnConfigStatus } from '../core/status/rollout.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import type { ServiceIndex } from '../cache/service-index.ts'
import type { OwnServiceStatus } from '../core/status/service.ts'
import type { ObservedObjects } from './observed-objects.ts'

/** What is known of the cluster, warm on every replica, and the ways to change it, which only the leader uses. */
export interface ReconcileWorld {
  readonly configs: ConfigIndex
  readonly services: ServiceIndex
  readonly serviceStatuses: ObservedObjects<OwnServiceStatus>
  readonly configStatuses: Readonly<Record<RuntimeConfigKind, ObservedObjects<OwnConfigStatus>>>
  readonly writer: ObjectWriter
  readonly events: EventSink
  /** RFC 3339 in whole seconds, for conditions. */
  readonly now: () => string
}

/** A service in queues and maps: `namespace/name`. */
export function serviceId ({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`
}

export function serviceKey (id: string): ObjectKey {
  const slash = id.indexOf('/')
  return { namespace: id.slice(0, slash), name: id.slice(slash + 1) }
}

/**
 * A configuration in queues and maps: `AIMRuntimeConfig/namespace/name`, with an empty namespace for a cluster
 * configuration.
 */
export function configId ({ kind, namespace, name }: Pick<RuntimeConfig, 'kind' | 'namespace' | 'name'>): string {
  return `${kind}/${namespace}/${name}`
}

export function configOf (id: string, configs: ConfigIndex): RuntimeConfig | undefined {
  const [kind, namespace = '', name = ''] = id.split('/')
  if (kind === AIM_RUNTIME_CONFIG.kind) return configs.namespaced(namespace, name)
  return kind === AIM_CLUSTER_RUNTIME_CONFIG.kind ? configs.cluster(name) : undefined
}
