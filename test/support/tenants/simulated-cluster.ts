import fastJsonPatch from 'fast-json-patch'
import type { ReviewRequest } from '../../../src/admission/request.ts'
import { AIM_SERVICE, KINDS, type Kind } from '../../../src/api/kinds.ts'
import { GROUP, VERSION } from '../../../src/api/meta.ts'
import { generationOf } from '../../../src/api/object-meta.ts'
import type {
  ObjectKey, ObjectSink, ObjectWriter, ReadResult, Unavailable, WriteResult
} from '../../../src/core/ports.ts'
import { DEFAULT_PATH_POLICY } from '../../../src/core/world.ts'
import { own, ownObject, ownString, sameJson, type JsonObject } from '../../../src/platform/json.ts'
import { Controller } from '../../../src/reconcile/controller.ts'
import { watchedSinks } from '../../../src/reconcile/watched-sinks.ts'
import { newAdmissionEngine, type AdmissionEngine } from '../../../webhooks/engine.ts'
import { ManualClock } from '../fakes/manual-clock.ts'
import { FIXED_DEFINITIONS, nothingWatched } from '../fakes/reconcile-world.ts'
import { silentLog } from '../fakes/silent-log.ts'

export type KindName = Kind['kind']

/** Which replicas of `serve` judge a write: the API server may call another one for each webhook. */
export interface Judges { readonly mutating: number, readonly validating: number }

type WriteTarget = Parameters<ObjectWriter['applyStatus']>[0]

interface Change {
  readonly kind: KindName
  readonly key: ObjectKey
  /** Undefined if it was removed. */
  readonly object: JsonObject | undefined
  /** Whether a replica judged it that had not received every service. */
  readonly lagged: boolean
}

/** A client whose watches lag: for each kind, how many of its changes have been delivered. */
interface Watcher {
  readonly sinks: Readonly<Record<KindName, ObjectSink>>
  readonly delivered: Record<KindName, number>
}

interface Reconciler extends Watcher { readonly newController: () => Controller }

const SERVE_REPLICAS = 2
const RECONCILERS = 2
const SERVER_FIELDS = ['uid', 'creationTimestamp', 'resourceVersion', 'generation'] as const
const OBSERVER = { onAdd: () => {}, onStart: () => {}, onEnd: () => {}, onRetry: () => {} }
/** A rollout never halts: a halt is no fault of the model. */
const LIMITS = { rate: 10_000, concurrency: 2, failureLimit: 1_000_000 }
/** Turns of the event loop for a work item: more than it takes. */
const TURNS = 12
/** The longest backoff of a key, in milliseconds. */
const LONGEST_BACKOFF_MS = 61_000
/** Rounds until everything must have settled. */
const MOST_ROUNDS = 600

/**
 * A cluster in this process: an object store that runs mutating and validating admission for each write, replicas of
 * `serve` and reconcilers whose watches lag, one of which leads. Time is manual.
 */
export class SimulatedCluster {
  readonly clock = new ManualClock()
  /** Called after each change of the store. */
  onChange: (change: Change) => void = () => {}
  readonly #objects = new Map<string, JsonObject>()
  readonly #changes: Record<KindName, Change[]> = { AIMService: [], AIMRuntimeConfig: [], AIMClusterRuntimeConfig: [] }
  /** The first engine is always current: it is the oracle. */
  readonly #engines: readonly AdmissionEngine[]
  readonly #watchers: readonly Watcher[]
  readonly #reconcilers: readonly Reconciler[]
  #leader = 0
  #controller: Controller
  #version = 100
  /** The next trigger of a reconciler is judged by these replicas. */
  triggersJudgedBy: Judges = { mutating: 0, validating: 0 }

  constructor () {
    this.#engines = Array.from({ length: SERVE_REPLICAS + 1 }, () => newAdmissionEngine(
      { missingConfig: 'warn', missingBlock: 'refuse' }, { clock: this.clock }
    ))
    this.#reconcilers = Array.from({ length: RECONCILERS }, () => this.#newReconciler())
    this.#watchers = [...this.#engines.map(({ sinks }) => aWatcher(sinks)), ...this.#reconcilers]
    this.#controller = this.#startLeader()
  }

  /** The engine whose caches are current. */
  get oracle (): AdmissionEngine { return this.#engineAt(-1) }

  get (kind: KindName, key: ObjectKey): JsonObject | undefined {
    return this.#objects.get(storeKey(kind, key))
  }

  * all (kind: KindName): Generator<JsonObject> {
    for (const object of this.#objects.values()) if (object['kind'] === kind) yield object
  }

  /** Creates or replaces an object as the API server does; false if it is refused. */
  write (object: JsonObject, judges: Judges): boolean {
    const kind = object['kind'] as KindName // every builder sets it
    const given = ownObject(object, 'metadata')
    const key = { namespace: ownString(given, 'namespace'), name: ownString(given, 'name') }
    const old = this.get(kind, key)
    const request = old === undefined ? withoutServerFields(object) : withServerFields(object, old)
    const mutated =
      kind === 'AIMService' ? this.#mutated({ kind, key, object: request, old }, judges.mutating) : request
    const next = old === undefined ? this.#created(mutated) : withGeneration(mutated, old)
    const verdict = this.#review('validating', { kind, key, object: next, old }, judges.validating)
    if (verdict?.kind === 'deny') return false
    if (old !== undefined && sameJson(old, next)) return true
    const lagged = [judges.mutating, judges.validating].some((replica) => this.#lags(replica))
    this.#store({ kind, key, lagged }, isGone(next) && old !== undefined ? undefined : next)
    return true
  }

  /** Removes an object, or marks it if it has finalizers. */
  remove (kind: KindName, key: ObjectKey): void {
    const old = this.get(kind, key)
    if (old === undefined) return
    const metadata = ownObject(old, 'metadata')
    const deletionTimestamp = own(metadata, 'deletionTimestamp') ?? this.#time()
    const marked = { ...old, metadata: { ...metadata, deletionTimestamp } }
    const next = isGone(marked) ? undefined : marked
    if (!sameJson(next, old)) this.#store({ kind, key, lagged: false }, next)
  }

  /** Delivers the next changes of one kind to one watcher. */
  deliver (watcher: number, kind: KindName, count: number): void {
    const { sinks, delivered } =
      this.#watchers[1 + (watcher % (this.#watchers.length - 1))] ?? aWatcher(this.oracle.sinks)
    const until = Math.min(this.#changes[kind].length, delivered[kind] + count)
    for (; delivered[kind] < until; delivered[kind]++) {
      const change = this.#changes[kind][delivered[kind]]
      if (change !== undefined) passOn(change, sinks)
    }
  }

  /** Lets the leader work for a while. */
  async reconcile (turns: number, ms: number): Promise<void> {
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => { setImmediate(resolve) })
    this.clock.pass(ms)
  }

  /** Another reconciler becomes the leader. */
  async changeLeader (): Promise<void> {
    await this.stop()
    this.#leader = (this.#leader + 1) % RECONCILERS
    this.#controller = this.#startLeader()
  }

  /** Delivers everything and lets the leader work until nothing is left; throws if that does not end. */
  async quiet (): Promise<void> {
    let idle = 0
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const before = this.#version
      for (const { kind } of KINDS) for (const at of this.#watchers.keys()) this.deliver(at, kind, Infinity)
      await this.reconcile(TURNS, 0)
      const isUnchanged = this.#version === before
      idle = isUnchanged && this.#isIdle() ? idle + 1 : 0
      if (idle > 0 && (this.clock.pending === 0 || idle === MOST_IDLE)) return
      if (isUnchanged) this.clock.pass(Math.min(this.clock.untilNext, LONGEST_BACKOFF_MS))
    }
    const depths = Object.values(this.#controller.queues).map(({ depth }) => depth)
    throw new Error(`work is left after ${MOST_ROUNDS} rounds: ${depths.join(' and ')} keys`)
  }

  /** Stops the leader. Its work may wait for the clock. */
  async stop (): Promise<void> {
    const work = { isRunning: true }
    const stopped = this.#controller.stop().finally(() => { work.isRunning = false })
    while (work.isRunning) await this.reconcile(1, 1)
    await stopped
  }

  /** What admission would write for a stored service, judged by current caches. */
  asAdmitted (service: JsonObject): JsonObject {
    const { namespace, name } = metadataOf(service)
    return this.#mutated({ kind: 'AIMService', key: { namespace, name }, object: service, old: service }, -1)
  }

  #isIdle (): boolean {
    return Object.values(this.#controller.queues).every(({ depth, ages }) => depth === 0 && ages.length === 0)
  }

  #engineAt (replica: number): AdmissionEngine {
    const engine = this.#engines[replica + 1]
    if (engine === undefined) throw new Error(`no replica ${replica}`)
    return engine
  }

  #mutated (target: ReviewTarget, replica: number): JsonObject {
    const verdict = this.#review('mutating', target, replica)
    if (verdict?.kind !== 'patch') return target.object
    const operations = structuredClone([...verdict.operations]) as fastJsonPatch.Operation[]
    return fastJsonPatch.applyPatch(structuredClone(target.object), operations).newDocument
  }

  #review (type: 'mutating' | 'validating', target: ReviewTarget, replica: number) {
    const webhook = this.#engineAt(replica).webhooks.find((each) =>
      each.type === type && each.resource.kind === target.kind)
    return webhook?.decide(requestFor(target))
  }

  #created (object: JsonObject): JsonObject {
    const creationTimestamp = this.#time()
    const metadata = { ...ownObject(object, 'metadata'), uid: `u${this.#version}`, creationTimestamp, generation: 1 }
    return { ...object, metadata }
  }

  #time (): string {
    return new Date(Date.UTC(2026, 0, 1) + this.clock.now()).toISOString().replace(/\.\d+/, '')
  }

  #lags (replica: number): boolean {
    return (this.#watchers[replica + 1]?.delivered.AIMService ?? 0) < this.#changes.AIMService.length
  }

  #store (change: Omit<Change, 'object'>, object: JsonObject | undefined): JsonObject | undefined {
    const { kind, key } = change
    const resourceVersion = String(++this.#version)
    const stored = object && { ...object, metadata: { ...ownObject(object, 'metadata'), resourceVersion } }
    if (stored === undefined) this.#objects.delete(storeKey(kind, key))
    else this.#objects.set(storeKey(kind, key), stored)
    this.#changes[kind].push({ ...change, object: stored })
    passOn({ ...change, object: stored }, this.oracle.sinks)
    const first = this.#watchers[0]
    if (first !== undefined) first.delivered[kind] = this.#changes[kind].length
    this.onChange({ ...change, object: stored })
    return stored
  }

  #startLeader (): Controller {
    const controller = this.#reconcilers[this.#leader]?.newController()
    if (controller === undefined) throw new Error('no reconciler')
    controller.start()
    return controller
  }

  #newReconciler (): Reconciler {
    const watched = nothingWatched()
    let controller: Controller | undefined
    const sinks = watchedSinks(watched, {
      serviceChanged: (id, change) => { controller?.serviceChanged(id, change) },
      configChanged: (config, how) => { controller?.configChanged(config, how) },
      pathAcquired: (claim) => { controller?.pathAcquired(claim) },
      pathReleased: (claim) => { controller?.pathReleased(claim) }
    })
    const world = {
      ...watched,
      written: sinks.written,
      pathPolicy: DEFAULT_PATH_POLICY,
      definitions: FIXED_DEFINITIONS,
      writer: {
        applyStatus: async (target: WriteTarget, status: object) =>
          await settled(() => this.#applyStatus(target, status)),
        triggerAdmission: async (key: ObjectKey) => await settled(() => this.#triggerAdmission(key))
      },
      readService: async (key: ObjectKey): Promise<ReadResult> => {
        const object = this.get('AIMService', key)
        return await Promise.resolve(object === undefined ? { kind: 'missing' } : { kind: 'found', object })
      },
      events: { record: () => {} },
      now: () => this.#time()
    }
    const newController = (): Controller => {
      const random = (): number => 1
      const observers = { status: OBSERVER, rollforward: OBSERVER }
      controller = new Controller({ world, limits: LIMITS, clock: this.clock, log: silentLog, random, observers })
      return controller
    }
    return { ...aWatcher(sinks), newController }
  }

  #applyStatus ({ kind: { kind }, key, uid, version }: WriteTarget, status: object): WriteResult {
    const old = this.get(kind, key)
    if (old === undefined) return { kind: 'gone' }
    const metadata = ownObject(old, 'metadata')
    if (metadata['uid'] !== uid || metadata['resourceVersion'] !== version) return { kind: 'conflict' }
    const next = { ...old, status: { ...status } }
    return { kind: 'written', object: this.#store({ kind, key, lagged: false }, next) ?? old }
  }

  #triggerAdmission (key: ObjectKey): WriteResult {
    const old = this.get('AIMService', key)
    if (old === undefined) return { kind: 'gone' }
    if (!this.write(old, this.triggersJudgedBy)) return { kind: 'failed', reason: 'refused' }
    return { kind: 'written', object: this.get('AIMService', key) ?? old }
  }
}

/** Idle rounds after which the cluster is quiet, whatever timers are left. */
const MOST_IDLE = 6

/** A write takes a turn of the event loop. */
async function settled (write: () => WriteResult): Promise<WriteResult | Unavailable> {
  await new Promise((resolve) => { setImmediate(resolve) })
  return write()
}

interface ReviewTarget {
  readonly kind: KindName
  readonly key: ObjectKey
  readonly object: JsonObject
  readonly old: JsonObject | undefined
}

function requestFor ({ kind, key, object, old }: ReviewTarget): ReviewRequest {
  const { plural } = KINDS.find((each) => each.kind === kind) ?? AIM_SERVICE
  return {
    uid: 'r',
    operation: old === undefined ? 'CREATE' : 'UPDATE',
    group: GROUP,
    version: VERSION,
    kind,
    resource: plural,
    subResource: '',
    ...key,
    dryRun: false,
    object,
    ...(old !== undefined && { oldObject: old })
  }
}

function aWatcher (sinks: Watcher['sinks']): Watcher {
  return { sinks, delivered: { AIMService: 0, AIMRuntimeConfig: 0, AIMClusterRuntimeConfig: 0 } }
}

function passOn ({ kind, key, object }: Change, sinks: Watcher['sinks']): void {
  if (object === undefined) sinks[kind].remove(key)
  else sinks[kind].upsert(object)
}

function storeKey (kind: KindName, { namespace, name }: ObjectKey): string {
  return `${kind}/${namespace}/${name}`
}

export function metadataOf (object: JsonObject): { readonly namespace: string, readonly name: string } {
  const metadata = ownObject(object, 'metadata')
  return { namespace: ownString(metadata, 'namespace'), name: ownString(metadata, 'name') }
}

/** Mutating webhooks see a new object before the API server has assigned these fields. */
function withoutServerFields (object: JsonObject): JsonObject {
  const metadata = Object.fromEntries(
    Object.entries(ownObject(object, 'metadata')).filter(([field]) => !SERVER_FIELDS.some((each) => each === field)))
  return { ...object, metadata }
}

/** A changed spec is a new generation. */
function withGeneration (object: JsonObject, old: JsonObject): JsonObject {
  if (sameJson(object['spec'], old['spec'])) return object
  const metadata = { ...ownObject(object, 'metadata'), generation: generationOf(old) + 1 }
  return { ...object, metadata }
}

/** No request changes what the API server owns, or the status. */
function withServerFields (object: JsonObject, old: JsonObject): JsonObject {
  const [given, known] = [ownObject(object, 'metadata'), ownObject(old, 'metadata')]
  const { uid, creationTimestamp, resourceVersion, generation, deletionTimestamp } = known
  const { deletionTimestamp: ignored, ...metadata } = given
  return {
    ...object,
    ...(old['status'] !== undefined && { status: old['status'] }),
    metadata: {
      ...metadata,
      uid,
      creationTimestamp,
      resourceVersion,
      generation,
      ...(deletionTimestamp !== undefined && { deletionTimestamp })
    }
  }
}

/** Being deleted, and without a finalizer that holds it. */
function isGone (object: JsonObject): boolean {
  const metadata = ownObject(object, 'metadata')
  const finalizers = own(metadata, 'finalizers')
  return own(metadata, 'deletionTimestamp') !== undefined && !(Array.isArray(finalizers) && finalizers.length > 0)
}
