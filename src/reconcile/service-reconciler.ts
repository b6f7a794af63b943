import { parseKey } from '../api/object-meta.ts'
import { AIM_SERVICE } from '../api/kinds.ts'
import { statusEvents, type ServiceEvent } from '../core/status/conditions.ts'
import { serviceStatus, type OwnServiceStatus } from '../core/status/service.ts'
import { sameJson } from '../platform/json.ts'
import type { RolloutState } from './rollout-state.ts'
import { isDegraded, readSnapshot, rolledOutConfig, type ServiceSnapshot } from './service-snapshot.ts'
import { DONE, type Enqueue, type Reconciled } from './reconciled.ts'
import type { StatusWriter } from './status-writer.ts'
import { configId, type ReconcileWorld } from './world.ts'
import type { Priority } from './work-queue.ts'

interface Decision {
  /** Whether admission has to run for the service, and how urgently. */
  readonly triggerAdmission?: Priority
  /** The status to write; undefined if it depends on an admission that is to come. */
  readonly status?: OwnServiceStatus
}

interface Context { readonly world: ReconcileWorld, readonly state: RolloutState, readonly statuses: StatusWriter }

/** Writes the status of a service, and has admission see it again if necessary. */
export async function reconcileService (id: string, context: Context): Promise<Reconciled> {
  const { world, state, statuses } = context
  const snapshot = await readSnapshot(id, world)
  if (snapshot !== undefined && 'reason' in snapshot) return { result: snapshot, enqueue: [] }
  // both read the state before `update` changes it
  const { triggerAdmission, status }: Decision = snapshot === undefined ? {} : decide(snapshot, context)
  if (snapshot?.staleness === 'unobserved' && !state.unobserved.has(id)) {
    statuses.record({ kind: AIM_SERVICE.kind, ...parseKey(id), uid: snapshot.observed.uid }, UNOBSERVED)
  }
  const enqueue: Enqueue[] = state.update(id, snapshot)
    .map((config) => ({ queue: 'status', key: config, priority: 'low' }))
  if (snapshot === undefined) {
    statuses.forget(id)
    return { result: DONE, enqueue }
  }
  if (triggerAdmission !== undefined) enqueue.push({ queue: 'rollforward', key: id, priority: triggerAdmission })
  if (status === undefined) return { result: DONE, enqueue }
  const result = await statuses.write({
    id,
    object: { kind: AIM_SERVICE.kind, ...parseKey(id) },
    observed: snapshot.observed,
    wanted: status,
    onWritten: (object, sent) => {
      world.written.status(object)
      const stored = world.serviceStatuses.get(parseKey(id))?.status
      const isAsSent = stored !== undefined && isDegraded(stored) === snapshot.isDegraded && sameJson(sent, stored)
      if (!isAsSent) enqueue.push({ queue: 'status', key: id, priority: 'low' })
    },
    eventsOf: statusEvents
  })
  return { result, enqueue }
}

function decide (
  { id, staleness, assessment, faults, observed }: ServiceSnapshot, { world: { configs, now }, state }: Context
): Decision {
  /** `waiting`: why the service does not have its current configuration yet. */
  const status = (waiting: string | undefined): Decision =>
    ({ status: serviceStatus(assessment, { configs, faults, known: observed.status, now: now(), waiting }) })
  const { rollouts, admissionErrors } = state
  const config = rolledOutConfig(assessment)
  if (staleness === 'current') return status(undefined)
  if (admissionErrors.has(id)) return status(admissionErrors.get(id))
  if (staleness !== 'configChanged' || config === undefined) {
    return { triggerAdmission: staleness === 'pathChanged' ? 'high' : 'low' }
  }
  // its release stays in force until it lands, even if an older version came back meanwhile
  if (rollouts.isReleased(id, configId(config), config.hash)) return { triggerAdmission: 'low' }
  const heldReason = rollouts.heldReason(configId(config), config.hash)
  return heldReason === undefined ? {} : status(heldReason)
}

const UNOBSERVED: ServiceEvent = {
  type: 'Warning',
  reason: 'AdmittedWithoutWebhook',
  note: 'no admission webhook saw the last change of this service; its settings are being corrected'
}
