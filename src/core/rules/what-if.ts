import { createdAt } from '../../api/object-meta.ts'
import { assessService, type Assessment } from '../settings/assess.ts'
import type { RuntimeConfig } from '../settings/runtime-config.ts'
import type { Service, StoredService } from '../settings/service.ts'
import { degradedCause } from '../status/health.ts'
import type { HeldPath, PathIndex, World } from '../world.ts'
import { withConfig } from './dependents.ts'
import { serviceFaults } from './service-faults.ts'

/** What a change does to a service: `breaks` a healthy one, `heals` an unhealthy one, `moves` its path, or nothing. */
export const EFFECTS = ['breaks', 'heals', 'moves', 'stays'] as const
export type Effect = typeof EFFECTS[number]

/** A service before or after a change. */
export interface ServiceState {
  readonly assessment: Assessment
  readonly path: string | undefined
  /** Why the service is degraded, one line; undefined if it is healthy. */
  readonly problem: string | undefined
}

export interface Prediction {
  readonly service: Service
  readonly effect: Effect
  /** Whether the service uses a changed configuration. */
  readonly affected: boolean
  readonly before: ServiceState
  readonly after: ServiceState
}

/** All known services and configurations. */
export interface KnownWorld {
  readonly configs: World['configs']
  readonly services: World['services'] & { all (): Iterable<StoredService> }
  readonly indexPaths: (paths: readonly HeldPath[]) => PathIndex
}

/** The effect of changed configurations on every service, also on those that a moved service conflicts with. Pure. */
export function predictChanges (changes: readonly RuntimeConfig[], world: KnownWorld): Prediction[] {
  const changed = changes.reduce((configs, config) => withConfig(configs, config, config), world.configs)
  const services = Array.from(world.services.all()).filter(({ deleting }) => !deleting)
  const assessments = services.map((stored) => {
    const service = stored.parse()
    return { before: assessService(service, world.configs), after: assessService(service, changed) }
  })
  const oldPaths = world.indexPaths(assessments.flatMap(({ before }) => heldPath(before)))
  const newPaths = world.indexPaths(assessments.flatMap(({ after }) => heldPath(after)))
  return assessments.map(({ before, after }) => {
    const states = { before: stateOf(before, oldPaths), after: stateOf(after, newPaths) }
    return { service: before.service, affected: before.config !== after.config, effect: effectOf(states), ...states }
  })
}

function heldPath ({ claim, service }: Assessment): HeldPath[] {
  return claim === undefined ? [] : [{ ...claim, since: createdAt(service.object) }]
}

/** As the reconciler judges it: of two services that hold one path, the older is healthy. */
function stateOf (assessment: Assessment, paths: PathIndex): ServiceState {
  const cause = degradedCause(assessment, serviceFaults(assessment, { paths, stored: true, holds: true }))
  return { assessment, path: assessment.block?.routing.path, problem: cause?.message }
}

function effectOf ({ before, after }: Record<'before' | 'after', ServiceState>): Effect {
  if (after.problem !== undefined) return before.problem === undefined ? 'breaks' : 'stays'
  if (before.problem !== undefined) return 'heals'
  return before.path === after.path ? 'stays' : 'moves'
}
