import fc from 'fast-check'
import type { ParentReference } from '../../../src/api/runtime-config.ts'
import { ConfigIndex } from '../../../src/cache/config-index.ts'
import type { ObjectKey } from '../../../src/core/ports.ts'
import { assessService } from '../../../src/core/settings/assess.ts'
import { configNameOf, readService } from '../../../src/core/settings/service.ts'
import type { ConfigLookup, PathClaim } from '../../../src/core/world.ts'
import { isJsonObject, own, ownObject, sameJson, type JsonObject } from '../../../src/platform/json.ts'
import { anAssessmentWorld } from '../builders/assessment.ts'
import { aClusterConfig, aConfig, aService } from '../builders/objects.ts'
import { blockOf, pathIn } from './stored.ts'
import { metadataOf, SimulatedCluster, type Judges, type KindName } from './simulated-cluster.ts'

/**
 * Random tenants against the product in this process. Invariants: at each quiet point, no two services hold overlapping
 * paths across namespaces or the same path, and each block is what admission would write. At all times, a service
 * keeps a path that it held at a quiet point until its own claim changes or it is gone. A block does not change once
 * its service is being deleted.
 */
class Model {
  readonly cluster = new SimulatedCluster()
  /** Path and gateway of each service at the last quiet point, while the service still claims it. */
  readonly #owned = new Map<string, PathClaim>()
  /** The configurations at the last quiet point and after each change since: a replica may have any of them. */
  #configs: ConfigIndex[] = []
  /** Blocks of services that are being deleted. */
  readonly #frozen = new Map<string, JsonObject>()
  /** The claim of each service as JSON, and whether a replica that lagged gave it. */
  readonly #acquired = new Map<string, { readonly claim: string, readonly lagged: boolean }>()

  constructor () {
    this.cluster.onChange = ({ kind, key, object, lagged }) => {
      const id = `${key.namespace}/${key.name}`
      if (kind === 'AIMService') {
        this.#checkFrozen(id, object)
        const claim = JSON.stringify(object === undefined ? null : heldBy(object) ?? null)
        if (claim !== this.#acquired.get(id)?.claim) this.#acquired.set(id, { claim, lagged })
      } else this.#noteConfigs(key, object)
      for (const [each, claim] of this.#owned) this.#checkOwned(each, claim)
    }
  }

  async quiet (): Promise<void> {
    await this.cluster.quiet()
    const services = [...this.cluster.all('AIMService')]
    this.#owned.clear()
    this.#configs = [this.#configsNow()]
    const claims = services.flatMap((service) => {
      const claim = heldBy(service)
      return claim === undefined ? [] : [claim]
    })
    for (const [at, one] of claims.entries()) {
      for (const other of claims.slice(at + 1)) if (!this.#isDyingRival(one, other)) checkApart(one, other)
    }
    for (const service of services) {
      if (isDeleting(service)) continue
      const admitted = this.cluster.asAdmitted(service)
      if (!sameJson(admitted, service)) {
        throw new Error(`${idOf(service)} is not what admission writes: ${show(service)} / ${show(admitted)}`)
      }
      const claim = heldBy(service)
      if (claim !== undefined) this.#owned.set(idOf(service), claim)
    }
  }

  /** A service that is being deleted keeps even a path that two replicas gave away at the same moment. */
  #isDyingRival (...claims: readonly PathClaim[]): boolean {
    const ids = claims.map(({ service: { namespace, name } }) => `${namespace}/${name}`)
    return ids.some((id) => this.#frozen.has(id)) && ids.some((id) => this.#acquired.get(id)?.lagged === true)
  }

  /** A replica may combine watches of the two kinds that lag differently, if one of them has a new or no object. */
  #noteConfigs ({ namespace, name }: ObjectKey, object: JsonObject | undefined): void {
    const configs = this.#configsNow()
    const isEdit = object !== undefined && this.#configs.every((known) =>
      (namespace === '' ? known.cluster(name) : known.namespaced(namespace, name)) !== undefined)
    this.#configs.push(configs)
    if (isEdit) return
    for (const [id, { service }] of this.#owned) {
      const stored = this.cluster.get('AIMService', service)
      const isUser = stored !== undefined && configNameOf(stored) === name
      if (isUser && (namespace === '' || namespace === service.namespace)) this.#owned.delete(id)
    }
  }

  #configsNow (): ConfigIndex {
    const configs = new ConfigIndex()
    for (const kind of ['AIMRuntimeConfig', 'AIMClusterRuntimeConfig'] as const) {
      for (const object of this.cluster.all(kind)) configs.sink(kind).upsert(object)
    }
    return configs
  }

  /** A service may lose its path only if, by its own object and configuration, it no longer asks for it. */
  #checkOwned (id: string, claim: PathClaim): void {
    const service = this.cluster.get('AIMService', claim.service)
    const isClaimed = service !== undefined && this.#configs.every((each) => isSame(wantedBy(service, each), claim))
    if (!isClaimed) this.#owned.delete(id)
    else if (!isSame(heldBy(service), claim)) throw new Error(`${id} lost ${claim.path}: ${show(service)}`)
  }

  #checkFrozen (id: string, service: JsonObject | undefined): void {
    const frozen = this.#frozen.get(id)
    if (service === undefined || !isDeleting(service)) this.#frozen.delete(id)
    else if (frozen === undefined) this.#frozen.set(id, blockOf(service))
    else if (!sameJson(frozen, blockOf(service))) throw new Error(`${id} changed in deletion: ${show(service)}`)
  }
}

type Step = (model: Model) => Promise<void> | void

/** One step of the model, with its text for the report of a failure. */
class Command implements fc.AsyncCommand<object, Model> {
  readonly #text: string
  readonly #step: Step

  constructor (text: string, step: Step) {
    this.#text = text
    this.#step = step
  }

  check (): boolean { return true }
  async run (_: object, model: Model): Promise<void> { await this.#step(model) }
  toString (): string { return this.#text }
}

const NAMESPACES = ['evil', 'victim', 'third']
const GATEWAY = { name: 'gateway', namespace: 'gateways' }

const namespace = fc.constantFrom(...NAMESPACES)
const serviceName = fc.constantFrom('a', 'b', 'c')
const configName = fc.constantFrom('default', 'own')
const enabled = fc.constantFrom(true, true, true, false, undefined)
const gatewayRef = fc.constantFrom<object | undefined>(
  GATEWAY, GATEWAY, GATEWAY, { ...GATEWAY, sectionName: 'https' }, { ...GATEWAY, name: 'other' }, undefined
)
const template = fc.constantFrom(
  '/x', '/x', '/X/', '/x/y', '/x/y/z', '/', '/evil/a', '/victim/a', "/{.metadata.labels['team']}",
  '/{.metadata.namespace}/{.metadata.name}', '/x/{.metadata.uid}', undefined
)
const routing = fc.record({ enabled, gatewayRef, pathTemplate: template }).map(withoutUndefined)
const replica = fc.constantFrom(0, 1)
const judges: fc.Arbitrary<Judges> = fc.record({ mutating: replica, validating: replica })
const FORGED = {
  kind: 'AIMRuntimeConfig',
  scope: 'Namespace',
  namespace: 'evil',
  name: 'default',
  hash: 'sha256:0',
  model: { creationScope: 'Cluster', autoDiscovery: true },
  serviceAccountName: 'cluster-god',
  routing: { enabled: true, gatewayRef: GATEWAY, pathTemplate: '/x', path: '/x' }
}

const serviceWrite = fc.record({
  namespace,
  name: serviceName,
  routing: fc.option(routing, { nil: undefined, freq: 6 }),
  runtimeConfigName: fc.constantFrom(undefined, 'default', 'own'),
  team: fc.constantFrom(undefined, 'x', 'y'),
  /** What the request carries as the block: nothing, the stored one, or a forged one. */
  block: fc.constantFrom('none', 'stored', 'stored', 'forged'),
  finalizer: fc.boolean(),
  deletionTimestamp: fc.constantFrom(false, false, false, true),
  judges
}).map((write) => new Command(`write ${JSON.stringify(write)}`, ({ cluster }) => {
  const key = { namespace: write.namespace, name: write.name }
  const block = write.block === 'forged' ? FORGED : blockIn(cluster.get('AIMService', key))
  const spec = withoutUndefined({
    routing: write.routing,
    runtimeConfigName: write.runtimeConfigName,
    resolvedRuntimeConfig: write.block === 'none' ? undefined : block
  })
  const metadata = {
    ...(write.finalizer && { finalizers: ['example.com/hold'] }),
    ...(write.deletionTimestamp && { deletionTimestamp: '2020-01-01T00:00:00Z' })
  }
  const labels: Record<string, string> = write.team === undefined ? {} : { team: write.team }
  cluster.write(aService({ ...key, labels, metadata, spec }), write.judges)
}))

/** An edit of the owner that changes nothing about the path. */
const touch = fc.record({ namespace, name: serviceName, replicas: fc.nat(3), judges }).map((edit) =>
  new Command(`touch ${JSON.stringify(edit)}`, ({ cluster }) => {
    const stored = cluster.get('AIMService', edit)
    if (stored === undefined) return
    cluster.write({ ...stored, spec: { ...ownObject(stored, 'spec'), replicas: edit.replicas } }, edit.judges)
  }))

const removal = fc.record({ namespace, name: serviceName }).map((key) =>
  new Command(`remove ${JSON.stringify(key)}`, ({ cluster }) => { cluster.remove('AIMService', key) }))

const release = fc.record({ namespace, name: serviceName, judges }).map((edit) =>
  new Command(`release ${JSON.stringify(edit)}`, ({ cluster }) => {
    const stored = cluster.get('AIMService', edit)
    if (stored === undefined) return
    cluster.write({ ...stored, metadata: { ...ownObject(stored, 'metadata'), finalizers: [] } }, edit.judges)
  }))

const configWrite = fc.record({
  namespace: fc.constantFrom('', ...NAMESPACES),
  name: configName,
  routing,
  storage: fc.constantFrom('fast', 'slow'),
  judges
}).map((write) => new Command(`configure ${JSON.stringify(write)}`, ({ cluster }) => {
  const spec = { routing: write.routing, defaultStorageClassName: write.storage }
  const { namespace, name } = write
  cluster.write(namespace === '' ? aClusterConfig(spec, { name }) : aConfig(spec, { namespace, name }), write.judges)
}))

const configRemoval = fc.record({ namespace: fc.constantFrom('', ...NAMESPACES), name: configName }).map((key) =>
  new Command(`unconfigure ${JSON.stringify(key)}`, ({ cluster }) => {
    cluster.remove(key.namespace === '' ? 'AIMClusterRuntimeConfig' : 'AIMRuntimeConfig', key)
  }))

const delivery = fc.record({
  watcher: fc.nat(3),
  kind: fc.constantFrom<KindName>('AIMService', 'AIMRuntimeConfig', 'AIMClusterRuntimeConfig'),
  count: fc.constantFrom(1, 2, Infinity)
}).map(({ watcher, kind, count }) => new Command(`deliver ${count} ${kind} to ${watcher}`, ({ cluster }) => {
  cluster.deliver(watcher, kind, count)
}))

const turns = fc.integer({ min: 1, max: 8 })
const work = fc.record({ turns, ms: fc.constantFrom(0, 100, 1_000, 10_000), judges }).map(
  ({ turns, ms, judges }) => new Command(`work ${turns} ${ms} ${JSON.stringify(judges)}`, async ({ cluster }) => {
    cluster.triggersJudgedBy = judges
    await cluster.reconcile(turns, ms)
  }))

const newLeader = fc.constant(new Command('change the leader', async ({ cluster }) => { await cluster.changeLeader() }))
const quietPoint = fc.constant(new Command('quiet', async (model) => { await model.quiet() }))

const command = fc.oneof(
  { weight: 10, arbitrary: serviceWrite },
  { weight: 3, arbitrary: touch },
  { weight: 3, arbitrary: removal },
  { weight: 2, arbitrary: release },
  { weight: 5, arbitrary: configWrite },
  { weight: 1, arbitrary: configRemoval },
  { weight: 12, arbitrary: delivery },
  { weight: 8, arbitrary: work },
  { weight: 1, arbitrary: newLeader },
  { weight: 2, arbitrary: quietPoint }
)

/** Steps of one run: enough for a few quiet points, and few enough to shrink. */
const RUN_STEPS = 100

/**
 * Runs at least so many steps, by default random ones. Rejects with the shortest sequence that breaks an invariant, and
 * with the seed that repeats it.
 */
export async function checkModel (steps: number, seed?: number): Promise<void> {
  const commands = fc.commands([command], { maxCommands: RUN_STEPS, size: 'max' })
  const progress = { done: 0 }
  const run = fc.asyncProperty(commands, async (sequence) => {
    const model = new Model()
    await fc.asyncModelRun(() => ({ model: {}, real: model }), sequence)
    await model.quiet()
    await model.cluster.stop()
    progress.done += [...sequence].length
  })
  for (let round = 0; progress.done < steps; round++) {
    await fc.assert(run, { numRuns: 20, includeErrorInReport: true, ...(seed !== undefined && { seed: seed + round }) })
  }
}

/** Undefined without a configuration, as there is no block then. */
function wantedBy (object: JsonObject, configs: ConfigLookup): PathClaim | undefined {
  const service = readService(object, metadataOf(object).namespace)
  if (service.kind === 'malformed') throw new Error(service.field)
  const { block, wanted } = assessService(service, anAssessmentWorld(configs), undefined)
  return block && wanted
}

function heldBy (service: JsonObject): PathClaim | undefined {
  const path = pathIn(service)
  const gateway = own(ownObject(blockOf(service), 'routing'), 'gatewayRef')
  if (path === '' || !isJsonObject(gateway)) return undefined
  const key = metadataOf(service)
  // as admission writes it
  return { service: key, gateway: { namespace: key.namespace, ...gateway } as ParentReference, path }
}

function isSame (one: PathClaim | undefined, other: PathClaim): boolean {
  return one?.path === other.path && sameJson(one.gateway, other.gateway)
}

/** The naive rule: no equal path on overlapping gateways, and no prefix across namespaces. */
function checkApart (one: PathClaim, other: PathClaim): void {
  const isShared = one.path === other.path ||
    (one.service.namespace !== other.service.namespace && (covers(one, other) || covers(other, one)))
  if (isShared && overlap(one.gateway, other.gateway)) {
    throw new Error(`two holders: ${JSON.stringify(one)} and ${JSON.stringify(other)}`)
  }
}

function covers ({ path }: PathClaim, { path: other }: PathClaim): boolean {
  return other.startsWith(path.endsWith('/') ? path : `${path}/`)
}

function overlap (one: ParentReference, other: ParentReference): boolean {
  const meets = <T>(a: T | undefined, b: T | undefined): boolean => a === undefined || b === undefined || a === b
  return one.name === other.name && one.namespace === other.namespace &&
    meets(one.sectionName, other.sectionName) && meets(one.port, other.port)
}

function isDeleting (service: JsonObject): boolean {
  return own(ownObject(service, 'metadata'), 'deletionTimestamp') !== undefined
}

function idOf (service: JsonObject): string {
  const { namespace, name } = metadataOf(service)
  return `${namespace}/${name}`
}

function show (service: JsonObject): string {
  return JSON.stringify(ownObject(service, 'spec'))
}

function blockIn (service: JsonObject | undefined): JsonObject | undefined {
  const block = blockOf(service)
  return Object.keys(block).length === 0 ? undefined : block
}

function withoutUndefined (object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}
