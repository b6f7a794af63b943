import type { Condition } from '../../api/kubernetes-schemas.ts'
import { own, ownObject, ownObjects, type JsonObject } from '../../platform/json.ts'
import { oneLine } from '../../platform/printable.ts'

/** A condition before it is compared with the stored ones. */
export type ConditionDraft = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>

/** `now`: RFC 3339 in whole seconds. */
export interface Observation { readonly known: readonly Condition[], readonly generation: number, readonly now: string }

/**
 * Keeps a transition time while the status is unchanged. A client may print a message as it is, so none hides anything.
 * Source: API conventions, "Typical status properties".
 */
export function conditionsOf (drafts: readonly ConditionDraft[], { known, generation, now }: Observation): Condition[] {
  return drafts.map((draft) => {
    const before = known.find(({ type }) => type === draft.type)
    const lastTransitionTime = before?.status === draft.status ? before.lastTransitionTime : now
    return { ...draft, message: oneLine(draft.message), observedGeneration: generation, lastTransitionTime }
  })
}

/** The stored conditions of these types, in the order of the types. The CRD's schema guarantees their shape. */
export function knownConditions (object: JsonObject, types: readonly string[]): Condition[] {
  const stored = ownObjects(ownObject(object, 'status'), 'conditions')
  return types.flatMap((type) => stored.filter((condition) => condition['type'] === type)) as unknown as Condition[]
}

/** The fields of a stored status that are set. The CRD's schema guarantees their shape. */
export function knownFields (status: JsonObject, fields: readonly string[]): JsonObject {
  const known = fields.map((field) => [field, own(status, field)] as const)
  return Object.fromEntries(known.filter(([, value]) => value !== undefined))
}
