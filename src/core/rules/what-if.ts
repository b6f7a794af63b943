import { createdAt, objectKey } from '../../api/object-meta.ts'
import { assessService, type Assessment } from '../settings/assess.ts'
import type { RuntimeConfig } from '../settings/runtime-config.ts'
import type { Service, StoredService } from '../settings/service.ts'
import { degradedCause } from '../status/health.ts'
import type { HeldPath, PathIndex, World } from '../world.ts'
import { dependents } from './dependents.ts'
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
  /** Stores a changed configuration, so that later lookups find it. */
  readonly store: (config: RuntimeConfig) => void
}

/** The effect of changed configurations on every service, also on those that a moved service conflicts with. */
export function predictChanges (changes: readonly RuntimeConfig[], world: KnownWorld): Prediction[] {
  const before = Array.from(world.services.all())
    .filter(({ deleting }) => !deleting)
    .map((stored) => assessService(stored.parse(), world.configs))
  const changed = new Map<string, Assessment>()
  for (const config of changes) {
    for (const { service, after } of dependents({ config, after: config }, world, Infinity)) {
      changed.set(objectKey(service), after)
    }
    world.store(config)
  }
  const after = before.map((assessment) => changed.get(objectKey(assessment.service)) ?? assessment)
  const [oldPaths, newPaths] = [world.indexPaths(before.flatMap(heldPath)), world.indexPaths(after.flatMap(heldPath))]
  return before.map((assessment, at) => {
    const states = {
      before: stateOf(assessment, oldPaths),
      after: stateOf(after[at] ?? assessment, newPaths)
    }
    const { service } = assessment
    return { service, affected: changed.has(objectKey(service)), effect: effectOf(states), ...states }
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
