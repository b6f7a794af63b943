import { AIM_SERVICE } from '../api/kinds.ts'
import { statusEvents, type ServiceEvent } from '../core/status/conditions.ts'
import { serviceStatus, type OwnServiceStatus } from '../core/status/service.ts'
import { sameJson } from '../platform/json.ts'
import type { RolloutState } from './rollout-state.ts'
import { isDegraded, readSnapshot, rolledOutConfig, type ServiceSnapshot } from './service-snapshot.ts'
import { DONE, type Enqueue, type Reconciled } from './reconciled.ts'
import type { StatusWriter } from './status-writer.ts'
import { configId, serviceKey, type ReconcileWorld } from './world.ts'
import type { Priority } from './work-queue.ts'

interface Decision {
  /** Whether admission has to run for the service, and how urgently. */
  readonly triggerAdmission?: Priority
  /** The status to write; undefined if it depends on an admission that is to come. */
  readonly status?: OwnServiceStatus
}

/** Writes the status of services, and finds those that admission has to see again. */
export class ServiceReconciler {
  readonly #world: ReconcileWorld
  readonly #state: RolloutState
  readonly #statuses: StatusWriter

  constructor (world: ReconcileWorld, state: RolloutState, statuses: StatusWriter) {
    this.#statuses = statuses
    this.#world = world
    this.#state = state
  }

  async reconcile (id: string): Promise<Reconciled> {
    const snapshot = await readSnapshot(id, this.#world)
    if (snapshot !== undefined && 'reason' in snapshot) return { result: snapshot, enqueue: [] }
    // both read the state before `update` changes it
    const decision: Decision = snapshot === undefined ? {} : this.#decide(snapshot)
    if (snapshot?.staleness === 'unobserved' && !this.#state.unobserved.has(id)) {
      this.#statuses.record({ kind: AIM_SERVICE.kind, ...serviceKey(id), uid: snapshot.observed.uid }, UNOBSERVED)
    }
    const enqueue: Enqueue[] = this.#state.update(id, snapshot)
      .map((config) => ({ queue: 'status', key: config, priority: 'low' }))
    if (snapshot === undefined) {
      this.#statuses.forget(id)
      return { result: DONE, enqueue }
    }
    const { triggerAdmission, status } = decision
    if (triggerAdmission !== undefined) enqueue.push({ queue: 'rollforward', key: id, priority: triggerAdmission })
    const lookAgain = (): void => { enqueue.push({ queue: 'status', key: id, priority: 'low' }) }
    return { result: status === undefined ? DONE : await this.#write(snapshot, status, lookAgain), enqueue }
  }

  #decide (snapshot: ServiceSnapshot): Decision {
    const { id, staleness, assessment } = snapshot
    const config = rolledOutConfig(assessment)
    const admissionError = this.#state.admissionErrors.get(id)
    if (staleness === 'current') return { status: this.#status(snapshot, undefined) }
    if (admissionError !== undefined) return { status: this.#status(snapshot, admissionError) }
    if (staleness !== 'outdated' || config === undefined) {
      return { triggerAdmission: staleness === 'pending' ? 'high' : 'low' }
    }
    const { rollouts } = this.#state
    // its release stays in force until it lands, even if an older version came back meanwhile
    if (rollouts.isReleased(id, configId(config), config.hash)) return { triggerAdmission: 'low' }
    const heldReason = rollouts.heldReason(configId(config), config.hash)
    return heldReason === undefined ? {} : { status: this.#status(snapshot, heldReason) }
  }

  /** `waiting`: why the service does not have its current configuration yet. */
  #status ({ assessment, faults, observed }: ServiceSnapshot, waiting: string | undefined): OwnServiceStatus {
    const { configs, now } = this.#world
    return serviceStatus(assessment, { configs, faults, known: observed.status, now: now(), waiting })
  }

  /** `lookAgain`: the stored status differs from what was sent, or counts otherwise. */
  async #write (
    { id, observed, isDegraded: wasDegraded }: ServiceSnapshot, wanted: OwnServiceStatus, lookAgain: () => void
  ): Promise<Reconciled['result']> {
    const { written, serviceStatuses } = this.#world
    return await this.#statuses.write({
      id,
      object: { kind: AIM_SERVICE.kind, ...serviceKey(id) },
      observed,
      wanted,
      onWritten: (object, sent) => {
        written.status(object)
        const stored = serviceStatuses.get(serviceKey(id))?.status
        if (stored === undefined || isDegraded(stored) !== wasDegraded || !sameJson(sent, stored)) lookAgain()
      },
      eventsOf: statusEvents
    })
  }
}

const UNOBSERVED: ServiceEvent = {
  type: 'Warning',
  reason: 'AdmittedWithoutWebhook',
  note: 'no admission webhook saw the last change of this service; its settings are being corrected'
}
