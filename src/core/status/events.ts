import { CONTESTED, contestIn, type OwnStatus } from './contest.ts'

/** An event about a service. */
export interface ServiceEvent {
  readonly type: 'Normal' | 'Warning'
  readonly reason: ServiceEventReason
  readonly note: string
}

export const SERVICE_EVENT_REASONS = [
  'RuntimeConfigResolved', 'RuntimeConfigMissing', 'PathRendered', 'PathTemplateInvalid', 'PathFieldMissing',
  'PathTooLong', 'PathConflict', 'PathOutOfScope', 'GatewayMissing', 'RolledForward', 'AdmittedWithoutWebhook',
  'StatusContested'
] as const
type ServiceEventReason = typeof SERVICE_EVENT_REASONS[number]

/** One event per condition whose reason changed in a way that matters to users. Pure. */
export function statusEvents (known: OwnStatus, next: OwnStatus): ServiceEvent[] {
  const events = next.conditions.flatMap(({ type, status, reason, message }) => {
    const before = known.conditions.find((condition) => condition.type === type)?.reason
    const event = EVENTFUL.has(type) ? eventReason(reason, before) : undefined
    if (event === undefined) return []
    return [{ type: status === 'True' ? 'Normal' : 'Warning', reason: event, note: message } as const]
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

/** A rollout has its own event, and a rendered path is an event only after a fault. */
function eventReason (reason: string, before: string | undefined): ServiceEventReason | undefined {
  if (reason === before) return undefined
  if (reason === 'Resolved') return before === 'RollingOut' ? undefined : 'RuntimeConfigResolved'
  if (reason === 'PathRendered' && (before === undefined || UNEVENTFUL.has(before))) return undefined
  return SERVICE_EVENT_REASONS.find((event) => event === reason)
}

const UNEVENTFUL: ReadonlySet<string> = new Set(['PathPending', 'RoutingDisabled'])
