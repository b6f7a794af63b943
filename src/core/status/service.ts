import type { AIMServiceStatus } from '../../api/aim-service.ts'
import type { Condition } from '../../api/kubernetes-schemas.ts'
import { generationOf } from '../../api/object-meta.ts'
import { isJsonObject, ownObject, ownString, type JsonObject } from '../../platform/json.ts'
import { FAULTS, PATH_FAULT_REASONS, type Fault } from '../faults.ts'
import type { Assessment } from '../settings/assess.ts'
import { configTitle } from '../settings/runtime-config.ts'
import type { ConfigLookup } from '../world.ts'
import { conditionsOf, CONTESTED, knownConditions, knownFields, type ConditionDraft } from './conditions.ts'
import { pathInBlock } from '../settings/service-path.ts'
import { missingConfigFault, NO_GATEWAY } from '../rules/service-faults.ts'

/** The condition types that this program writes, in order; it keeps those of others. */
export const SERVICE_CONDITIONS = ['RuntimeConfigResolved', 'PathResolved', 'RoutingReady', 'Degraded'] as const

/** The part of a service's status that this program writes. */
export type OwnServiceStatus = Readonly<
  Pick<AIMServiceStatus, 'observedGeneration' | 'resolvedRuntimeConfig' | 'routing'>
> & { readonly conditions: readonly Condition[] }

export interface StatusContext {
  readonly configs: ConfigLookup
  /** Of the path: see `serviceFaults`. */
  readonly faults: readonly Fault[]
  readonly known: OwnServiceStatus
  /** RFC 3339 in whole seconds. */
  readonly now: string
  /** Why the block does not have the current configuration yet; undefined if it does. */
  readonly waiting: string | undefined
}

/** This program's part of a stored status. */
export function ownServiceStatus (object: JsonObject): OwnServiceStatus {
  const status = ownObject(object, 'status')
  const path = ownString(ownObject(status, 'routing'), 'path')
  return {
    ...knownFields(status, ['observedGeneration', 'resolvedRuntimeConfig']),
    ...(path !== '' && { routing: { path } }),
    conditions: knownConditions(object, [...SERVICE_CONDITIONS, CONTESTED])
  }
}

/** Pure, so that all replicas write the same status. */
export function serviceStatus (assessment: Assessment, context: StatusContext): OwnServiceStatus {
  const { configs, faults, known, now, waiting } = context
  const generation = generationOf(assessment.service.object)
  const drafts = waiting === undefined ? settledDrafts(assessment, faults) : waitingDrafts(assessment, known, waiting)
  const resolved = resolvedConfig(assessment, configs)
  const hasConflict = drafts.some(({ reason }) => reason === 'PathConflict') // then another service has the path
  const path = hasConflict ? '' : pathInBlock(assessment.service.block)
  return {
    ...(generation > 0 && { observedGeneration: generation }),
    ...(resolved !== undefined && { resolvedRuntimeConfig: resolved }),
    ...(path !== '' && { routing: { path } }),
    conditions: conditionsOf(drafts, { known: known.conditions, generation, now })
  }
}

/** The configuration in the block, and its uid if it still exists. */
function resolvedConfig (
  { service: { block } }: Assessment, configs: ConfigLookup
): OwnServiceStatus['resolvedRuntimeConfig'] {
  if (!isJsonObject(block)) return undefined
  const [scope, namespace, name] = [ownString(block, 'scope'), ownString(block, 'namespace'), ownString(block, 'name')]
  const found = scope === 'Namespace' ? configs.namespaced(namespace, name) : configs.cluster(name)
  const { kind, hash } = block
  const uid = found !== undefined && found.kind === kind ? found.uid : '' // none of the built-in defaults
  const config = { kind, scope, ...(namespace !== '' && { namespace }), name, ...(uid !== '' && { uid }), hash }
  return config as OwnServiceStatus['resolvedRuntimeConfig'] // the CRD's schema guarantees the shape of the block
}

function settledDrafts (assessment: Assessment, faults: readonly Fault[]): ConditionDraft[] {
  const { config } = assessment
  const cause = degradedCause(assessment, faults)
  const path = pathCondition(assessment, faults)
  return [
    config === undefined
      ? resolvedCondition('RuntimeConfigMissing', cause?.message ?? '')
      : resolvedCondition('Resolved', configTitle(config)),
    path,
    { ...path, type: 'RoutingReady' }, // for programs that wait for it; an operator that makes routes may own it
    cause === undefined ? HEALTHY : { type: 'Degraded', status: 'True', ...cause }
  ]
}

/** The old settings apply until the new ones arrive, so the other conditions stay as they are. */
function waitingDrafts ({ config }: Assessment, { conditions }: OwnServiceStatus, waiting: string): ConditionDraft[] {
  const title = config === undefined ? 'the runtime configuration' : configTitle(config)
  const known = (draft: ConditionDraft): ConditionDraft => conditions.find(({ type }) => type === draft.type) ?? draft
  return [
    resolvedCondition('RollingOut', `${title} is not rolled out to this service yet: ${waiting}`),
    known({ ...WAITING, type: 'PathResolved' }),
    known({ ...WAITING, type: 'RoutingReady' }),
    known(HEALTHY)
  ]
}

function resolvedCondition (reason: ResolvedReason, message: string): ConditionDraft {
  return { type: 'RuntimeConfigResolved', status: reason === 'Resolved' ? 'True' : 'False', reason, message }
}

const WAITING = {
  status: 'False', reason: 'PathPending', message: 'the path waits for the runtime configuration'
} as const

const HEALTHY: ConditionDraft =
  { type: 'Degraded', status: 'False', reason: 'AsExpected', message: 'the service has no problem' }

/** Reasons of the condition `RuntimeConfigResolved`. */
export const RESOLVED_REASONS = ['Resolved', 'RuntimeConfigMissing', 'RollingOut'] as const
/** Reasons of the conditions `PathResolved` and `RoutingReady`. */
export const ROUTING_REASONS =
  ['PathRendered', 'RoutingDisabled', ...PATH_FAULT_REASONS, 'PathPending', 'GatewayMissing'] as const
/** Reasons of the condition `Degraded`. */
export const DEGRADED_REASONS = ['AsExpected', 'RuntimeConfigMissing', ...PATH_FAULT_REASONS, 'GatewayMissing'] as const

type ResolvedReason = typeof RESOLVED_REASONS[number]
type RoutingReason = typeof ROUTING_REASONS[number]
type DegradedReason = Exclude<typeof DEGRADED_REASONS[number], 'AsExpected'>

/** Why a service is degraded. */
interface Cause { readonly reason: DegradedReason, readonly message: string }

/** The condition `PathResolved`. `faults`: of the path. */
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
  const message = faults.map(({ message }) => message).join('; ')
  if (first !== undefined) return { reason: pathReason(first), message }
  return config !== undefined && routing.enabled && routing.gatewayRef === undefined
    ? { reason: 'GatewayMissing', message: NO_GATEWAY }
    : undefined
}

/** Each fault that reaches a status has a reason of a path; the fallback is for the types alone. */
function pathReason ({ code }: Fault): RoutingReason & DegradedReason {
  const entry = FAULTS[code]
  return 'reason' in entry && entry.reason !== 'RuntimeConfigMissing' ? entry.reason : 'PathTemplateInvalid'
}
