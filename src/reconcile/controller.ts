import { keyText } from '../api/object-meta.ts'
import type { Log } from '../core/ports.ts'
import type { PathWorld } from '../core/settings/assess.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import { rivals } from '../core/settings/service-path.ts'
import type { HeldPath } from '../core/world.ts'
import type { Tally } from '../core/status/rollout.ts'
import type { Clock } from '../platform/clock.ts'
import { errorMessage } from '../platform/error-message.ts'
import { AdaptiveLimit, measuredWriter } from './adaptive-limit.ts'
import { ConfigReconciler } from './config-reconciler.ts'
import type { QueueName, Reconciled } from './reconciled.ts'
import { rollForward } from './roll-forward.ts'
import { RolloutState } from './rollout-state.ts'
import { reconcileService } from './service-reconciler.ts'
import { StatusBrake } from './status-brake.ts'
import { StatusWriter } from './status-writer.ts'
import type { Changes, ServiceChange } from './watched-sinks.ts'
import { WorkQueue, type WorkQueueObserver } from './work-queue.ts'
import { configId, configOf, isConfigId, namespaceOf, type ConfigKey, type ReconcileWorld } from './world.ts'

/** How fast configurations are rolled out to their services, and when that halts. */
export interface RolloutLimits {
  /** Admissions triggered per second, at most. */
  readonly rate: number
  /** Services and configurations processed at a time, at most: see `AdaptiveLimit`. */
  readonly concurrency: number
  /** How many healthy services a rollout may break. */
  readonly failureLimit: number
}

export interface ControllerOptions {
  readonly world: ReconcileWorld
  readonly limits: RolloutLimits
  readonly clock: Clock
  readonly log: Log
  /** From 0 to 1, as Math.random. */
  readonly random: () => number
  readonly observers: Readonly<Record<QueueName, WorkQueueObserver>>
  /** Called for each write of a status that another field manager changed. */
  readonly onContest?: (manager: string) => void
  /** Called for each part of a status that is given up to another field manager. */
  readonly onGivenUp?: (manager: string) => void
}

/** A few milliseconds. */
const COUNTED_AT_A_TIME = 50

/**
 * The reconciler of one term of leadership. A change of an object becomes a key in a queue. The work on a key takes a
 * snapshot, decides, writes at most once, and returns the keys to enqueue next.
 */
export class Controller implements Changes {
  readonly #world: ReconcileWorld
  readonly #log: Log
  readonly #state = new RolloutState()
  readonly #brake: StatusBrake
  readonly #statuses: StatusWriter
  readonly queues: Readonly<Record<QueueName, WorkQueue>>
  readonly limit: AdaptiveLimit

  constructor ({ world: unmeasured, limits, clock, log, random, observers, onContest, onGivenUp }: ControllerOptions) {
    const limit = this.limit = new AdaptiveLimit({ clock, max: limits.concurrency })
    const world = this.#world = { ...unmeasured, writer: measuredWriter(unmeasured.writer, limit, clock) }
    this.#log = log
    const state = this.#state
    this.#brake = new StatusBrake(clock, onContest)
    const statuses = this.#statuses = new StatusWriter({ world, brake: this.#brake, log, onGivenUp })
    const configs = new ConfigReconciler({ world, state, clock, statuses, failureLimit: limits.failureLimit })
    const queue = (
      name: QueueName, perSecond: number, reconcile: (key: string) => Promise<Reconciled>
    ): WorkQueue => {
      const work = async (key: string): Promise<Reconciled['result']> => {
        const { result, enqueue } = await reconcile(key)
        for (const next of enqueue) this.queues[next.queue].add(next.key, next.priority)
        return result
      }
      return new WorkQueue({ name, limit, perSecond, work, namespaceOf, clock, random, log, observer: observers[name] })
    }
    this.queues = {
      status: queue('status', Infinity, async (id) =>
        isConfigId(id) ? await configs.reconcile(id) : await reconcileService(id, { world, state, statuses })
      ),
      rollforward: queue('rollforward', limits.rate, async (id) => await rollForward(id, { world, state }))
    }
  }

  /** The number of services whose last change no webhook saw, and that are not corrected yet. */
  get unobserved (): number {
    return this.#state.unobserved.size
  }

  /** How far a configuration is rolled out. */
  tally (config: RuntimeConfig): Tally {
    return this.#state.tallies.tally(configId(config), config.hash)
  }

  /**
   * Reconciles every object once, because this replica does not know the state of its predecessor. No work starts
   * before every service is counted: a rollout without them would be complete, and its halt over.
   */
  start (): void {
    for (const service of this.#world.services.all()) this.serviceChanged(keyText(service), 'block')
    for (const config of this.#world.configs.all()) this.queues.status.add(configId(config), 'low')
    this.#count(Array.from(this.#world.services.all(), keyText))
  }

  /** Services and statuses may have to be written in another form. */
  definitionsChanged (): void {
    this.#state.admissionErrors.clear()
    this.#brake.forgetRefusals()
    for (const service of this.#world.services.all()) this.queues.status.add(keyText(service), 'low')
    for (const config of this.#world.configs.all()) this.queues.status.add(configId(config), 'low')
  }

  /** In slices, because this process may serve reviews as well. */
  #count (services: readonly string[], from = 0): void {
    const to = from + COUNTED_AT_A_TIME
    for (const service of services.slice(from, to)) {
      try {
        this.#state.countFromCache(service, this.#world)
      } catch (error) {
        this.#log.error({ service, reason: errorMessage(error) }, 'failed to count service because of a defect')
      }
    }
    if (to < services.length) setImmediate(() => { this.#count(services, to) })
    else for (const queue of Object.values(this.queues)) queue.start()
  }

  /** Once settled, no write is in flight. */
  async stop (): Promise<void> {
    await Promise.all([this.queues.status.stop(), this.queues.rollforward.stop()])
  }

  /**
   * Edits of users have priority over changes made by a rollout. A status that changes while it is written needs no
   * work of its own: the write looks at what is stored afterwards.
   */
  serviceChanged (id: string, change: ServiceChange): void {
    if (change === 'status' && this.#statuses.isWriting(id)) return
    const { tallies, rollouts } = this.#state
    const config = tallies.configOf(id)
    const isRollingOut = config !== undefined && rollouts.isReleasing(id, config)
    this.queues.status.add(id, change === 'object' && !isRollingOut ? 'high' : 'low')
  }

  /** Replicas may have given overlapping paths to two services at the same moment. */
  pathAcquired (claim: HeldPath): void {
    const { services, pathPolicy } = this.#world
    this.#reconcileRivals(claim, { paths: services.paths, pathPolicy })
  }

  /** Services that wait for the path can have it now. */
  pathReleased (claim: HeldPath): void {
    this.#reconcileRivals(claim, { paths: this.#state.waitingPaths, pathPolicy: this.#world.pathPolicy })
  }

  #reconcileRivals (claim: HeldPath, world: PathWorld): void {
    for (const { holder } of rivals(claim, world)) this.queues.status.add(keyText(holder.service), 'low')
  }

  /**
   * The services of a configuration come first, so that they are counted when its status is written. Services that are
   * counted as stale wait for their release.
   */
  configChanged (config: ConfigKey, { edited }: { readonly edited: boolean }): void {
    const { kind, namespace, name } = config
    const id = configId(config)
    const hash = configOf(id, this.#world.configs)?.hash
    const users = edited ? this.#world.services.users(name, kind === 'AIMRuntimeConfig' ? namespace : undefined) : []
    for (const user of users) {
      const service = keyText(user)
      const isWaiting = hash !== undefined && this.#state.tallies.isStale(service, id, hash)
      if (!isWaiting) this.queues.status.add(service, 'low')
    }
    this.queues.status.add(id, 'low')
  }
}
