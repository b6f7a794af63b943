import { AIM_SERVICE } from '../api/kinds.ts'
import type { JsonObject } from '../api/meta.ts'
import { isJsonObject, own, ownObject, ownString } from '../core/json.ts'
import { configTitle } from '../core/runtime-config.ts'
import { carriedHash } from '../core/staleness.ts'
import type { Pacer } from './pacer.ts'
import { configId, serviceKey } from './reconcile-world.ts'
import type { ReconcileWorld } from './reconcile-world.ts'
import type { RolloutState } from './rollout-state.ts'
import { situationOf } from './situation.ts'
import type { Situation } from './situation.ts'
import type { WorkResult } from './work-queue.ts'

export interface RollForwardDependencies {
  readonly world: ReconcileWorld
  readonly state: RolloutState
  readonly pacer: Pacer
  /** The service's status is to say what has become known. */
  readonly onTrouble: (service: string) => void
}

/** Has admission see one service anew, so that its block is what admission would write today. */
export class RollForward {
  readonly #dependencies: RollForwardDependencies

  constructor (dependencies: RollForwardDependencies) {
    this.#dependencies = dependencies
  }

  async readmit (id: string): Promise<WorkResult> {
    const { world, pacer } = this.#dependencies
    if (this.#due(id) === undefined) return { kind: 'done' }
    await pacer.turn()
    const before = this.#due(id)
    if (before === undefined) return { kind: 'done' }
    const result = await world.writer.readmit(serviceKey(id))
    switch (result.kind) {
      case 'written': return this.#check(id, before, result.object)
      case 'gone': return { kind: 'done' }
      case 'outdated': return { kind: 'retry', reason: 'the service has changed meanwhile' }
      case 'failed': return this.#trouble(id, `admission could not be had: ${result.reason}`)
    }
  }

  /** What admission is needed for, while it is; a roll-out may have been halted since the service was queued. */
  #due (id: string): Situation | undefined {
    const { world, state } = this.#dependencies
    const situation = situationOf(id, world)
    if (situation === undefined || situation.staleness === 'current') return undefined
    const { staleness, assessment: { config } } = situation
    const isReleased = staleness !== 'outdated' || config === undefined || state.rollouts.permits(id, configId(config), config.hash)
    return isReleased ? situation : undefined
  }

  /** A replica whose cache is behind answers with old settings, and is asked again. */
  #check (id: string, { assessment, observed }: Situation, object: JsonObject): WorkResult {
    const { world, state } = this.#dependencies
    const block = own(ownObject(object, 'spec'), 'resolvedRuntimeConfig')
    const got = isJsonObject(block) ? ownString(block, 'hash') : ''
    const { config } = assessment
    if (got !== (config?.hash ?? '')) return this.#trouble(id, `admission answered with version ${got === '' ? 'none' : got} of the settings, and is asked again`)
    state.noteTrouble(id, undefined)
    if (config !== undefined && got !== carriedHash(assessment)) {
      const note = `now carries version ${got} of ${configTitle(config)}`
      world.events.record({
        regarding: { kind: AIM_SERVICE.kind, ...serviceKey(id), uid: observed.uid }, type: 'Normal', reason: 'RolledForward', action: 'Readmit', note
      })
    }
    return { kind: 'done' }
  }

  #trouble (id: string, reason: string): WorkResult {
    const { state, onTrouble } = this.#dependencies
    if (state.noteTrouble(id, reason)) onTrouble(id)
    return { kind: 'retry', reason }
  }
}
