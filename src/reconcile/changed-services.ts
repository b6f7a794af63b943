import { hash } from 'node:crypto'
import { BLOCK_ANNOTATION, LAST_APPLIED_ANNOTATION } from '../api/meta.ts'
import { generationOf } from '../api/object-meta.ts'
import { own, ownObject, type JsonObject } from '../platform/json.ts'
import type { ServiceSnapshot } from './service-snapshot.ts'

interface Change {
  readonly config: string
  readonly hash: string
  readonly generation: number
  readonly metadata: string
}

/**
 * The healthy services that this leader's rollouts brought to a new version. Only these can halt a rollout, and only
 * until their owner edits them.
 */
export class ChangedServices {
  readonly #changes = new Map<string, Change>()
  /** Whether a service failed with the block it carried, as of a generation. */
  readonly #assessed = new Map<string, { readonly generation: number, readonly fails: boolean }>()

  /** Whether the service is known to be healthy with the block it carries. A service without a status is not. */
  isHealthy ({ id, assessment, observed }: ServiceSnapshot): boolean {
    const generation = generationOf(assessment.service.object)
    const degraded = observed.status.conditions.find(({ type }) => type === 'Degraded')
    if (degraded?.status !== 'False') return false
    const assessed = this.#assessed.get(id)
    return assessed?.generation === generation ? !assessed.fails : degraded.observedGeneration === generation
  }

  /** `object`: the response to the trigger, which brought a healthy service to this version. */
  add (service: string, { config, hash, object }: { config: string, hash: string, object: JsonObject }): void {
    this.#changes.set(service, { config, hash, generation: generationOf(object), metadata: digestOf(object) })
  }

  /** Updates what is known of a service; undefined if it was deleted. */
  observe (service: string, snapshot: ServiceSnapshot | undefined): void {
    if (snapshot === undefined) {
      this.#assessed.delete(service)
      this.#changes.delete(service)
      return
    }
    const { assessment: { service: { object } }, staleness, fails } = snapshot
    const generation = generationOf(object)
    if (staleness === 'current') this.#assessed.set(service, { generation, fails })
    const change = this.#changes.get(service)
    if (change === undefined || generation < change.generation) return // the watch has not seen the new version yet
    if (generation > change.generation || digestOf(object) !== change.metadata) this.#changes.delete(service)
  }

  /** Whether a rollout of this version changed the service, which was healthy and has not been edited since. */
  has (service: string, config: string, hash: string): boolean {
    const change = this.#changes.get(service)
    return change?.config === config && change.hash === hash
  }
}

/** Not kept in the cache. */
const NOT_KEPT: ReadonlySet<string> = new Set([LAST_APPLIED_ANNOTATION, BLOCK_ANNOTATION])

/** Of the labels and annotations, which do not change the generation. */
function digestOf (object: JsonObject): string {
  const metadata = ownObject(object, 'metadata')
  const sorted = (field: string): unknown[] =>
    Object.entries(own(metadata, field) ?? {}).filter(([key]) => !NOT_KEPT.has(key)).sort(byKey)
  return hash('sha256', JSON.stringify([sorted('labels'), sorted('annotations')]), 'base64')
}

function byKey ([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1
}
