import type { RolloutPlan } from '../core/status/rollout.ts'

/** What is expected of a service once it carries the present version of its configuration. */
export interface Foresight {
  /** It is well, and will fail. */
  readonly breaks: boolean
  /** The path that it will hold: gateway and path in one text; undefined where it holds none. */
  readonly claim: string | undefined
}

interface Rollout {
  readonly hash: string
  /** Services that may be touched and have not been seen with the present version yet. */
  readonly released: Map<string, Foresight>
  held: string | undefined
}

/**
 * Which services may be touched by the roll-out of which configuration. A permission ends with the version that it was
 * given for.
 */
export class Rollouts {
  readonly #rollouts = new Map<string, Rollout>()

  /** Why no service of the configuration is touched; undefined where some are, or where that is not decided yet. */
  held (config: string, hash: string): string | undefined {
    return this.#of(config, hash)?.held
  }

  permits (service: string, config: string, hash: string): boolean {
    return this.#of(config, hash)?.released.has(service) === true
  }

  /** The service carries the present version, or is gone. */
  landed (service: string, config: string): void {
    this.#rollouts.get(config)?.released.delete(service)
  }

  forget (config: string): void {
    this.#rollouts.delete(config)
  }

  /**
   * Releases as many of the services as the plan allows, in their order. The first that would break one too many ends
   * it, until those before it have been seen: so no more are broken than the limit says, however many are on their way
   * at once.
   */
  release ({ config, hash, plan, stale, foresee }: ReleaseInput): string[] {
    const rollout = this.#of(config, hash) ?? { hash, released: new Map<string, Foresight>(), held: undefined }
    this.#rollouts.set(config, rollout)
    rollout.held = plan.held
    if (plan.held !== undefined) rollout.released.clear()
    const budget = new Budget(plan, rollout.released.values())
    const released: string[] = []
    for (const service of stale) {
      if (budget.isSpent) break
      if (rollout.released.has(service)) continue
      const foresight = budget.spend(foresee(service))
      if (foresight === undefined) break
      rollout.released.set(service, foresight)
      released.push(service)
    }
    return released
  }

  #of (config: string, hash: string): Rollout | undefined {
    const rollout = this.#rollouts.get(config)
    return rollout?.hash === hash ? rollout : undefined
  }
}

/** How many more services may be touched, and how many of those may break. */
class Budget {
  readonly #claims = new Set<string>()
  #quota: number
  #breakable: number

  constructor ({ quota, breakable }: RolloutPlan, underWay: Iterable<Foresight>) {
    this.#quota = quota
    this.#breakable = breakable
    for (const foresight of underWay) this.#take(foresight)
  }

  get isSpent (): boolean {
    return this.#quota <= 0
  }

  /**
   * Answers with what is to be expected of the service after those before it, of which one may take its path; undefined
   * where it may not be touched.
   */
  spend ({ breaks, claim }: Foresight): Foresight | undefined {
    const foresight = { claim, breaks: breaks || (claim !== undefined && this.#claims.has(claim)) }
    if (foresight.breaks && this.#breakable <= 0) return undefined
    this.#take(foresight)
    return foresight
  }

  #take ({ breaks, claim }: Foresight): void {
    this.#quota--
    if (breaks) this.#breakable--
    if (claim !== undefined) this.#claims.add(claim)
  }
}

export interface ReleaseInput {
  readonly config: string
  readonly hash: string
  readonly plan: RolloutPlan
  readonly stale: Iterable<string>
  readonly foresee: (service: string) => Foresight
}
