import type { OwnServiceStatus } from './service.ts'

/** What is told of a service. */
export interface ServiceEvent {
  readonly type: 'Normal' | 'Warning'
  readonly reason: ServiceEventReason
  readonly note: string
}

export const SERVICE_EVENT_REASONS = [
  'RuntimeConfigResolved', 'RuntimeConfigMissing', 'PathRendered', 'PathTemplateInvalid', 'PathFieldMissing', 'PathTooLong', 'PathConflict', 'GatewayMissing',
  'RolledForward', 'AdmittedWithoutWebhook'
] as const
export type ServiceEventReason = typeof SERVICE_EVENT_REASONS[number]

/** One event for each condition whose reason has become another that people care about. Pure. */
export function statusEvents (known: OwnServiceStatus, next: OwnServiceStatus): ServiceEvent[] {
  return next.conditions.flatMap(({ type, status, reason, message }) => {
    const told =
      type === 'Degraded'
        ? undefined
        : eventReason(reason, known.conditions.find((condition) => condition.type === type)?.reason)
    return told === undefined ? [] : [{ type: status === 'True' ? 'Normal' : 'Warning', reason: told, note: message }]
  })
}

/**
 * What a new reason is told as. A roll-out has an event of its own, and a path is news only where there was none
 * because of a fault.
 */
function eventReason (reason: string, before: string | undefined): ServiceEventReason | undefined {
  if (reason === before) return undefined
  if (reason === 'Resolved') return before === 'RollingOut' ? undefined : 'RuntimeConfigResolved'
  if (reason === 'PathRendered' && (before === undefined || UNEVENTFUL.has(before))) return undefined
  return SERVICE_EVENT_REASONS.find((told) => told === reason)
}

const UNEVENTFUL: ReadonlySet<string> = new Set(['PathPending', 'RoutingDisabled'])
