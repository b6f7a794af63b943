import type { OwnServiceStatus } from './service.ts'

/** An event about a service. */
export interface ServiceEvent {
  readonly type: 'Normal' | 'Warning'
  readonly reason: ServiceEventReason
  readonly note: string
}

export const SERVICE_EVENT_REASONS = [
  'RuntimeConfigResolved', 'RuntimeConfigMissing', 'PathRendered', 'PathTemplateInvalid', 'PathFieldMissing',
  'PathTooLong', 'PathConflict', 'PathOutOfScope', 'GatewayMissing', 'RolledForward', 'AdmittedWithoutWebhook'
] as const
type ServiceEventReason = typeof SERVICE_EVENT_REASONS[number]

/** One event per condition whose reason changed in a way that matters to users. Pure. */
export function statusEvents (known: OwnServiceStatus, next: OwnServiceStatus): ServiceEvent[] {
  return next.conditions.flatMap(({ type, status, reason, message }) => {
    const before = known.conditions.find((condition) => condition.type === type)?.reason
    const event = type === 'Degraded' ? undefined : eventReason(reason, before)
    return event === undefined ? [] : [{ type: status === 'True' ? 'Normal' : 'Warning', reason: event, note: message }]
  })
}

/** A rollout has its own event, and a rendered path is an event only after a fault. */
function eventReason (reason: string, before: string | undefined): ServiceEventReason | undefined {
  if (reason === before) return undefined
  if (reason === 'Resolved') return before === 'RollingOut' ? undefined : 'RuntimeConfigResolved'
  if (reason === 'PathRendered' && (before === undefined || UNEVENTFUL.has(before))) return undefined
  return SERVICE_EVENT_REASONS.find((event) => event === reason)
}

const UNEVENTFUL: ReadonlySet<string> = new Set(['PathPending', 'RoutingDisabled'])
