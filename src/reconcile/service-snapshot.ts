import { parseKey } from '../api/object-meta.ts'
import { BUILTIN_KIND } from '../api/kinds.ts'
import type { Fault } from '../core/faults.ts'
import { serviceFaults } from '../core/rules/service-faults.ts'
import { assessService, type Assessment } from '../core/settings/assess.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import { readService, type Service } from '../core/settings/service.ts'
import { degradedCause, type OwnServiceStatus } from '../core/status/service.ts'
import { stalenessOf, type Staleness } from '../core/status/staleness.ts'
import type { WorkResult } from './work-queue.ts'
import { assessmentWorld, type Observed, type ReconcileWorld } from './world.ts'

/** One service and everything that decisions about it depend on. */
export interface ServiceSnapshot {
  readonly id: string
  readonly assessment: Assessment
  readonly staleness: Staleness
  /** Its current faults, or those it will have once it is current. */
  readonly faults: readonly Fault[]
  /** Whether it fails, or will fail once it is current. */
  readonly fails: boolean
  readonly observed: Observed<OwnServiceStatus>
  /** Whether its status reports it as degraded. */
  readonly isDegraded: boolean
}

/** Why a service could not be read. */
export type ReadFailure = Extract<WorkResult, { kind: 'retry' }>

/**
 * Costs an assessment, and for a partial service a request: once per work item. Undefined if the service was deleted,
 * or is being deleted.
 */
export async function readSnapshot (
  id: string, world: ReconcileWorld
): Promise<ServiceSnapshot | ReadFailure | undefined> {
  const snapshot = await readOnce(id, world)
  if (snapshot === undefined || 'reason' in snapshot || !isWithoutRecord(snapshot)) return snapshot
  await world.definitions.refresh() // a changed definition may have dropped it
  return await readOnce(id, world)
}

function isWithoutRecord ({ staleness, assessment: { service, config } }: ServiceSnapshot): boolean {
  return staleness === 'unobserved' && config !== undefined && service.block === undefined
}

async function readOnce (id: string, world: ReconcileWorld): Promise<ServiceSnapshot | ReadFailure | undefined> {
  const observed = world.serviceStatuses.get(parseKey(id))
  if (observed === undefined || world.services.get(parseKey(id))?.partial !== true) return snapshotOf(id, world)
  const result = await world.readService(parseKey(id))
  if (result.kind === 'missing') return undefined
  if (result.kind === 'failed') return { kind: 'retry', reason: result.reason }
  const service = readService(result.object, parseKey(id).namespace)
  if (service.kind === 'malformed' || service.deleting) return undefined
  return assessed({ id, service, observed }, world)
}

/** The snapshot from the caches alone. Also undefined for a partial service. */
export function snapshotOf (id: string, world: ReconcileWorld): ServiceSnapshot | undefined {
  const stored = world.services.get(parseKey(id))
  const observed = world.serviceStatuses.get(parseKey(id))
  if (stored === undefined || observed === undefined || stored.deleting) return undefined
  const service = stored.parse()
  return service && assessed({ id, service, observed }, world)
}

/** In milliseconds: a definition that changed so recently may have dropped what admission wrote. */
const RECENT_MS = 60_000

interface ObservedService extends Pick<ServiceSnapshot, 'id' | 'observed'> { readonly service: Service }

function assessed ({ id, service, observed }: ObservedService, world: ReconcileWorld): ServiceSnapshot {
  const known = assessmentWorld(world)
  const assessment = assessService(service, known, service)
  const staleness = stalenessOf(assessment)
  const isRecent = service.block === undefined && world.definitions.sinceChange() < RECENT_MS
  const { pathPolicy: { conflictDetails }, served } = known
  const faults = serviceFaults(assessment, { stored: true, conflictDetails, served })
  return {
    id,
    assessment,
    staleness: staleness === 'unobserved' && isRecent ? 'misplaced' : staleness,
    faults,
    fails: degradedCause(assessment, faults) !== undefined,
    observed,
    isDegraded: isDegraded(observed.status)
  }
}

export function isDegraded ({ conditions }: OwnServiceStatus): boolean {
  return conditions.some(({ type, status }) => type === 'Degraded' && status === 'True')
}

/** The configuration of a service, which rollouts bring; undefined for built-in defaults, which never change. */
export function rolledOutConfig ({ config }: Pick<Assessment, 'config'>): RuntimeConfig | undefined {
  return config?.kind === BUILTIN_KIND ? undefined : config
}
