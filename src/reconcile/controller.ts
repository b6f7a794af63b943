import type { Log } from '../core/ports.ts'
import type { Tally } from '../core/status/rollout.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import { ConfigReconciler } from './config-reconciler.ts'
import { RateLimiter } from './rate-limiter.ts'
import { configId, serviceId, type ReconcileWorld } from './reconcile-world.ts'
import { RollForward } from './roll-forward.ts'
import { RolloutState } from './rollout-state.ts'
import { ServiceReconciler } from './service-reconciler.ts'
import { situationOf } from './service-snapshot.ts'
import type { Changes } from './watched-sinks.ts'
import { WorkQueue, type WorkQueueObserver, type WorkResult } from './work-queue.ts'
import type { Clock } from '../platform/clock.ts'

/** How fast changed configurations are carried to the services, and when that halts. */
export interface RolloutLimits {
  /** Services that admission is asked to see anew, a second. */
  readonly rate: number
  /** How many of those are on their way at once. */
  readonly concurrency: number
  /** How many services that were well a roll-out may break. */
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
}

export const QUEUES = ['status', 'rollforward'] as const
export type QueueName = typeof QUEUES[number]

/**
 * Status writes that are on their way at once. Three of the six connections to the API server are watches, and the
 * lease is not to wait.
 */
const STATUS_CONCURRENCY = 2

/**
 * The reconciler of the replica that leads, for as long as it leads: takes keys, and works on one of each at a time.
 */
export class Controller implements Changes {
  readonly #world: ReconcileWorld
  readonly #state: RolloutState
  /**
   * `status`: services and configurations that are to be looked at. `rollforward`: services that admission is to see
   * anew.
   */
  readonly queues: Readonly<Record<QueueName, WorkQueue>>

  constructor ({ world, limits, clock, log, random, observers }: ControllerOptions) {
    this.#world = world
    const look = (id: string): void => { this.queues.status.add(id, 'routine') }
    const state = (this.#state = new RolloutState({
      onTally: look,
      onReadmit: (service, lane) => { this.queues.rollforward.add(service, lane) }
    }))
    const services = new ServiceReconciler(world, state)
    const configs = new ConfigReconciler({ world, state, clock, failureLimit: limits.failureLimit, onDecided: look })
    const rollForward = new RollForward({ world, state, pacer: new RateLimiter(clock, limits.rate), onTrouble: look })
    const queue = (name: QueueName, concurrency: number, work: (key: string) => Promise<WorkResult>): WorkQueue =>
      new WorkQueue({ name, concurrency, work, clock, random, log, observer: observers[name] })
    this.queues = {
      status: queue('status', STATUS_CONCURRENCY, (id) =>
        isConfig(id) ? configs.reconcile(id) : services.reconcile(id)
      ),
      rollforward: queue('rollforward', limits.concurrency, (id) => rollForward.triggerAdmission(id))
    }
  }

  /** Services whose last change no webhook saw, and that are not put right yet. */
  get missed (): number {
    return this.#state.missed
  }

  /** How far a configuration has been carried. */
  tally (config: RuntimeConfig): Tally {
    return this.#state.tallies.tally(configId(config), config.hash)
  }

  /** Looks at everything once: what happened before is not known. */
  start (): void {
    this.queues.status.start()
    this.queues.rollforward.start()
    for (const service of this.#world.services.all()) this.serviceChanged(serviceId(service), { edited: false })
    for (const config of this.#world.configs.all()) this.queues.status.add(configId(config), 'routine')
  }

  /** Once settled, nothing is written any more. */
  async stop (): Promise<void> {
    await Promise.all([this.queues.status.stop(), this.queues.rollforward.stop()])
  }

  /** What a person has just changed goes first; what a roll-out has changed waits its turn. */
  serviceChanged (id: string, { edited }: { readonly edited: boolean }): void {
    this.queues.status.add(id, edited && !this.#isRollingOut(id) ? 'urgent' : 'routine')
  }

  /** Its services first, so that they are counted when its own status is written. */
  configChanged (config: Pick<RuntimeConfig, 'kind' | 'namespace' | 'name'>, { edited }: { readonly edited: boolean }): void {
    const users = this.#world.services.users(
      config.name,
      config.kind === 'AIMRuntimeConfig' ? config.namespace : undefined
    )
    if (edited) for (const service of users) this.queues.status.add(serviceId(service), 'routine')
    this.queues.status.add(configId(config), 'routine')
  }

  #isRollingOut (id: string): boolean {
    const config = situationOf(id, this.#world)?.assessment.config
    return config !== undefined && this.#state.rollouts.permits(id, configId(config), config.hash)
  }
}

/** No namespace has capital letters. */
function isConfig (id: string): boolean {
  return id.startsWith('AIM')
}
