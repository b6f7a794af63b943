import type { Tally } from '../core/status/rollout.ts'
import { sameJson } from '../platform/json.ts'

/** What one service adds to the tally of its configuration. */
export interface Contribution {
  /** See `configId`. */
  readonly config: string
  /** The version of this configuration in its block; empty without a block. */
  readonly hash: string
  readonly failing: boolean
}

interface Counts {
  readonly members: Map<string, Contribution>
  readonly failing: Map<string, Contribution>
  readonly byHash: Map<string, number>
}

/** How far each configuration is rolled out, updated with every service that changes. */
export class ConfigTallies {
  readonly #contributions = new Map<string, Contribution>()
  readonly #counts = new Map<string, Counts>()

  /** Replaces or removes the contribution of a service. Returns the configurations whose tally changed. */
  update (service: string, next: Contribution | undefined): string[] {
    const last = this.#contributions.get(service)
    if (sameJson(last, next)) return []
    if (last !== undefined) this.#subtract(service, last)
    if (next !== undefined) this.#add(service, next)
    return [...new Set([last, next].flatMap((contribution) => contribution?.config ?? []))]
  }

  /** The configuration that a service uses, as of its last update. */
  configOf (service: string): string | undefined {
    return this.#contributions.get(service)?.config
  }

  /** Whether the service uses the configuration, with another version than this in its block. */
  isStale (service: string, config: string, hash: string): boolean {
    const known = this.#contributions.get(service)
    return known?.config === config && known.hash !== hash
  }

  /** `hash`: the current version of the configuration. */
  tally (config: string, hash: string): Tally {
    const { members, failing, byHash } = this.#counts.get(config) ?? NO_COUNTS
    const failingCurrent = new Set<string>()
    for (const [service, contribution] of failing) if (contribution.hash === hash) failingCurrent.add(service)
    return { total: members.size, current: byHash.get(hash) ?? 0, failing: failing.size, failingCurrent }
  }

  /** The services with another version in their block, in the order of their first update. */
  * stale (config: string, hash: string): Generator<string> {
    for (const [service, contribution] of (this.#counts.get(config) ?? NO_COUNTS).members) {
      if (contribution.hash !== hash) yield service
    }
  }

  #add (service: string, contribution: Contribution): void {
    const counts = this.#counts.get(contribution.config) ?? newCounts()
    this.#contributions.set(service, contribution)
    this.#counts.set(contribution.config, counts)
    counts.members.set(service, contribution)
    if (contribution.failing) counts.failing.set(service, contribution)
    counts.byHash.set(contribution.hash, (counts.byHash.get(contribution.hash) ?? 0) + 1)
  }

  #subtract (service: string, { config, hash }: Contribution): void {
    const counts = this.#counts.get(config)
    this.#contributions.delete(service)
    if (counts === undefined) return
    counts.members.delete(service)
    counts.failing.delete(service)
    const left = (counts.byHash.get(hash) ?? 0) - 1
    if (left > 0) counts.byHash.set(hash, left)
    else counts.byHash.delete(hash)
    if (counts.members.size === 0) this.#counts.delete(config)
  }
}

function newCounts (): Counts {
  return { members: new Map(), failing: new Map(), byHash: new Map() }
}

const NO_COUNTS = newCounts()
