import { sameJson } from '../platform/json.ts'
import type { Tally } from '../core/status/rollout.ts'

/** What one service adds to the tally of the configuration that it uses. */
export interface Contribution {
  /** See `configId`. */
  readonly config: string
  /** Of the version of this configuration that it carries; empty where it carries none. */
  readonly hash: string
  readonly failing: boolean
  /** Since when the service is known to fail, RFC 3339; empty where that is not written yet, or it does not fail. */
  readonly failingSince: string
}

interface Counts {
  readonly members: Map<string, Contribution>
  readonly failing: Map<string, Contribution>
  readonly byHash: Map<string, number>
}

/**
 * How far each configuration has been carried: counted up and down with every service that changes, never counted anew.
 */
export class ConfigTallies {
  readonly #contributions = new Map<string, Contribution>()
  readonly #counts = new Map<string, Counts>()

  /** Replaces what a service adds, or takes it away. Answers with the configurations whose tally has changed by it. */
  update (service: string, next: Contribution | undefined): string[] {
    const last = this.#contributions.get(service)
    if (sameJson(last, next)) return []
    if (last !== undefined) this.#subtract(service, last)
    if (next !== undefined) this.#add(service, next)
    return [...new Set([last, next].flatMap((contribution) => contribution?.config ?? []))]
  }

  /** Of a configuration whose present hash is this one. */
  tally (config: string, hash: string): Tally {
    const { members, failing, byHash } = this.#counts.get(config) ?? NONE
    const failingCurrent = new Map<string, string>()
    for (const [service, contribution] of failing) { if (contribution.hash === hash) failingCurrent.set(service, contribution.failingSince) }
    return { total: members.size, current: byHash.get(hash) ?? 0, failing: failing.size, failingCurrent }
  }

  /** The services that carry another version, in the order in which they came. */
  * stale (config: string, hash: string): Generator<string> {
    for (const [service, contribution] of (this.#counts.get(config) ?? NONE).members) {
      if (contribution.hash !== hash) yield service
    }
  }

  #add (service: string, contribution: Contribution): void {
    const counts = this.#counts.get(contribution.config) ?? noCounts()
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

function noCounts (): Counts {
  return { members: new Map(), failing: new Map(), byHash: new Map() }
}

const NONE = noCounts()
