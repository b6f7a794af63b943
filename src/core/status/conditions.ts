import type { Condition } from '../../api/kubernetes-schemas.ts'
import { definedFields, own, ownObject, ownObjects, sameJson, type JsonObject } from '../../platform/json.ts'
import { PATH_FAULT_REASONS } from '../faults.ts'
import { oneLine } from '../../platform/printable.ts'
import { FIELD_MANAGER } from '../../api/meta.ts'

/** A condition before it is compared with the stored ones. */
export type ConditionDraft = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>

/** `now`: RFC 3339 in whole seconds. */
export interface Observation { readonly known: readonly Condition[], readonly generation: number, readonly now: string }

/** Keeps a transition time while the status is unchanged. Source: API conventions, "Typical status properties". */
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
  return definedFields(Object.fromEntries(fields.map((field) => [field, own(status, field)])))
}

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

/** An event about a service. */
export interface ServiceEvent {
  readonly type: 'Normal' | 'Warning'
  readonly reason: ServiceEventReason
  readonly note: string
}

export const SERVICE_EVENT_REASONS = [
  'RuntimeConfigResolved', 'RuntimeConfigMissing', 'PathRendered', 'RoutingDisabled', ...PATH_FAULT_REASONS,
  'GatewayMissing', 'RolledForward', 'AdmittedWithoutWebhook', 'StatusContested'
] as const
type ServiceEventReason = typeof SERVICE_EVENT_REASONS[number]

/** One event per condition whose reason changed in a way that matters to users. Pure. */
export function statusEvents (known: OwnStatus, next: OwnStatus): ServiceEvent[] {
  const knownReason = (of: string): string | undefined => known.conditions.find(({ type }) => type === of)?.reason
  const wasMissing = knownReason('Degraded') === 'RuntimeConfigMissing' // even while the new one is rolled out
  const events = next.conditions.flatMap(({ type, status, reason, message }) => {
    const before = knownReason(type)
    const event = EVENTFUL.has(type) ? eventReason(reason, { before, wasMissing }) : undefined
    if (event === undefined) return []
    const isFault = status !== 'True' && event !== 'RoutingDisabled'
    return [{ type: isFault ? 'Warning' : 'Normal', reason: event, note: message } as const]
  })
  return [...events, ...contestEvents(known, next)]
}

/** The types whose reasons become events. The others repeat them. */
const EVENTFUL: ReadonlySet<string> = new Set(['RuntimeConfigResolved', 'PathResolved'])

/** One event when a contest begins. */
export function contestEvents (known: OwnStatus, next: OwnStatus): ServiceEvent[] {
  const contest = contestIn(next)
  if (contest === undefined || contestIn(known) !== undefined) return []
  return [{ type: 'Warning', reason: CONTESTED, note: contest.message }]
}

/** A rollout has its own event. A new service has one only if something is wrong with its path. */
function eventReason (
  reason: string, { before, wasMissing }: { readonly before: string | undefined, readonly wasMissing: boolean }
): ServiceEventReason | undefined {
  if (reason === before) return undefined
  if (reason === 'Resolved') return before === 'RollingOut' && !wasMissing ? undefined : 'RuntimeConfigResolved'
  if (FAULTLESS.has(reason) && (before === undefined || before === 'PathPending')) return undefined
  return SERVICE_EVENT_REASONS.find((event) => event === reason)
}

const FAULTLESS: ReadonlySet<string> = new Set(['PathRendered', 'RoutingDisabled'])
