import { createdAt, keyText } from '../../api/object-meta.ts'
import { counted } from '../../platform/printable.ts'
import { assessService, type Assessment, type AssessmentWorld } from '../settings/assess.ts'
import type { RuntimeConfig } from '../settings/runtime-config.ts'
import type { Service, StoredService } from '../settings/service.ts'
import { ageOrder, isSameClaim } from '../settings/service-path.ts'
import { degradedCause } from '../status/service.ts'
import type { ConfigLookup, HeldPath, PathIndex, World } from '../world.ts'
import { withConfig } from './config.ts'
import { serviceFaults } from './service-faults.ts'

/** What a change does to a service: `breaks` a healthy one, `heals` an unhealthy one, `moves` its path, or nothing. */
export const EFFECTS = ['breaks', 'heals', 'moves', 'stays'] as const
export type Effect = typeof EFFECTS[number]

/** A service before or after a change. */
interface ServiceState {
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

/** `3 services: 1 breaks, 2 stays` */
export function effectSummary (predictions: readonly Prediction[]): string {
  const counts = EFFECTS.map((effect) => [predictions.filter((one) => one.effect === effect).length, effect] as const)
    .filter(([count]) => count > 0).map(([count, effect]) => `${count} ${effect}`).join(', ')
  return `${counted(predictions.length, 'service')}${counts && ': '}${counts}`
}

/** All known services and configurations. */
export interface KnownWorld extends AssessmentWorld {
  readonly services: World['services'] & { all (): Iterable<StoredService> }
  readonly indexPaths: (paths: readonly HeldPath[]) => PathIndex & { add (held: HeldPath): void }
}

/** `configs` with changed or new ones. */
export function withChanges (configs: ConfigLookup, changes: readonly RuntimeConfig[]): ConfigLookup {
  return changes.reduce<ConfigLookup>((before, config) => withConfig(before, config, config), configs)
}

/** The effect of other `configs` on every service, also on those that get a path which a moved service leaves. */
export function predictChanges (configs: ConfigLookup, world: KnownWorld): Prediction[] {
  const before = Array.from(world.services.all()).filter(({ deleting }) => !deleting)
    .flatMap((stored) => stored.parse() ?? [])
    .map((service) => assessService(service, world, service))
  const after = settledAssessments(before, { ...world, configs })
  return before.map((assessment) => {
    const { service } = assessment
    const next = after.get(keyText(service)) ?? assessment
    const states = { before: stateOf(assessment, world), after: stateOf(next, world) }
    return { service, affected: assessment.config !== next.config, effect: effectOf(states), ...states }
  })
}

/** Once every rollout has ended: a service keeps a path that it still asks for; the other paths go to the oldest. */
function settledAssessments (before: readonly Assessment[], world: KnownWorld): Map<string, Assessment> {
  const paths = world.indexPaths([])
  const hold = ({ claim, service }: Assessment): void => {
    if (claim !== undefined) paths.add({ ...claim, since: createdAt(service.object) })
  }
  const alone = before.map(({ service, claim }) =>
    ({ service, claim, next: assessService(service, { ...world, paths }, service) }))
  const { staying = [], moving = [] } = Object.groupBy(alone, ({ claim, next }) =>
    claim !== undefined && next.claim !== undefined && isSameClaim(claim, next.claim) ? 'staying' : 'moving')
  for (const { next } of staying) hold(next)
  const settled = new Map(staying.map(({ service, next }) => [keyText(service), next]))
  const byAge = moving.map(({ service }) => ({ service, age: ageOrder({ since: createdAt(service.object), service }) }))
  for (const { service } of byAge.sort((a, b) => a.age < b.age ? -1 : 1)) {
    const assessment = assessService(service, { ...world, paths }, service)
    hold(assessment)
    settled.set(keyText(service), assessment)
  }
  return settled
}

/** As the reconciler judges it. */
function stateOf (assessment: Assessment, { pathPolicy: { conflictDetails }, served }: KnownWorld): ServiceState {
  const cause = degradedCause(assessment, serviceFaults(assessment, { stored: true, conflictDetails, served }))
  return { assessment, path: assessment.block?.routing.path, problem: cause?.message }
}

function effectOf ({ before, after }: Record<'before' | 'after', ServiceState>): Effect {
  if (after.problem !== undefined) return before.problem === undefined ? 'breaks' : 'stays'
  if (before.problem !== undefined) return 'heals'
  return before.path === after.path ? 'stays' : 'moves'
}
