import type { AIMServiceStatus } from '../../api/aim-service.ts'
import type { Condition } from '../../api/kubernetes-schemas.ts'
import { generationOf } from '../../api/object-meta.ts'
import { isJsonObject, ownObject, ownString, type JsonObject } from '../../platform/json.ts'
import type { Fault } from '../rules/faults.ts'
import type { Assessment } from '../settings/assess.ts'
import { configTitle } from '../settings/runtime-config.ts'
import type { ConfigLookup } from '../world.ts'
import { conditionsOf, knownConditions, knownFields, type ConditionDraft } from './conditions.ts'
import { CONTESTED } from './contest.ts'
import { degradedCause, pathConditions, type ResolvedReason } from './health.ts'
import { storedPath } from './staleness.ts'

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
  const path = hasConflict ? '' : storedPath(assessment)
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
  const uid = (scope === 'Namespace' ? configs.namespaced(namespace, name) : configs.cluster(name))?.uid ?? ''
  return {
    kind: block['kind'],
    scope,
    ...(namespace !== '' && { namespace }),
    name,
    ...(uid !== '' && { uid }),
    hash: block['hash']
  } as OwnServiceStatus['resolvedRuntimeConfig'] // the CRD's schema guarantees the shape of the block
}

function settledDrafts (assessment: Assessment, faults: readonly Fault[]): ConditionDraft[] {
  const { config } = assessment
  const cause = degradedCause(assessment, faults)
  return [
    config === undefined && cause !== undefined
      ? resolvedCondition('RuntimeConfigMissing', cause.message)
      : resolvedCondition('Resolved', config === undefined ? '' : configTitle(config)),
    ...pathConditions(assessment, faults),
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
