import type { Condition } from '../../api/kubernetes-schemas.ts'
import { FIELD_MANAGER } from '../../api/meta.ts'
import { own, ownObject, ownObjects, ownString, sameJson, type JsonObject } from '../../platform/json.ts'
import type { ConditionDraft } from './conditions.ts'

/** The type of a condition that exists only while another writer keeps changing what this program writes. */
export const CONTESTED = 'StatusContested'
export const CONTESTED_REASONS = ['OtherFieldManager'] as const

/** The part of a status that this program writes, of any kind. */
export interface OwnStatus {
  readonly observedGeneration?: number
  readonly conditions: readonly Condition[]
}

export function contestIn ({ conditions }: OwnStatus): Condition | undefined {
  return conditions.find(({ type }) => type === CONTESTED)
}

export function withoutContest (status: OwnStatus): OwnStatus {
  return { ...status, conditions: status.conditions.filter(({ type }) => type !== CONTESTED) }
}

/** `manager`: see `otherManager`. */
export function contestedDraft (wanted: OwnStatus, known: OwnStatus, manager: string): ConditionDraft {
  const message = `field manager ${manager} keeps changing ${changedFields(wanted, known).join(', ')} of the status, ` +
    `which ${FIELD_MANAGER} owns and writes again at growing intervals, up to 5 min; stop the other writer`
  return { type: CONTESTED, status: 'True', reason: 'OtherFieldManager', message }
}

/**
 * The field manager that wrote one of these fields or conditions last; without one, the last other writer of the
 * status. This program's own name if no other wrote the status: then two installations may run.
 */
export function otherManager (object: JsonObject, fields: readonly string[], types: readonly string[]): string {
  const owns = (entry: JsonObject): boolean => {
    const status = ownObject(ownObject(entry, 'fieldsV1'), 'f:status')
    const conditions = ownObject(status, 'f:conditions')
    return fields.some((field) => Object.hasOwn(status, `f:${field}`)) ||
      types.some((type) => Object.hasOwn(conditions, `k:{"type":"${type}"}`))
  }
  const others = ownObjects(ownObject(object, 'metadata'), 'managedFields')
    .filter((entry) => own(entry, 'subresource') === 'status' && own(entry, 'manager') !== FIELD_MANAGER)
    .sort((a, b) => ownString(a, 'time') < ownString(b, 'time') ? 1 : -1)
  const other = others.find(owns) ?? others[0]
  return (other && ownString(other, 'manager')) || FIELD_MANAGER
}

function changedFields (wanted: OwnStatus, known: OwnStatus): string[] {
  const [ours, theirs] = [{ ...wanted, conditions: [] }, { ...known, conditions: [] }] as const
  const fields = new Set([...Object.keys(ours), ...Object.keys(theirs)])
  const types = new Set([...wanted.conditions, ...withoutContest(known).conditions].map(({ type }) => type))
  const typed = (status: OwnStatus, type: string): unknown => status.conditions.find((each) => each.type === type)
  return [
    ...[...fields].filter((field) => !sameJson(own(ours, field), own(theirs, field))),
    ...[...types].filter((type) => !sameJson(typed(wanted, type), typed(known, type)))
      .map((type) => `condition ${type}`)
  ]
}
