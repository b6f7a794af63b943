import type { RolloutPlan } from '../core/status/rollout.ts'

/** The expected state of a service with the current version of its configuration. */
export interface Forecast {
  /** It is healthy now, and will fail. */
  readonly breaks: boolean
  /** The path that it will hold, as gateway and path in one text; undefined if it will hold none. */
  readonly claim: string | undefined
}

interface Rollout {
  readonly hash: string
  /** Services that were released and do not have the current version yet. */
  readonly released: Map<string, Forecast>
  heldReason: string | undefined
}

export interface ReleaseInput {
  readonly config: string
  readonly hash: string
  readonly plan: RolloutPlan
  readonly stale: Iterable<string>
  readonly forecast: (service: string) => Forecast
  /** Whether admission of a released service fails at present. */
  readonly isStuck: (service: string) => boolean
}

/** Which services each rollout may change. A release ends with the version it was made for. */
export class Rollouts {
  readonly #rollouts = new Map<string, Rollout>()

  /** Why the rollout changes no service; undefined if it does, or if no plan was made yet. */
  heldReason (config: string, hash: string): string | undefined {
    return this.#of(config, hash)?.heldReason
  }

  isReleased (service: string, config: string, hash: string): boolean {
    return this.#of(config, hash)?.released.has(service) === true
  }

  /** Whether the service is released for any version. */
  isReleasing (service: string, config: string): boolean {
    return this.#rollouts.get(config)?.released.has(service) === true
  }

  /** The service has the current version, was deleted, or uses another configuration. */
  finished (service: string, config: string): void {
    this.#rollouts.get(config)?.released.delete(service)
  }

  forget (config: string): void {
    this.#rollouts.delete(config)
  }

  /**
   * Releases services in order, as the plan allows. The first one that would break too many ends the release until
   * those before it have finished. A rollout never breaks more than its limit, however many are in flight. It goes past
   * services whose admission fails.
   */
  release ({ config, hash, plan, stale, forecast, isStuck }: ReleaseInput): string[] {
    const rollout = this.#of(config, hash) ?? { hash, released: new Map<string, Forecast>(), heldReason: undefined }
    this.#rollouts.set(config, rollout)
    rollout.heldReason = plan.heldReason
    if (plan.heldReason !== undefined) rollout.released.clear()
    const budget = new Budget(plan)
    for (const [service, expected] of rollout.released) budget.reserve(expected, { isStuck: isStuck(service) })
    const released: string[] = []
    for (const service of stale) {
      if (budget.isSpent) break
      if (rollout.released.has(service)) continue
      const expected = budget.tryReserve(forecast(service))
      if (expected !== undefined) {
        rollout.released.set(service, expected)
        released.push(service)
      } else if (!budget.hasStuck) break
    }
    return released
  }

  #of (config: string, hash: string): Rollout | undefined {
    const rollout = this.#rollouts.get(config)
    return rollout?.hash === hash ? rollout : undefined
  }
}

/** How many more services may be changed, and how many of those may break. */
class Budget {
  readonly #claims = new Set<string>()
  #quota: number
  #breakable: number
  /** Then the services that break may never finish, so later services may be released. */
  hasStuck = false

  constructor ({ quota, breakable }: RolloutPlan) {
    this.#quota = quota
    this.#breakable = breakable
  }

  get isSpent (): boolean {
    return this.#quota <= 0
  }

  /** The forecast after the services before it, one of which may take its path; undefined if it may not be changed. */
  tryReserve ({ breaks, claim }: Forecast): Forecast | undefined {
    const forecast = { claim, breaks: breaks || (claim !== undefined && this.#claims.has(claim)) }
    if (forecast.breaks && this.#breakable <= 0) return undefined
    this.reserve(forecast, { isStuck: false })
    return forecast
  }

  /** A stuck service may still finish and break, but another one may be released in its place. */
  reserve ({ breaks, claim }: Forecast, { isStuck }: { readonly isStuck: boolean }): void {
    this.hasStuck ||= isStuck
    if (!isStuck) this.#quota--
    if (breaks) this.#breakable--
    if (claim !== undefined) this.#claims.add(claim)
  }
}
