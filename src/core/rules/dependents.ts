import { assessService, type Assessment } from '../settings/assess.ts'
import type { ConfigLookup, World } from '../ports.ts'
import type { RuntimeConfig } from '../settings/runtime-config.ts'
import type { Service } from '../settings/service.ts'

/** A configuration that comes, changes or goes: the one in force is replaced by `after`, or by nothing. */
export interface ConfigChange {
  readonly config: Pick<RuntimeConfig, 'kind' | 'namespace' | 'name'>
  readonly after: RuntimeConfig | undefined
}

/** One service that uses the configuration, or would. */
export interface Dependent { readonly service: Service, readonly before: Assessment, readonly after: Assessment }

/** Most services that one review looks at, so that a change of a widely used configuration cannot hold others up. */
export const MAX_DEPENDENTS = 5_000

/**
 * The services whose configuration is another, or another version, after the change. A cluster configuration does not
 * reach those that have their own.
 */
export function dependents ({ config, after }: ConfigChange, { configs, services }: Pick<World, 'configs' | 'services'>, limit = MAX_DEPENDENTS): Dependent[] {
  const changed = withConfig(configs, config, after)
  const namespace = config.kind === 'AIMRuntimeConfig' ? config.namespace : undefined
  const found: Dependent[] = []
  for (const service of services.users(config.name, namespace)) {
    if (service.deleting) continue
    if (found.length === limit) break
    const dependent = { service, before: assessService(service, configs), after: assessService(service, changed) }
    if (dependent.before.config !== dependent.after.config) found.push(dependent)
  }
  return found
}

/** The same configurations but for one. */
export function withConfig (configs: ConfigLookup, config: ConfigChange['config'], after: RuntimeConfig | undefined): ConfigLookup {
  const isNamespaced = config.kind === 'AIMRuntimeConfig'
  return {
    namespaced: (namespace, name) =>
      isNamespaced && namespace === config.namespace && name === config.name
        ? after
        : configs.namespaced(namespace, name),
    cluster: (name) => !isNamespaced && name === config.name ? after : configs.cluster(name)
  }
}
