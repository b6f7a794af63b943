import { AIM_SERVICE } from '../api/kinds.ts'
import { assessService, type Assessment } from '../core/settings/assess.ts'
import { isJsonObject, ownString, type JsonObject } from '../platform/json.ts'
import { configTitle } from '../core/settings/runtime-config.ts'
import { readService } from '../core/settings/service.ts'
import { carriedHash, stalenessOf } from '../core/status/staleness.ts'
import type { RateLimiter } from './rate-limiter.ts'
import { configId, serviceKey, type ReconcileWorld } from './reconcile-world.ts'
import type { RolloutState } from './rollout-state.ts'
import { situationOf, type ServiceSnapshot } from './service-snapshot.ts'
import type { WorkResult } from './work-queue.ts'

export interface RollForwardDependencies {
  readonly world: ReconcileWorld
  readonly state: RolloutState
  readonly pacer: RateLimiter
  /** The service's status is to say what has become known. */
  readonly onTrouble: (service: string) => void
}

/** Has admission see one service anew, so that its block is what admission would write today. */
export class RollForward {
  readonly #dependencies: RollForwardDependencies

  constructor (dependencies: RollForwardDependencies) {
    this.#dependencies = dependencies
  }

  async triggerAdmission (id: string): Promise<WorkResult> {
    const { world, pacer } = this.#dependencies
    if (this.#due(id) === undefined) return this.#over(id)
    await pacer.turn()
    const before = this.#due(id)
    if (before === undefined) return this.#over(id)
    const result = await world.writer.triggerAdmission(serviceKey(id))
    switch (result.kind) {
      case 'written': return this.#check(id, before, result.object)
      case 'gone': return { kind: 'done' }
      case 'outdated': return { kind: 'retry', reason: 'the service has changed meanwhile' }
      case 'failed': return this.#trouble(id, `admission could not be had: ${result.reason}`)
      case 'unavailable':
        this.#trouble(id, `admission could not be had: ${result.reason}`)
        return result
    }
  }

  /** What admission is needed for, while it is; a roll-out may have been halted since the service was queued. */
  #due (id: string): ServiceSnapshot | undefined {
    const { world, state } = this.#dependencies
    const situation = situationOf(id, world)
    if (situation === undefined || situation.staleness === 'current') return undefined
    const { staleness, assessment: { config } } = situation
    const isReleased =
      staleness !== 'outdated' || config === undefined || state.rollouts.permits(id, configId(config), config.hash)
    return isReleased ? situation : undefined
  }

  /**
   * A replica whose cache is behind answers with old settings, and is asked again; so it is where no webhook answered
   * and the API server let that pass. The whole block counts: of two configurations with the same settings the hash is
   * the same.
   */
  #check (id: string, { assessment, observed }: ServiceSnapshot, object: JsonObject): WorkResult {
    const { world, state } = this.#dependencies
    const answer = readService(object, serviceKey(id).namespace)
    const after = answer.kind === 'service' ? assessService(answer, world.configs) : undefined
    if (after === undefined || stalenessOf(after) !== 'current') { return this.#trouble(id, `admission answered with ${versionIn(after)}, and is asked again`) }
    state.noteTrouble(id, undefined)
    const { config } = after
    if (config !== undefined && config.hash !== carriedHash(assessment)) {
      const note = `now carries version ${config.hash} of ${configTitle(config)}`
      world.events.record({
        regarding: { kind: AIM_SERVICE.kind, ...serviceKey(id), uid: observed.uid }, type: 'Normal', reason: 'RolledForward', action: 'Readmit', note
      })
    }
    return { kind: 'done' }
  }

  /** Admission is not needed any more, or not yet: what went wrong before does not count any longer. */
  #over (id: string): WorkResult {
    const { state, onTrouble } = this.#dependencies
    if (state.noteTrouble(id, undefined)) onTrouble(id)
    return { kind: 'done' }
  }

  #trouble (id: string, reason: string): WorkResult {
    const { state, onTrouble } = this.#dependencies
    if (state.noteTrouble(id, reason)) onTrouble(id)
    return { kind: 'retry', reason }
  }
}

/** What the settings in an answer are, in words. */
function versionIn (answer: Assessment | undefined): string {
  const block = answer?.service.block
  if (!isJsonObject(block)) return 'no settings'
  return `settings of version ${ownString(block, 'hash')} of ${ownString(block, 'kind')} ${ownString(block, 'name')} that are not those of today`
}
