import { dependents, MAX_DEPENDENTS, type ConfigChange, type Dependent } from './dependents.ts'
import type { Fault } from './faults.ts'
import { sameJson } from '../../platform/json.ts'
import type { PathClaim, ServiceKey, World } from '../ports.ts'
import { configTitle, type RuntimeConfig } from '../settings/runtime-config.ts'
import { problemText } from '../path/problem.ts'

/** Every fault of a configuration that this request causes; `old` is undefined on CREATE. Pure. */
export function configFaults (config: RuntimeConfig, old: RuntimeConfig | undefined): Fault[] {
  return [...credentialFaults(config), ...templateFaults(config, old)]
}

/** How many services a new or changed configuration would break or move, and which first. */
export function changeWarnings (config: RuntimeConfig, world: World): string[] {
  const touched = dependents({ config, after: config }, world)
  const crowded = new Set(colliding(touched, world))
  const fate = (dependent: Dependent): Fate | undefined => crowded.has(dependent) ? 'collides' : impactOf(dependent)
  return FATES.flatMap(([which, what]) => told(touched.filter((dependent) => fate(dependent) === which), what))
}

/** Who uses a configuration that is about to go, and what they fall back to. */
export function deletionWarnings (config: ConfigChange['config'], world: World): string[] {
  const users = dependents({ config, after: undefined }, world)
  const [first] = users
  if (first === undefined) return []
  const lasting = first.after.config
  return told(users, (one) => lasting === undefined
    ? `${one ? 'uses' : 'use'} ${configTitle(config)} and ${one ? 'is' : 'are'} left without a runtime configuration`
    : `${one ? 'uses' : 'use'} ${configTitle(config)} and ${one ? 'falls' : 'fall'} back to ${configTitle(lasting)}`)
}

function credentialFaults ({ kind, serviceAccountName, imagePullSecrets }: RuntimeConfig): Fault[] {
  if (kind === 'AIMRuntimeConfig') return []
  const given = [
    ...(serviceAccountName === undefined ? [] : ['spec.serviceAccountName']),
    ...(imagePullSecrets.length === 0 ? [] : ['spec.imagePullSecrets'])
  ]
  return given.map((field) => ({
    code: 'AIM-CREDENTIALS-IN-CLUSTER-CONFIG',
    field,
    message: `an AIMClusterRuntimeConfig carries no credentials, since every namespace would share them; move ${field} to an AIMRuntimeConfig in each namespace that needs it`
  }))
}

function templateFaults ({ template, routing }: RuntimeConfig, old: RuntimeConfig | undefined): Fault[] {
  if (template?.kind !== 'invalid' || old?.routing.pathTemplate === routing.pathTemplate) return []
  return template.problems.map((problem) => ({
    code: problem.code,
    field: 'spec.routing.pathTemplate',
    message: `${problemText(problem)}; ${problem.remedy ?? 'correct the template, or remove it so that the default applies'}`
  }))
}

type Fate = 'breaks' | 'collides' | 'closes' | 'moves' | 'changes gateway'

/** What may become of a service that was well, the worst first. */
const FATES: readonly (readonly [Fate, (one: boolean) => string])[] = [
  [
    'breaks',
    (one) =>
      `would lose ${one ? 'its' : 'their'} path, because the template cannot be rendered for ${one ? 'it' : 'them'}`
  ],
  ['collides', (one) => `would get ${one ? 'a path' : 'paths'} that another service holds or gets on the same gateway`],
  [
    'closes',
    (one) => `would lose ${one ? 'its' : 'their'} path, because routing would not be enabled for ${one ? 'it' : 'them'}`
  ],
  ['moves', () => 'would move to another path'],
  ['changes gateway', () => 'would move to another gateway']
]

/** Undefined where the service stays as it is, or was not well before. */
function impactOf ({ before, after }: Dependent): Fate | undefined {
  if (after.path.kind === 'faulty') return before.path.kind === 'faulty' ? undefined : 'breaks'
  if (before.path.kind !== 'path') return undefined
  if (after.path.kind === 'disabled') return 'closes'
  if (after.path.kind !== 'path' || after.path.path !== before.path.path) return 'moves'
  return sameJson(before.claim?.gateway, after.claim?.gateway) ? undefined : 'changes gateway'
}

/**
 * Those that would come to a path where another one of them comes or stays, or where a service is that this change does
 * not move.
 */
function colliding (touched: readonly Dependent[], { paths }: World): Dependent[] {
  const claimed = Map.groupBy(touched, ({ after: { claim } }) => claim === undefined ? '' : placeOf(claim))
  const moving = touched.filter(({ before, after }) => !sameJson(before.claim, after.claim))
  const leaving = new Set(moving.map(({ service }) => keyOf(service)))
  const taken = new Map<string, boolean>()
  return moving.filter(({ after: { claim } }) => {
    if (claim === undefined) return false
    const place = placeOf(claim)
    const isTaken =
      taken.get(place) ??
      ((claimed.get(place)?.length ?? 0) > 1 ||
        paths.holders(claim).some(({ service }) => !leaving.has(keyOf(service))))
    taken.set(place, isTaken)
    return isTaken
  })
}

function placeOf ({ gateway, path }: PathClaim): string {
  return JSON.stringify([gateway, path])
}

function keyOf ({ namespace, name }: ServiceKey): string {
  return `${namespace}/${name}`
}

/** One line: the count, the first three by name, and what happens to them. */
function told (found: readonly Dependent[], what: (one: boolean) => string): string[] {
  if (found.length === 0) return []
  const names = found.slice(0, 3).map(({ service }) => keyOf(service)).join(', ')
  const count = found.length === MAX_DEPENDENTS ? `at least ${found.length}` : String(found.length)
  const one = found.length === 1
  return [`${count} ${one ? 'service' : 'services'} (${names}${found.length > 3 ? ', …' : ''}) ${what(one)}`]
}
