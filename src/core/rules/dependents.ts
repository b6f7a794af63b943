import type { Steps } from '../../platform/steps.ts'
import { assessPath, resolveConfig, type PathAssessment } from '../settings/assess.ts'
import type { RuntimeConfig } from '../settings/runtime-config.ts'
import type { Service } from '../settings/service.ts'
import type { ConfigLookup, World } from '../world.ts'

/** A configuration that is created, changed, or deleted; `after` is undefined for a deletion. */
export interface ConfigChange {
  readonly config: Pick<RuntimeConfig, 'kind' | 'namespace' | 'name'>
  readonly after: RuntimeConfig | undefined
}

/** A service whose configuration changes. */
export interface Dependent {
  readonly service: Service
  readonly before: PathAssessment
  readonly after: PathAssessment
}

export interface Dependents {
  readonly found: readonly Dependent[]
  /** Whether every service was examined. */
  readonly complete: boolean
}

/** Limit of the services in memory for one review. */
const MAX_DEPENDENTS = 5_000

/** The services that get another configuration, or another version of theirs, by the change; one service a step. */
export function * dependents ({ config, after }: ConfigChange, world: World): Steps<Dependents> {
  const { configs, services } = world
  const changed = withConfig(configs, config, after)
  const namespace = config.kind === 'AIMRuntimeConfig' ? config.namespace : undefined
  const found: Dependent[] = []
  for (const stored of services.users(config.name, namespace)) {
    if (stored.deleting) continue
    if (found.length === MAX_DEPENDENTS || (yield)) return { found, complete: false }
    const ref = { namespace: stored.namespace, name: stored.configName }
    const [old, next] = [resolveConfig(ref, configs), resolveConfig(ref, changed)]
    if (old === next) continue
    const service = stored.parse()
    const assess = (each: RuntimeConfig | undefined): PathAssessment =>
      assessPath({ service, config: each, stored: service }, world)
    found.push({ service, before: assess(old), after: assess(next) })
  }
  return { found, complete: true }
}

/** `configs` with one configuration replaced or removed. */
export function withConfig (
  configs: ConfigLookup, config: ConfigChange['config'], after: RuntimeConfig | undefined
): ConfigLookup {
  const isNamespaced = config.kind === 'AIMRuntimeConfig'
  return {
    namespaced: (namespace, name) =>
      isNamespaced && namespace === config.namespace && name === config.name
        ? after
        : configs.namespaced(namespace, name),
    cluster: (name) => !isNamespaced && name === config.name ? after : configs.cluster(name)
  }
}
