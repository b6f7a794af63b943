import { objectKey } from '../api/object-meta.ts'
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

/** Records the lookups of the rules. Rules are synchronous, so the evidence belongs to one review at a time. */
export class RecordingWorld {
  readonly world: World
  #configs = new Map<RuntimeConfig, boolean>()
  #claims = new Map<string, HeldPath>()
  #services: StoredService[] = []
  #fields = new Map<string, boolean>()
  #shapes = new Map<string, FieldShape>()

  constructor ({ configs, services, paths, pathPolicy, pendingConfigs, served }: World) {
    const config = (found: RuntimeConfig | undefined): RuntimeConfig | undefined => {
      if (found !== undefined) this.#configs.set(found, pendingConfigs.isRecent(found))
      return found
    }
    this.world = {
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
      services: { users: (configName, namespace) => this.#recordServices(services.users(configName, namespace)) },
      paths: {
        heldBy: (service) => {
          const held = paths.heldBy(service)
          if (held !== undefined) this.#claims.set(objectKey(service), held)
          return held
        },
        holders: (sought) => this.#recordClaims(paths.holders(sought)),
        above: (sought, relatives) => this.#recordClaims(paths.above(sought, relatives)),
        below: (sought, relatives) => this.#recordClaims(paths.below(sought, relatives))
      },
      pathPolicy,
      pendingConfigs,
      served: {
        has: (...path) => {
          const has = served.has(...path)
          this.#fields.set(path.join('.'), has)
          return has
        },
        shapeOf: (path) => {
          const shape = served.shapeOf(path)
          this.#shapes.set(JSON.stringify(path), shape)
          return shape
        }
      }
    }
  }

  /** The evidence since the last call. */
  take (): Evidence {
    const evidence = {
      configs: this.#configs, claims: this.#claims, services: this.#services, fields: this.#fields, shapes: this.#shapes
    }
    this.#configs = new Map()
    this.#claims = new Map()
    this.#services = []
    this.#fields = new Map()
    this.#shapes = new Map()
    return evidence
  }

  * #recordClaims (claims: Iterable<HeldPath>): Generator<HeldPath> {
    for (const claim of claims) {
      this.#claims.set(objectKey(claim.service), claim)
      yield claim
    }
  }

  * #recordServices (services: Iterable<StoredService>): Generator<StoredService> {
    for (const service of services) {
      this.#services.push(service)
      yield service
    }
  }
}
