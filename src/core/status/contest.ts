import type { Condition } from '../../api/kubernetes-schemas.ts'
import { FIELD_MANAGER } from '../../api/meta.ts'
import { own, sameJson } from '../../platform/json.ts'
import type { ConditionDraft } from './conditions.ts'

/** The type of a condition that exists only while another writer keeps changing what this program writes. */
export const CONTESTED = 'StatusContested'
export const CONTESTED_REASONS = ['OtherFieldManager'] as const

/** The part of a status that this program writes, of any kind. */
export interface OwnStatus { readonly observedGeneration?: number, readonly conditions: readonly Condition[] }

export function contestIn ({ conditions }: OwnStatus): Condition | undefined {
  return conditions.find(({ type }) => type === CONTESTED)
}

export function withoutContest (status: OwnStatus): OwnStatus {
  return { ...status, conditions: status.conditions.filter(({ type }) => type !== CONTESTED) }
}

/** `manager`: the last other writer. What another manager owns is given up, so this is about what it removes. */
export function contestedDraft (wanted: OwnStatus, known: OwnStatus, manager: string): ConditionDraft {
  const message = `field manager ${manager} keeps changing ${changedFields(wanted, known).join(', ')} of the status, ` +
    `which ${FIELD_MANAGER} owns and writes again at growing intervals, up to 5 min; stop the other writer`
  return { type: CONTESTED, status: 'True', reason: 'OtherFieldManager', message }
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
