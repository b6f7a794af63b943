import { assessService, type Assessment } from '../core/settings/assess.ts'
import type { Fault } from '../core/rules/faults.ts'
import { degradedCause } from '../core/status/health.ts'
import { serviceFaults } from '../core/rules/service-faults.ts'
import { stalenessOf, storedPath, type Staleness } from '../core/status/staleness.ts'
import type { Observed } from './observed-objects.ts'
import { serviceKey, type ReconcileWorld } from './reconcile-world.ts'
import type { OwnServiceStatus } from '../core/status/service.ts'

/** One service and everything that a decision about it rests on. */
export interface ServiceSnapshot {
  readonly assessment: Assessment
  readonly staleness: Staleness
  /** Those it has, or would have once it is current. */
  readonly faults: readonly Fault[]
  /** Whether it fails, or would fail once it is current. */
  readonly fails: boolean
  readonly observed: Observed<OwnServiceStatus>
  /** Since when it is known to be degraded, RFC 3339; undefined where it is not. */
  readonly degradedSince: string | undefined
}

/** Undefined where the service is gone, or on its way out. */
export function situationOf (id: string, { services, configs, serviceStatuses }: ReconcileWorld): ServiceSnapshot | undefined {
  const service = services.get(serviceKey(id))
  const observed = serviceStatuses.get(serviceKey(id))
  if (service === undefined || observed === undefined || service.deleting) return undefined
  const assessment = assessService(service.parse(), configs)
  const holds = assessment.claim !== undefined && storedPath(assessment) === assessment.claim.path
  const faults = serviceFaults(assessment, { paths: services.paths, stored: true, holds })
  const degraded = observed.status.conditions.find(({ type }) => type === 'Degraded')
  return {
    assessment,
    staleness: stalenessOf(assessment),
    faults,
    fails: degradedCause(assessment, faults) !== undefined,
    observed,
    degradedSince: degraded?.status === 'True' ? degraded.lastTransitionTime : undefined
  }
}
