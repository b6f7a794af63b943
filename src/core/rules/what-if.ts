import { assessService, type Assessment } from '../settings/assess.ts'
import { dependents } from './dependents.ts'
import type { ConfigIndex } from '../../cache/config-index.ts'
import { createdAt } from '../../api/object-meta.ts'
import { PathClaims } from '../../cache/path-claims.ts'
import type { PathIndex } from '../ports.ts'
import type { RuntimeConfig } from '../settings/runtime-config.ts'
import { serviceFaults } from './service-faults.ts'
import { degradedCause } from '../status/health.ts'
import type { ServiceIndex } from '../../cache/service-index.ts'
import type { Service } from '../settings/service.ts'

/**
 * What a change does to a service. `breaks`: it was well and would not be; `heals`: the other way round; `moves`: to
 * another path; `stays`: none of that.
 */
export const EFFECTS = ['breaks', 'heals', 'moves', 'stays'] as const
export type Effect = typeof EFFECTS[number]

/** A service before or after a change. */
export interface ServiceState {
  readonly assessment: Assessment
  /** Undefined without one. */
  readonly path: string | undefined
  /** Why it is not well, one line; undefined where it is. */
  readonly trouble: string | undefined
}

export interface Prediction {
  readonly service: Service
  readonly effect: Effect
  /** Whether it uses what is changed. */
  readonly touched: boolean
  readonly before: ServiceState
  readonly after: ServiceState
}

export interface KnownWorld { readonly configs: ConfigIndex, readonly services: ServiceIndex }

/**
 * What becomes of every known service once the changed configurations are in force for all that use them, those
 * included that a moved service gets in the way of. `feed` takes a configuration into the world.
 */
export function predictChanges (changes: readonly RuntimeConfig[], world: KnownWorld, feed: (config: RuntimeConfig) => void): Prediction[] {
  const before = [...world.services.all()]
    .filter(({ deleting }) => !deleting)
    .map((service) => assessService(service, world.configs))
  const touched = new Map<Service, Assessment>()
  for (const config of changes) {
    for (const { service, after } of dependents({ config, after: config }, world, Infinity)) touched.set(service, after)
    feed(config)
  }
  const after = before.map((assessment) => touched.get(assessment.service) ?? assessment)
  const [oldPaths, newPaths] = [pathsOf(before), pathsOf(after)]
  return before.map((assessment) => {
    const { service } = assessment
    const standings = {
      before: standingOf(assessment, oldPaths),
      after: standingOf(touched.get(service) ?? assessment, newPaths)
    }
    return { service, touched: touched.has(service), effect: effectOf(standings), ...standings }
  })
}

/** As the reconciler sees it: of two that hold one path, the older is well. */
function standingOf (assessment: Assessment, paths: PathIndex): ServiceState {
  const trouble = degradedCause(assessment, serviceFaults(assessment, { paths, stored: true, holds: true }))
  return { assessment, path: assessment.block?.routing.path, trouble: trouble?.message }
}

function pathsOf (assessments: readonly Assessment[]): PathIndex {
  const paths = new PathClaims()
  for (const { claim, service } of assessments) {
    if (claim !== undefined) paths.add({ ...claim, since: createdAt(service.object) })
  }
  return paths
}

function effectOf ({ before, after }: Record<'before' | 'after', ServiceState>): Effect {
  if (after.trouble !== undefined) return before.trouble === undefined ? 'breaks' : 'stays'
  if (before.trouble !== undefined) return 'heals'
  return before.path === after.path ? 'stays' : 'moves'
}
