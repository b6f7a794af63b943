import { AIM_SERVICE } from '../api/kinds.ts'
import { sameJson } from '../platform/json.ts'
import { statusEvents, type ServiceEvent } from '../core/status/events.ts'
import { serviceStatus } from '../core/status/service.ts'
import { carriedHash } from '../core/status/staleness.ts'
import type { Contribution } from './config-tallies.ts'
import { configId, serviceKey, type ReconcileWorld } from './reconcile-world.ts'
import type { RolloutState } from './rollout-state.ts'
import { situationOf, type ServiceSnapshot } from './service-snapshot.ts'
import type { Lane, WorkResult } from './work-queue.ts'

/**
 * What is to be done about a service: whether admission is to see it anew, and whether its status is settled, waits for
 * something, or is written later.
 */
interface Disposition {
  readonly triggerAdmission: Lane | undefined
  readonly status:
    { readonly kind: 'settled' } | { readonly kind: 'waiting'; readonly why: string } | { readonly kind: 'later' }
}

/** Reads one service, decides, and writes its status where it differs. */
export class ServiceReconciler {
  readonly #world: ReconcileWorld
  readonly #state: RolloutState

  constructor (world: ReconcileWorld, state: RolloutState) {
    this.#world = world
    this.#state = state
  }

  async reconcile (id: string): Promise<WorkResult> {
    const situation = situationOf(id, this.#world)
    this.#count(id, situation)
    if (situation === undefined) return { kind: 'done' }
    const { triggerAdmission, status } = this.#disposition(id, situation)
    if (triggerAdmission !== undefined) this.#state.triggerAdmission(id, triggerAdmission)
    if (status.kind === 'later') return { kind: 'done' }
    return await this.#write(id, situation, status.kind === 'waiting' ? status.why : undefined)
  }

  /** Keeps the tallies and the list of missed services true. */
  #count (id: string, situation: ServiceSnapshot | undefined): void {
    this.#state.count(id, situation === undefined ? undefined : contributionOf(situation))
    if (situation === undefined || situation.staleness === 'current') { this.#state.landed(id, situation?.assessment.config) }
    if (this.#state.noteMissed(id, situation?.staleness === 'missed') && situation !== undefined) { this.#tell(id, situation, MISSED) }
  }

  #disposition (id: string, { staleness, assessment: { config } }: ServiceSnapshot): Disposition {
    if (staleness === 'current') return { triggerAdmission: undefined, status: { kind: 'settled' } }
    const trouble = this.#state.troubleOf(id)
    if (trouble !== undefined) return { triggerAdmission: undefined, status: { kind: 'waiting', why: trouble } }
    if (staleness !== 'outdated' || config === undefined) { return { triggerAdmission: staleness === 'pending' ? 'urgent' : 'routine', status: { kind: 'later' } } }
    const held = this.#state.rollouts.held(configId(config), config.hash)
    return {
      triggerAdmission: undefined,
      status: held === undefined ? { kind: 'later' } : { kind: 'waiting', why: held }
    }
  }

  async #write (id: string, situation: ServiceSnapshot, waiting: string | undefined): Promise<WorkResult> {
    const { assessment, faults, observed } = situation
    const { configs, writer, serviceStatuses, now } = this.#world
    const status = serviceStatus(assessment, { configs, faults, known: observed.status, now: now(), waiting })
    if (sameJson(status, observed.status)) return { kind: 'done' }
    const result = await writer.applyStatus(
      { kind: AIM_SERVICE, key: serviceKey(id), uid: observed.uid, version: observed.version },
      status
    )
    switch (result.kind) {
      case 'written':
        serviceStatuses.upsert(result.object)
        for (const event of statusEvents(observed.status, status)) this.#tell(id, situation, event)
        return { kind: 'done' }
      case 'outdated': return { kind: 'retry', reason: 'the service has changed meanwhile' }
      case 'gone': return { kind: 'done' }
      case 'failed': return { kind: 'retry', reason: result.reason }
      case 'unavailable': return result
    }
  }

  #tell (id: string, { observed }: ServiceSnapshot, event: ServiceEvent): void {
    this.#world.events.record({
      regarding: { kind: AIM_SERVICE.kind, ...serviceKey(id), uid: observed.uid },
      action: 'Reconcile',
      ...event
    })
  }
}

const MISSED: ServiceEvent = {
  type: 'Warning',
  reason: 'AdmittedWithoutWebhook',
  note: 'no admission webhook saw the last change of this service; its settings are being put right'
}

/**
 * What a service that carries an old version says of the new one is not known yet: it fails where its status says so.
 */
function contributionOf ({ assessment, staleness, fails, degradedSince }: ServiceSnapshot): Contribution | undefined {
  if (assessment.config === undefined) return undefined
  return {
    config: configId(assessment.config),
    hash: carriedHash(assessment),
    failing: staleness === 'current' ? fails : degradedSince !== undefined,
    failingSince: degradedSince ?? ''
  }
}
