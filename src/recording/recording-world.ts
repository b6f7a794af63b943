import { keyText } from '../api/object-meta.ts'
import type { FieldShape } from '../core/ports.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import type { StoredService } from '../core/settings/service.ts'
import type { HeldPath, World } from '../core/world.ts'

/** Everything besides the request that the response to one review depends on. */
export interface Evidence {
  /** The configurations that were found, and whether each was recent. */
  readonly configs: ReadonlyMap<RuntimeConfig, boolean>
  /** Claims of other services, by service. */
  readonly claims: ReadonlyMap<string, HeldPath>
  /** Users of a configuration, in the order of the lookup. */
  readonly services: readonly StoredService[]
  /** Whether the definition of AIMService has a field, by its path. */
  readonly fields: ReadonlyMap<string, boolean>
  /** What values it allows, by its path as JSON. */
  readonly shapes: ReadonlyMap<string, FieldShape>
}

/** A world for one review, and the evidence that grows with each lookup in it. */
export function recordingWorld (
  { configs, services, paths, pathPolicy, pendingConfigs, served }: World
): { readonly world: World, readonly evidence: Evidence } {
  const evidence = {
    configs: new Map<RuntimeConfig, boolean>(),
    claims: new Map<string, HeldPath>(),
    services: new Array<StoredService>(),
    fields: new Map<string, boolean>(),
    shapes: new Map<string, FieldShape>()
  }
  const config = (found: RuntimeConfig | undefined): RuntimeConfig | undefined => {
    if (found !== undefined) evidence.configs.set(found, pendingConfigs.isRecent(found))
    return found
  }
  const claims = function * (found: Iterable<HeldPath>): Generator<HeldPath> {
    for (const claim of found) {
      evidence.claims.set(keyText(claim.service), claim)
      yield claim
    }
  }
  const users = function * (found: Iterable<StoredService>): Generator<StoredService> {
    for (const service of found) {
      evidence.services.push(service)
      yield service
    }
  }
  const world: World = {
    configs: {
      namespaced: (namespace, name) => {
        config(configs.cluster(name)) // another version may give it precedence
        return config(configs.namespaced(namespace, name))
      },
      cluster: (name) => config(configs.cluster(name)),
      similar: (key) => {
        const name = configs.similar(key)
        if (name !== undefined) config(configs.namespaced(key.namespace, name) ?? configs.cluster(name))
        return name
      }
    },
    services: { users: (configName, namespace) => users(services.users(configName, namespace)) },
    paths: {
      heldBy: (service) => {
        const held = paths.heldBy(service)
        if (held !== undefined) evidence.claims.set(keyText(service), held)
        return held
      },
      holders: (sought) => claims(paths.holders(sought)),
      above: (sought, scope) => claims(paths.above(sought, scope)),
      below: (sought, scope) => claims(paths.below(sought, scope))
    },
    pathPolicy,
    pendingConfigs,
    served: {
      has: (...path) => {
        const has = served.has(...path)
        evidence.fields.set(path.join('.'), has)
        return has
      },
      shapeOf: (path) => {
        const shape = served.shapeOf(path)
        evidence.shapes.set(JSON.stringify(path), shape)
        return shape
      }
    }
  }
  return { world, evidence }
}
