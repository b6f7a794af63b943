import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import { ConfigTallies, type Contribution } from './config-tallies.ts'
import { configId } from './reconcile-world.ts'
import { Rollouts } from './rollouts.ts'
import type { Lane } from './work-queue.ts'

export interface RolloutStateHooks {
  /** The tally of a configuration has changed. */
  readonly onTally: (config: string) => void
  /** Admission is to see a service anew. */
  readonly onReadmit: (service: string, lane: Lane) => void
}

/** What the parts of the reconciler share while this replica leads. */
export class RolloutState {
  readonly tallies = new ConfigTallies()
  readonly rollouts = new Rollouts()
  readonly #hooks: RolloutStateHooks
  readonly #missed = new Set<string>()
  /** Why admission could not be had for a service, in one line. */
  readonly #troubles = new Map<string, string>()

  constructor (hooks: RolloutStateHooks) {
    this.#hooks = hooks
  }

  /** Services whose last change no webhook saw. */
  get missed (): number {
    return this.#missed.size
  }

  /**
   * A service that is gone, or uses another configuration now, is not waited for by the roll-out of the one that it
   * used.
   */
  count (service: string, contribution: Contribution | undefined): void {
    for (const config of this.tallies.update(service, contribution)) {
      if (config !== contribution?.config) this.rollouts.landed(service, config)
      this.#hooks.onTally(config)
    }
  }

  landed (service: string, config: RuntimeConfig | undefined): void {
    this.#troubles.delete(service)
    if (config !== undefined) this.rollouts.landed(service, configId(config))
  }

  /** Answers whether that is news. */
  noteMissed (service: string, isMissed: boolean): boolean {
    const isNews = isMissed && !this.#missed.has(service)
    if (isMissed) this.#missed.add(service)
    else this.#missed.delete(service)
    return isNews
  }

  triggerAdmission (service: string, lane: Lane): void {
    this.#hooks.onReadmit(service, lane)
  }

  troubleOf (service: string): string | undefined {
    return this.#troubles.get(service)
  }

  /** Undefined: admission could be had. Answers whether that is news. */
  noteTrouble (service: string, trouble: string | undefined): boolean {
    const isNews = this.#troubles.get(service) !== trouble
    if (trouble === undefined) this.#troubles.delete(service)
    else this.#troubles.set(service, trouble)
    return isNews
  }
}
