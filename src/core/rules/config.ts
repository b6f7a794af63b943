import { keyText } from '../../api/object-meta.ts'
import { CREDENTIAL_FIELDS, credentialMessage } from '../../api/kinds.ts'
import { sameJson } from '../../platform/json.ts'
import type { Steps } from '../../platform/steps.ts'
import { problemText } from '../path/problem.ts'
import { impossibleFields, slashWarnings } from '../path/template.ts'
import { configTitle, MAX_SPEC_CHARACTERS, type RuntimeConfig, type UsedConfig } from '../settings/runtime-config.ts'
import { rivals } from '../settings/service-path.ts'
import type { ConfigLookup, HeldPath, PathClaim, World } from '../world.ts'
import type { ObjectKey } from '../ports.ts'
import type { Fault } from '../faults.ts'
import { assessPath, resolveConfig, type PathAssessment } from '../settings/assess.ts'
import type { Service, StoredService } from '../settings/service.ts'

/** Every fault of a configuration that this request causes; `old` is undefined on CREATE. Pure. */
export function configFaults (config: RuntimeConfig, old: RuntimeConfig | undefined): Fault[] {
  return [...credentialFaults(config), ...templateFaults(config, old), ...sizeFaults(config, old)]
}

/** How many services a new or changed configuration would break or move, and the first names. */
export function * changeWarnings (config: RuntimeConfig, world: World): Steps<string[]> {
  const { found, unexamined, complete } = yield * dependents({ config, after: config }, world)
  const colliding = yield * collidingServices(found, world)
  const byImpact = new Map<Impact | undefined, Service[]>()
  for (const dependent of found) {
    const impact = colliding?.has(dependent) === true ? 'collides' : impactOf(dependent)
    byImpact.set(impact, byImpact.get(impact) ?? []).get(impact)?.push(dependent.service)
    yield
  }
  const isComplete = complete && colliding !== undefined
  const warnings = [
    ...slashWarnings(config.routing.pathTemplate),
    ...impossibleFields(config.template, world.served).map((problem) =>
      `spec.routing.pathTemplate: ${problemText(problem)}; ${problem.remedy}`),
    ...IMPACTS.flatMap(([impact, text]) => countWarning(byImpact.get(impact) ?? [], isComplete, text)),
    ...unexaminedWarning(config, unexamined.length)
  ]
  return isComplete ? warnings : [...warnings, incompleteWarning(config, found.length)]
}

/** The services that use a configuration to be deleted, and what they fall back to. */
export function * deletionWarnings (config: ConfigChange['config'], world: World): Steps<string[]> {
  const users: ConfigUser[] = []
  const complete = yield * eachUser({ config, after: undefined }, world, (user) => { users.push(user) })
  if (users.length === 0 && !complete) return [incompleteWarning(config, 0)]
  const fallback = users[0]?.next
  const fate = (one: boolean): string => fallback === undefined
    ? `${one ? 'is' : 'are'} left without a runtime configuration`
    : `${one ? 'falls' : 'fall'} back to ${configTitle(fallback)}`
  return countWarning(users.map(({ stored }) => stored), complete, (one) =>
    `${one ? 'uses' : 'use'} ${configTitle(config)} and ${fate(one)}`)
}

/** The CRD states the same rule; this one also covers a cluster with another definition. */
function credentialFaults (config: RuntimeConfig): Fault[] {
  if (config.kind === 'AIMRuntimeConfig') return []
  return CREDENTIAL_FIELDS.filter((field) => (config[field]?.length ?? 0) > 0).map((field) => ({
    code: 'AIM-CREDENTIALS-IN-CLUSTER-CONFIG',
    field: `spec.${field}`,
    message: credentialMessage(field)
  }))
}

function templateFaults ({ template, routing }: RuntimeConfig, old: RuntimeConfig | undefined): Fault[] {
  if (template?.kind !== 'invalid' || old?.routing.pathTemplate === routing.pathTemplate) return []
  return template.problems.map((problem) => {
    const remedy = problem.remedy ?? 'correct the template, or remove it so that the default applies'
    return { code: problem.code, field: 'spec.routing.pathTemplate', message: `${problemText(problem)}; ${remedy}` }
  })
}

/** Every replica keeps each configuration in memory, with what its services are given. */
function sizeFaults ({ oversized }: RuntimeConfig, old: RuntimeConfig | undefined): Fault[] {
  if (!oversized || old?.oversized === true) return []
  const message = `the spec has more than ${MAX_SPEC_CHARACTERS} characters as JSON, which is the most that is kept; ` +
    'shorten spec.imagePullSecrets, or split the configuration'
  return [{ code: 'AIM-CONFIG-TOO-LARGE', field: 'spec', message }]
}

type Impact = 'breaks' | 'collides' | 'closes' | 'moves' | 'changes gateway'

/** What can happen to a healthy service, the worst first. `one`: the text is about a single service. */
const IMPACTS: readonly (readonly [Impact, (one: boolean) => string])[] = [
  ['breaks', (one) => `would lose ${one ? 'its path' : 'their paths'}, because the template cannot be rendered`],
  ['collides', (one) => `would get ${one ? 'a path' : 'paths'} that another service holds or gets on the same gateway`],
  ['closes', (one) => `would lose ${one ? 'its path' : 'their paths'}, because routing would be disabled`],
  ['moves', () => 'would move to another path'],
  ['changes gateway', () => 'would move to another gateway']
]

/** Undefined if the service stays as it is, or is invalid already. */
function impactOf ({ before, after }: Dependent): Impact | undefined {
  if (after.path.kind === 'invalid') return before.path.kind === 'invalid' ? undefined : 'breaks'
  if (before.path.kind !== 'path') return undefined
  if (after.path.kind === 'disabled') return 'closes'
  return movement(before.wanted, after.wanted)
}

function movement (before: PathClaim | undefined, after: PathClaim | undefined): Impact | undefined {
  if (before?.path !== after?.path) return 'moves'
  return sameJson(before?.gateway, after?.gateway) ? undefined : 'changes gateway'
}

function unexaminedWarning (config: ConfigChange['config'], count: number): string[] {
  if (count === 0) return []
  const services = count === 1 ? 'service that uses' : 'services that use'
  return [`${count} large ${services} ${configTitle(config)} ${count === 1 ? 'was' : 'were'} not examined`]
}

function incompleteWarning (config: ConfigChange['config'], examined: number): string {
  return `the effect on services is not complete: ${examined} of the services that use ${configTitle(config)} were ` +
    'examined in the time that a request has; for all of them: aim-admission review --what-if FILE --kubeconfig FILE'
}

/** Services that move to a path that another one gets or excludes; undefined if the search had to end early. */
function * collidingServices (changed: readonly Dependent[], world: World): Steps<ReadonlySet<Dependent> | undefined> {
  const claimants = new Map<string, number>()
  const moving = new Map<string, Dependent>()
  for (const dependent of changed) {
    const { service, before, after } = dependent
    const place = placeOf(after.wanted)
    claimants.set(place, (claimants.get(place) ?? 0) + 1)
    if (!sameJson(before.wanted, after.wanted)) moving.set(keyText(service), dependent)
    const mustFinish = yield
    if (mustFinish) return undefined
  }
  const isStaying = ({ holder }: { holder: HeldPath }): boolean => !moving.has(keyText(holder.service))
  const collides = (wanted: PathClaim): boolean =>
    (claimants.get(placeOf(wanted)) ?? 0) > 1 || rivals(wanted, world).some(isStaying)
  const colliding = new Set<Dependent>()
  for (const dependent of moving.values()) {
    if (dependent.after.wanted !== undefined && collides(dependent.after.wanted)) colliding.add(dependent)
    const mustFinish = yield
    if (mustFinish) return undefined
  }
  return colliding
}

function placeOf (claim: PathClaim | undefined): string {
  return JSON.stringify([claim?.gateway, claim?.path])
}

/** One line: the count, the first three names, and what happens to the services. */
function countWarning (found: readonly ObjectKey[], complete: boolean, text: (one: boolean) => string): string[] {
  if (found.length === 0) return []
  const names = found.slice(0, 3).map((service) => keyText(service)).join(', ')
  const count = complete ? String(found.length) : `at least ${found.length}`
  const one = found.length === 1
  return [`${count} ${one ? 'service' : 'services'} (${names}${found.length > 3 ? ', …' : ''}) ${text(one)}`]
}

/** A configuration that is created, changed, or deleted; `after` is undefined for a deletion. */
interface ConfigChange {
  readonly config: Pick<RuntimeConfig, 'kind' | 'namespace' | 'name'>
  readonly after: RuntimeConfig | undefined
}

/** A service whose configuration changes. */
interface Dependent { readonly service: Service, readonly before: PathAssessment, readonly after: PathAssessment }

interface Dependents {
  readonly found: readonly Dependent[]
  /** Services whose objects are too large for the cache, so that the effect on them is unknown. */
  readonly unexamined: readonly StoredService[]
  /** Whether every service was examined. */
  readonly complete: boolean
}

/** Limit of the services in memory for one review. */
const MAX_DEPENDENTS = 5_000

/** The services that get another configuration, or another version of theirs, by the change; one service a step. */
function * dependents (change: ConfigChange, world: World): Steps<Dependents> {
  const found: Dependent[] = []
  const unexamined: StoredService[] = []
  const complete = yield * eachUser(change, world, ({ stored, old, next }) => {
    const service = stored.parse()
    if (service === undefined) {
      unexamined.push(stored)
      return
    }
    const assess = (config: UsedConfig | undefined): PathAssessment =>
      assessPath({ service, config, stored: service }, world)
    found.push({ service, before: assess(old), after: assess(next) })
  })
  return { found, unexamined, complete }
}

/** A service before and after a change of configurations. */
interface ConfigUser {
  readonly stored: StoredService
  readonly old: UsedConfig | undefined
  readonly next: UsedConfig | undefined
}

/** Visits the services that the change gives another configuration, without parsing them. Returns whether all were. */
function * eachUser (
  { config, after }: ConfigChange, { configs, services, pathPolicy }: World, visit: (user: ConfigUser) => void
): Steps<boolean> {
  const changed = withConfig(configs, config, after)
  const namespace = config.kind === 'AIMRuntimeConfig' ? config.namespace : undefined
  let count = 0
  for (const stored of services.users(config.name, namespace)) {
    if (stored.deleting) continue
    if (count === MAX_DEPENDENTS) return false
    const mustFinish = yield
    if (mustFinish) return false
    const ref = { namespace: stored.namespace, name: stored.configName }
    const [old, next] = [configs, changed].map((known) => resolveConfig(ref, { configs: known, pathPolicy }))
    if (old === next) continue
    count++
    visit({ stored, old, next })
  }
  return true
}

/** `configs` with one configuration replaced or removed. */
export function withConfig (
  configs: ConfigLookup, config: ConfigChange['config'], after: RuntimeConfig | undefined
): ConfigLookup {
  const isNamespaced = config.kind === 'AIMRuntimeConfig'
  return {
    namespaced: (namespace, name) => {
      const isChanged = isNamespaced && namespace === config.namespace && name === config.name
      return isChanged ? after : configs.namespaced(namespace, name)
    },
    cluster: (name) => !isNamespaced && name === config.name ? after : configs.cluster(name),
    similar: (key) => configs.similar(key)
  }
}
