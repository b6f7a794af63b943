import type { Condition } from '../../api/kubernetes-schemas.ts'
import { ownObject, ownObjects, type JsonObject } from '../../platform/json.ts'

/** A condition as it was decided; since when it holds is known only beside what was there before. */
export type ConditionDraft = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>

/**
 * What findings become conditions by: those known, the generation that was judged, and the time in RFC 3339, whole
 * seconds.
 */
export interface Observation { readonly known: readonly Condition[], readonly generation: number, readonly now: string }

/**
 * The time of a condition's last transition is kept while its status stays. Source: Kubernetes API conventions,
 * "Typical status properties".
 */
export function conditionsOf (
  findings: readonly ConditionDraft[], { known, generation, now }: Observation
): Condition[] {
  return findings.map((finding) => {
    const before = known.find(({ type }) => type === finding.type)
    return {
      ...finding,
      observedGeneration: generation,
      lastTransitionTime: before?.status === finding.status ? before.lastTransitionTime : now
    }
  })
}

/**
 * The conditions of these types that a stored object has, in the order of the types. Its schema vouches for their form.
 */
export function knownConditions (object: JsonObject, types: readonly string[]): Condition[] {
  const stored = ownObjects(ownObject(object, 'status'), 'conditions')
  return types.flatMap((type) => stored.filter((condition) => condition['type'] === type)) as unknown as Condition[]
}
