import type { AIMServiceStatus } from '../../api/aim-service.ts'
import type { Condition } from '../../api/kubernetes-schemas.ts'
import type { Assessment } from '../settings/assess.ts'
import { conditionsOf, knownConditions, type ConditionDraft } from './conditions.ts'
import type { Fault } from '../rules/faults.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../../platform/json.ts'
import { generationOf } from '../../api/object-meta.ts'
import type { ConfigLookup } from '../world.ts'
import { configTitle } from '../settings/runtime-config.ts'
import { degradedCause, routingFinding, type ResolvedReason } from './health.ts'
import { storedPath } from './staleness.ts'

/** The condition types that this program writes, in their order. Those of others are not touched. */
export const SERVICE_CONDITIONS = ['RuntimeConfigResolved', 'RoutingReady', 'Degraded'] as const

/** The part of a service's status that this program writes. */
export type OwnServiceStatus = Readonly<
  Pick<AIMServiceStatus, 'observedGeneration' | 'resolvedRuntimeConfig' | 'routing'>
> & { readonly conditions: readonly Condition[] }

/** What a status is made of beside the service itself. */
export interface StatusContext {
  readonly configs: ConfigLookup
  /** Of the path: see `serviceFaults`. */
  readonly faults: readonly Fault[]
  readonly known: OwnServiceStatus
  /** RFC 3339 in whole seconds. */
  readonly now: string
  /** Why the configuration in force is not in the block yet; undefined where it is. */
  readonly waiting: string | undefined
}

/** The part that this program writes, as an object has it stored. */
export function ownServiceStatus (object: JsonObject): OwnServiceStatus {
  const status = ownObject(object, 'status')
  const path = ownString(ownObject(status, 'routing'), 'path')
  return {
    ...(own(status, 'observedGeneration') !== undefined && { observedGeneration: own(status, 'observedGeneration') }),
    ...(own(status, 'resolvedRuntimeConfig') !== undefined && {
      resolvedRuntimeConfig: own(status, 'resolvedRuntimeConfig')
    }),
    ...(path !== '' && { routing: { path } }),
    conditions: knownConditions(object, SERVICE_CONDITIONS)
  } as OwnServiceStatus // its schema vouches for the form
}

/** The status that a service is to have. Pure: two that judge the same service write the same. */
export function serviceStatus (assessment: Assessment, context: StatusContext): OwnServiceStatus {
  const { service } = assessment
  const generation = generationOf(service.object)
  const findings =
    context.waiting === undefined ? settledFindings(assessment, context.faults) : waitingFindings(assessment, context)
  const resolved = resolvedConfig(assessment, context.configs)
  const path = livePath(assessment, findings)
  return {
    ...(generation > 0 && { observedGeneration: generation }),
    ...(resolved !== undefined && { resolvedRuntimeConfig: resolved }),
    ...(path !== '' && { routing: { path } }),
    conditions: conditionsOf(findings, { known: context.known.conditions, generation, now: context.now })
  }
}

/** What the block says, and the uid of the configuration where it still exists. */
function resolvedConfig (
  { service: { block } }: Assessment, configs: ConfigLookup
): OwnServiceStatus['resolvedRuntimeConfig'] {
  if (!isJsonObject(block)) return undefined
  const [scope, namespace, name] = [ownString(block, 'scope'), ownString(block, 'namespace'), ownString(block, 'name')]
  const uid = (scope === 'Namespace' ? configs.namespaced(namespace, name) : configs.cluster(name))?.uid
  const { kind, hash } = block
  // a block's fields, whose schema vouches for them
  return {
    kind,
    scope,
    ...(namespace !== '' && { namespace }),
    name,
    ...(uid !== undefined && uid !== '' && { uid }),
    hash
  } as OwnServiceStatus['resolvedRuntimeConfig']
}

/** A path that another service holds is none. */
function livePath (assessment: Assessment, findings: readonly ConditionDraft[]): string {
  return findings.some(({ reason }) => reason === 'PathConflict') ? '' : storedPath(assessment)
}

function settledFindings (assessment: Assessment, faults: readonly Fault[]): ConditionDraft[] {
  const { config } = assessment
  const cause = degradedCause(assessment, faults)
  return [
    config === undefined && cause !== undefined
      ? resolvedFinding('RuntimeConfigMissing', cause.message)
      : resolvedFinding('Resolved', config === undefined ? '' : configTitle(config)),
    routingFinding(assessment, faults),
    cause === undefined ? WELL : { type: 'Degraded', status: 'True', ...cause }
  ]
}

/** Until the new settings arrive, the old ones are in force: the other conditions stay as they are. */
function waitingFindings ({ config }: Assessment, { known, waiting = '' }: StatusContext): ConditionDraft[] {
  const title = config === undefined ? 'the runtime configuration' : configTitle(config)
  const stays = (finding: ConditionDraft): ConditionDraft =>
    known.conditions.find(({ type }) => type === finding.type) ?? finding
  return [
    resolvedFinding('RollingOut', `${title} is yet to be carried to this service: ${waiting}`),
    withoutTimes(
      stays({
        type: 'RoutingReady',
        status: 'False',
        reason: 'PathPending',
        message: 'the path waits for the runtime configuration'
      })
    ),
    withoutTimes(stays(WELL))
  ]
}

function withoutTimes ({ type, status, reason, message }: ConditionDraft): ConditionDraft {
  return { type, status, reason, message }
}

function resolvedFinding (reason: ResolvedReason, message: string): ConditionDraft {
  return { type: 'RuntimeConfigResolved', status: reason === 'Resolved' ? 'True' : 'False', reason, message }
}

const WELL: ConditionDraft = { type: 'Degraded', status: 'False', reason: 'AsExpected', message: '' }
