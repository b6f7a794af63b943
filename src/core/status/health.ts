import type { Assessment } from '../settings/assess.ts'
import type { ConditionDraft } from './conditions.ts'
import { FAULTS, type Fault } from '../rules/faults.ts'
import { missingConfigFault, NO_GATEWAY } from '../rules/service-faults.ts'

/** Reasons of the condition `RuntimeConfigResolved`. */
export const RESOLVED_REASONS = ['Resolved', 'RuntimeConfigMissing', 'RollingOut'] as const
/** Reasons of the condition `RoutingReady`. */
export const ROUTING_REASONS = [
  'PathRendered', 'RoutingDisabled', 'PathTemplateInvalid', 'PathFieldMissing', 'PathTooLong', 'PathConflict', 'PathPending', 'GatewayMissing'
] as const

/** Reasons of the condition `Degraded`: the cause, or that there is none. */
export const DEGRADED_REASONS = [
  'AsExpected', 'RuntimeConfigMissing', 'PathTemplateInvalid', 'PathFieldMissing', 'PathTooLong', 'PathConflict', 'GatewayMissing'
] as const

export type ResolvedReason = typeof RESOLVED_REASONS[number]
export type RoutingReason = typeof ROUTING_REASONS[number]

/** Why a service is degraded. */
export interface Cause {
  readonly reason: Exclude<(typeof DEGRADED_REASONS)[number], 'AsExpected'>
  readonly message: string
}

/** How the routing of a service stands, given the faults of its path. Pure. */
export function routingFinding (
  assessment: Assessment, faults: readonly Fault[]
): ConditionDraft & { readonly reason: RoutingReason } {
  const { config, path, routing } = assessment
  const type = 'RoutingReady'
  const cause = routingCause(assessment, faults)
  if (cause !== undefined) return { type, status: 'False', ...cause }
  if (path.kind === 'disabled') {
    return {
      type,
      status: 'False',
      reason: 'RoutingDisabled',
      message: 'routing is enabled neither on the service nor in its runtime configuration'
    }
  }
  if (config !== undefined && path.kind === 'path') {
    return {
      type,
      status: 'True',
      reason: 'PathRendered',
      message: `served at ${path.path} of gateway ${routing.gatewayRef?.name ?? ''}`
    }
  }
  return {
    type,
    status: 'False',
    reason: 'PathPending',
    message: `the path waits for ${path.kind === 'pending' ? path.needs : 'the runtime configuration'}`
  }
}

/** The first of what keeps a service from being well; undefined where it is. Pure. */
export function degradedCause (assessment: Assessment, faults: readonly Fault[]): Cause | undefined {
  if (assessment.config !== undefined) return routingCause(assessment, faults)
  return { reason: 'RuntimeConfigMissing', message: missingConfigFault(assessment.service).message }
}

function routingCause ({ config, path, routing }: Assessment, faults: readonly Fault[]): {
  readonly reason: RoutingReason & Cause['reason'], readonly message: string
} | undefined {
  const [first] = faults
  if (first !== undefined) {
    return { reason: reasonOfFault(first), message: faults.map(({ message }) => message).join('; ') }
  }
  return config !== undefined && routing.enabled && routing.gatewayRef === undefined
    ? { reason: 'GatewayMissing', message: NO_GATEWAY }
    : undefined
}

/** Every fault of a path has one. */
function reasonOfFault ({ code }: Fault): RoutingReason & Cause['reason'] {
  const entry = FAULTS[code]
  return 'reason' in entry && entry.reason !== 'RuntimeConfigMissing' ? entry.reason : 'PathTemplateInvalid'
}
