import type { HeldPath, PathClaim, PathIndex, World } from '../core/world.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import type { StoredService } from '../core/settings/service.ts'

/** What the rules were told while they judged one review: all that the answer depends on besides the review. */
export interface Evidence {
  /** Those that were looked up and are there, and whether each had just come. */
  readonly configs: ReadonlyMap<RuntimeConfig, boolean>
  /** Claims of other services, by the service. */
  readonly claims: ReadonlyMap<string, HeldPath>
  /** Services that use a configuration, in the order in which they were told of. */
  readonly services: readonly StoredService[]
}

interface Notes extends Evidence {
  readonly configs: Map<RuntimeConfig, boolean>
  readonly claims: Map<string, HeldPath>
  readonly services: StoredService[]
}

/**
 * Stands between the rules and their world, and notes what the rules are told. Deciding is synchronous, so the notes
 * are of one review at a time.
 */
export class RecordingWorld {
  readonly world: World
  #notes = emptyNotes()

  constructor (world: World) {
    const { configs, services, paths, pendingConfigs } = world
    const noted = (config: RuntimeConfig | undefined): RuntimeConfig | undefined => {
      if (config !== undefined) this.#notes.configs.set(config, pendingConfigs.isRecent(config))
      return config
    }
    this.world = {
      configs: {
        namespaced: (namespace, name) => {
          noted(configs.cluster(name)) // another version may let it win
          return noted(configs.namespaced(namespace, name))
        },
        cluster: (name) => noted(configs.cluster(name))
      },
      services: { users: (configName, namespace) => this.#noteServices(services.users(configName, namespace)) },
      paths: this.#notingPaths(paths),
      pendingConfigs
    }
  }

  /** What was noted since it was asked for last. */
  take (): Evidence {
    const notes = this.#notes
    this.#notes = emptyNotes()
    return notes
  }

  * #noteServices (services: Iterable<StoredService>): Generator<StoredService> {
    for (const service of services) {
      this.#notes.services.push(service)
      yield service
    }
  }

  #notingPaths (paths: PathIndex): PathIndex {
    const noted = <T extends PathClaim | undefined>(claim: T): T => {
      if (claim !== undefined) { this.#notes.claims.set(`${claim.service.namespace}/${claim.service.name}`, { since: '', ...claim }) }
      return claim
    }
    return {
      holders: (claim) => paths.holders(claim).map(noted),
      covered: (claim) => noted(paths.covered(claim)),
      covering: (claim) => noted(paths.covering(claim))
    }
  }
}

function emptyNotes (): Notes {
  return { configs: new Map(), claims: new Map(), services: [] }
}
