import { FAULTS, type Fault } from '../rules/faults.ts'
import { missingConfigFault, NO_GATEWAY } from '../rules/service-faults.ts'
import type { Assessment } from '../settings/assess.ts'
import type { ConditionDraft } from './conditions.ts'

/** Reasons of the condition `RuntimeConfigResolved`. */
export const RESOLVED_REASONS = ['Resolved', 'RuntimeConfigMissing', 'RollingOut'] as const
/** Reasons of the conditions `PathResolved` and `RoutingReady`. */
export const ROUTING_REASONS = [
  'PathRendered', 'RoutingDisabled', 'PathTemplateInvalid', 'PathFieldMissing', 'PathTooLong', 'PathConflict',
  'PathOutOfScope', 'PathPending', 'GatewayMissing'
] as const
/** Reasons of the condition `Degraded`. */
export const DEGRADED_REASONS = [
  'AsExpected', 'RuntimeConfigMissing', 'PathTemplateInvalid', 'PathFieldMissing', 'PathTooLong', 'PathConflict',
  'PathOutOfScope', 'GatewayMissing'
] as const

export type ResolvedReason = typeof RESOLVED_REASONS[number]
type RoutingReason = typeof ROUTING_REASONS[number]
type DegradedReason = Exclude<typeof DEGRADED_REASONS[number], 'AsExpected'>

/** Why a service is degraded. */
export interface Cause { readonly reason: DegradedReason, readonly message: string }

/**
 * The conditions `PathResolved` and `RoutingReady`, which is the same for programs that wait for it. An operator that
 * makes routes may own the second one. `faults`: of the path. Pure.
 */
export function pathConditions (assessment: Assessment, faults: readonly Fault[]): ConditionDraft[] {
  const resolved = pathCondition(assessment, faults)
  return [resolved, { ...resolved, type: 'RoutingReady' }]
}

function pathCondition (assessment: Assessment, faults: readonly Fault[]): ConditionDraft {
  const { config, path, routing, claim } = assessment
  const condition = (reason: RoutingReason, message: string): ConditionDraft =>
    ({ type: 'PathResolved', status: reason === 'PathRendered' ? 'True' : 'False', reason, message })
  const cause = routingCause(assessment, faults)
  if (cause !== undefined) return condition(cause.reason, cause.message)
  if (path.kind === 'disabled') {
    return condition('RoutingDisabled', 'routing is enabled neither on the service nor in its runtime configuration')
  }
  if (config !== undefined && path.kind === 'path') {
    return condition('PathRendered', `served at ${path.path} on gateway ${routing.gatewayRef?.name ?? ''}`)
  }
  const needs = path.kind === 'pending' ? path.needs : 'the runtime configuration'
  const subject = claim === undefined ? 'the path' : `path ${claim.path} is held, and`
  return condition('PathPending', `${subject} waits for ${needs}`)
}

/** Undefined if the service is healthy. Pure. */
export function degradedCause (assessment: Assessment, faults: readonly Fault[]): Cause | undefined {
  if (assessment.config !== undefined) return routingCause(assessment, faults)
  return { reason: 'RuntimeConfigMissing', message: missingConfigFault(assessment.service).message }
}

function routingCause (
  { config, routing }: Assessment, faults: readonly Fault[]
): { readonly reason: RoutingReason & DegradedReason, readonly message: string } | undefined {
  const [first] = faults
  if (first !== undefined) return { reason: reasonOf(first), message: faults.map(({ message }) => message).join('; ') }
  return config !== undefined && routing.enabled && routing.gatewayRef === undefined
    ? { reason: 'GatewayMissing', message: NO_GATEWAY }
    : undefined
}

/** Every fault of a path has a reason. */
function reasonOf ({ code }: Fault): RoutingReason & DegradedReason {
  const entry = FAULTS[code]
  return 'reason' in entry && entry.reason !== 'RuntimeConfigMissing' ? entry.reason : 'PathTemplateInvalid'
}
