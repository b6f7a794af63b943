import { KINDS } from '../api/kinds.ts'
import { sameJson } from '../platform/json.ts'
import { planRollout, type OwnConfigStatus, type RolloutPlan } from '../core/status/rollout.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import type { Observed } from './observed-objects.ts'
import { configId, configOf, type ReconcileWorld } from './reconcile-world.ts'
import type { RolloutState } from './rollout-state.ts'
import type { Foresight } from './rollouts.ts'
import { situationOf } from './service-snapshot.ts'
import type { WorkResult } from './work-queue.ts'
import type { Clock } from '../platform/clock.ts'

export interface ConfigReconcilerDependencies {
  readonly world: ReconcileWorld
  readonly state: RolloutState
  readonly clock: Clock
  /** How many services a roll-out may break before it halts. */
  readonly failureLimit: number
  /** The status of a service is to say what has been decided about the roll-out. */
  readonly onDecided: (service: string) => void
}

/** How often the plan of one configuration is made anew, and its counters are written, at most; in milliseconds. */
const PLAN_GAP_MS = 100
const WRITE_GAP_MS = 1_000

interface Pace { planned: number, written: number }

/**
 * Reads one configuration and the tally of its services, writes its status where it differs, and lets its roll-out go
 * on.
 */
export class ConfigReconciler {
  readonly #dependencies: ConfigReconcilerDependencies
  readonly #paces = new Map<string, Pace>()

  constructor (dependencies: ConfigReconcilerDependencies) {
    this.#dependencies = dependencies
  }

  async reconcile (id: string): Promise<WorkResult> {
    const { world, clock } = this.#dependencies
    const config = configOf(id, world.configs)
    const observed = config === undefined ? undefined : world.configStatuses[config.kind].get(config)
    if (config === undefined || observed === undefined) return this.#forget(id)
    const pace = this.#paces.get(id) ?? { planned: -Infinity, written: -Infinity }
    const early = pace.planned + PLAN_GAP_MS - clock.now()
    if (early > 0) return { kind: 'again', afterMs: early }
    pace.planned = clock.now()
    this.#paces.set(id, pace)
    const written = await this.#write(config, observed, pace)
    if (written.kind === 'retry' || written.kind === 'unavailable') return written
    this.#goOn(id)
    return written
  }

  #forget (id: string): WorkResult {
    this.#paces.delete(id)
    this.#dependencies.state.rollouts.forget(id)
    return { kind: 'done' }
  }

  /** Before any service is touched, so that whoever leads next knows when the roll-out began. */
  async #write (config: RuntimeConfig, observed: Observed<OwnConfigStatus>, pace: Pace): Promise<WorkResult> {
    const { world, clock } = this.#dependencies
    const { status } = this.#plan(config, observed)
    if (sameJson(status, observed.status)) return { kind: 'done' }
    const wait = pace.written + WRITE_GAP_MS - clock.now()
    if (wait > 0 && sameJson(withoutCounters(status), withoutCounters(observed.status))) { return { kind: 'again', afterMs: wait } }
    const { kind, namespace, name } = config
    const target = {
      kind: KINDS.find((known) => known.kind === kind) ?? KINDS[0],
      key: { namespace, name },
      uid: observed.uid,
      version: observed.version
    }
    const result = await world.writer.applyStatus(target, status)
    pace.written = clock.now()
    switch (result.kind) {
      case 'written':
        world.configStatuses[kind].upsert(result.object)
        return { kind: 'done' }
      case 'gone': return { kind: 'done' }
      case 'outdated': return { kind: 'retry', reason: 'the configuration has changed meanwhile' }
      case 'failed': return { kind: 'retry', reason: result.reason }
      case 'unavailable': return result
    }
  }

  /** Judged anew: services may have landed while the status was being written. */
  #goOn (id: string): void {
    const { world, state, onDecided } = this.#dependencies
    const config = configOf(id, world.configs)
    const observed = config === undefined ? undefined : world.configStatuses[config.kind].get(config)
    if (config === undefined || observed === undefined) return
    const { hash } = config
    const before = state.rollouts.held(id, hash)
    const plan = this.#plan(config, observed)
    const stale = (): Iterable<string> => state.tallies.stale(id, hash)
    for (const service of state.rollouts.release({ config: id, hash, plan, stale: stale(), foresee: (service) => this.#foresee(service) })) {
      state.triggerAdmission(service, 'routine')
    }
    if (plan.held !== undefined && plan.held !== before) for (const service of stale()) onDecided(service)
  }

  #plan (config: RuntimeConfig, { status }: Observed<OwnConfigStatus>): RolloutPlan {
    const { world, state, failureLimit } = this.#dependencies
    const tally = state.tallies.tally(configId(config), config.hash)
    return planRollout({ config, tally, known: status, limit: failureLimit, now: world.now() })
  }

  #foresee (service: string): Foresight {
    const situation = situationOf(service, this.#dependencies.world)
    if (situation === undefined) return { breaks: false, claim: undefined }
    const { fails, degradedSince, assessment: { claim } } = situation
    return {
      breaks: fails && degradedSince === undefined,
      claim: claim === undefined ? undefined : JSON.stringify([claim.gateway, claim.path])
    }
  }
}

function withoutCounters ({ services, ...status }: OwnConfigStatus): object {
  return status
}
