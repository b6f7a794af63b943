import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import { contestEvents } from '../core/status/conditions.ts'
import { planRollout, type OwnConfigStatus, type RolloutPlan } from '../core/status/rollout.ts'
import type { Clock } from '../platform/clock.ts'
import { sameJson } from '../platform/json.ts'
import { DONE, type Enqueue, type Reconciled } from './reconciled.ts'
import type { RolloutState } from './rollout-state.ts'
import type { Forecast } from './rollouts.ts'
import { snapshotOf } from './service-snapshot.ts'
import { withoutCounters } from './status-brake.ts'
import type { StatusWriter } from './status-writer.ts'
import type { WorkResult } from './work-queue.ts'
import { configOf, type Observed, type ReconcileWorld } from './world.ts'

export interface ConfigReconcilerDependencies {
  readonly world: ReconcileWorld
  readonly state: RolloutState
  readonly clock: Clock
  readonly statuses: StatusWriter
  /** How many services a rollout may break before it halts. */
  readonly failureLimit: number
}

/** Per configuration, in milliseconds: the shortest time between two plans, and between two writes of its counters. */
const PLAN_GAP_MS = 100
const WRITE_GAP_MS = 1_000

/** When a configuration was last planned and written. */
interface Pace { planned: number, written: number }

interface ConfigSnapshot {
  readonly id: string
  readonly config: RuntimeConfig
  readonly observed: Observed<OwnConfigStatus>
}

/** Writes the status of configurations, and releases the services that their rollouts may change. */
export class ConfigReconciler {
  readonly #dependencies: ConfigReconcilerDependencies
  readonly #paces = new Map<string, Pace>()

  constructor (dependencies: ConfigReconcilerDependencies) { this.#dependencies = dependencies }

  /** Writes before it releases, so that the next leader knows when the rollout began. */
  async reconcile (id: string): Promise<Reconciled> {
    const { state, clock } = this.#dependencies
    const before = this.#snapshot(id)
    if (before === undefined) {
      this.#paces.delete(id)
      state.rollouts.forget(id)
      this.#dependencies.statuses.forget(id)
      return { result: DONE, enqueue: [] }
    }
    const pace = this.#paces.get(id) ?? { planned: -Infinity, written: -Infinity }
    const early = pace.planned + PLAN_GAP_MS - clock.now()
    if (early > 0) return { result: { kind: 'again', afterMs: early }, enqueue: [] }
    pace.planned = clock.now()
    this.#paces.set(id, pace)
    const result = await this.#write(before, pace)
    if (result.kind === 'retry' || result.kind === 'unavailable') return { result, enqueue: [] }
    const after = this.#snapshot(id) // services may have finished during the write
    return { result, enqueue: after === undefined ? [] : this.#release(after) }
  }

  #snapshot (id: string): ConfigSnapshot | undefined {
    const { configs, configStatuses } = this.#dependencies.world
    const config = configOf(id, configs)
    const observed = config && configStatuses[config.kind].get(config)
    return config && observed && { id, config, observed }
  }

  #plan ({ id, config, observed }: ConfigSnapshot): RolloutPlan {
    const { world, state, failureLimit } = this.#dependencies
    const tally = state.tallies.tally(id, config.hash)
    const isChanged = (service: string): boolean => state.changedServices.has(service, id, config.hash)
    return planRollout({ config, tally, isChanged, known: observed.status, limit: failureLimit, now: world.now() })
  }

  async #write (snapshot: ConfigSnapshot, pace: Pace): Promise<WorkResult> {
    const { world, clock, statuses } = this.#dependencies
    const { id, config: { kind, namespace, name }, observed } = snapshot
    return await statuses.write({
      id,
      object: { kind, namespace, name },
      observed,
      wanted: this.#plan(snapshot).status,
      delay: (status) => {
        const isCounting = sameJson(withoutCounters(status), withoutCounters(observed.status))
        const wait = isCounting ? pace.written + WRITE_GAP_MS - clock.now() : 0
        if (wait <= 0) pace.written = clock.now()
        return wait
      },
      onWritten: (object) => { world.configStatuses[kind].upsert(object) },
      eventsOf: contestEvents
    })
  }

  #release (snapshot: ConfigSnapshot): Enqueue[] {
    const { tallies, rollouts, admissionErrors } = this.#dependencies.state
    const { id, config: { hash } } = snapshot
    const previously = rollouts.heldReason(id, hash)
    const plan = this.#plan(snapshot)
    const stale = tallies.stale(id, hash)
    const released = rollouts.release({
      config: id,
      hash,
      plan,
      stale,
      forecast: (service) => this.#forecast(service),
      isStuck: (service) => admissionErrors.has(service)
    })
    if (plan.heldReason !== undefined && plan.heldReason !== previously) {
      // the status of each waiting service reports the reason
      return Array.from(tallies.stale(id, hash), (key) => ({ queue: 'status', key, priority: 'low' }))
    }
    return released.map((key) => ({ queue: 'rollforward', key, priority: 'low' }))
  }

  #forecast (service: string): Forecast {
    const { world, state } = this.#dependencies
    const snapshot = snapshotOf(service, world)
    if (snapshot === undefined) return { breaks: false, claim: undefined }
    const { fails, assessment: { claim } } = snapshot
    return {
      breaks: fails && state.changedServices.isHealthy(snapshot),
      claim: claim && JSON.stringify([claim.gateway, claim.path])
    }
  }
}
