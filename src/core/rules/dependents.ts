import type { Steps } from '../../platform/steps.ts'
import { assessPath, resolveConfig, type PathAssessment } from '../settings/assess.ts'
import type { RuntimeConfig, UsedConfig } from '../settings/runtime-config.ts'
import type { Service, StoredService } from '../settings/service.ts'
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
  /** Services whose objects are too large for the cache, so that the effect on them is unknown. */
  readonly unexamined: readonly StoredService[]
  /** Whether every service was examined. */
  readonly complete: boolean
}

/** Limit of the services in memory for one review. */
const MAX_DEPENDENTS = 5_000

/** The services that get another configuration, or another version of theirs, by the change; one service a step. */
export function * dependents (change: ConfigChange, world: World): Steps<Dependents> {
  const found: Dependent[] = []
  const unexamined: StoredService[] = []
  const complete = yield * eachUser(change, world, ({ stored, old, next }) => {
    const service = stored.parse()
    if (service === undefined) {
      unexamined.push(stored)
      return
    }
    const assess = (config: UsedConfig | undefined): PathAssessment =>
      assessPath({ service, config, stored: service }, world)
    found.push({ service, before: assess(old), after: assess(next) })
  })
  return { found, unexamined, complete }
}

/** A service before and after a change of configurations. */
export interface ConfigUser {
  readonly stored: StoredService
  readonly old: UsedConfig | undefined
  readonly next: UsedConfig | undefined
}

/** Visits the services that the change gives another configuration, without parsing them. Returns whether all were. */
export function * eachUser (
  { config, after }: ConfigChange, { configs, services, pathPolicy }: World, visit: (user: ConfigUser) => void
): Steps<boolean> {
  const changed = withConfig(configs, config, after)
  const namespace = config.kind === 'AIMRuntimeConfig' ? config.namespace : undefined
  let count = 0
  for (const stored of services.users(config.name, namespace)) {
    if (stored.deleting) continue
    if (count === MAX_DEPENDENTS || (yield)) return false
    const ref = { namespace: stored.namespace, name: stored.configName }
    const [old, next] = [configs, changed].map((known) => resolveConfig(ref, { configs: known, pathPolicy }))
    if (old === next) continue
    count++
    visit({ stored, old, next })
  }
  return true
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
    cluster: (name) => !isNamespaced && name === config.name ? after : configs.cluster(name),
    similar: (key) => configs.similar(key)
  }
}
