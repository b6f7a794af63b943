import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { JsonObject } from '../../../src/platform/json.ts'
import { routed } from '../../support/builders/manifests.ts'
import type { AuditEvent } from '../../support/cluster/cluster.ts'
import type { TestUser } from '../../support/cluster/control-plane.ts'
import { conditionOf, type StoredObject } from '../../support/cluster/observed.ts'
import type { ReconcilerProcess } from '../../support/programs/product.ts'
import { CHANGE_FORMS, CREATE_FORMS, isStored, refOf, type Actor, type Outcome } from '../../support/tenants/actor.ts'
import { aManifest, metricAt, startArena } from '../../support/tenants/arena.ts'
import { startHostileWebhook } from '../../support/tenants/hostile-webhook.ts'
import { eventually } from '../../support/until.ts'

const arena = await startArena()
const { cluster, mallory, victim, platform, object, objects, events, reaches } = arena
t.teardown(arena.stop)

/** How many healthy services a rollout may break. */
const LIMIT = 3
let reconciler: ReconcilerProcess | undefined

/** Replaces the reconciler; the next leader is another user, whom the audit log names. */
async function reconcileWith (flags: readonly string[], user: TestUser): Promise<ReconcilerProcess> {
  await reconciler?.stop('SIGTERM')
  reconciler = await arena.startReconciler(['--rollout-failure-limit', String(LIMIT), ...flags], user)
  return reconciler
}

const service = (namespace: string, name: string, spec: object): JsonObject => aManifest({ namespace, name, spec })

function fleetConfig (name: string, spec: object, rollout?: string): JsonObject {
  const metadata = rollout === undefined ? {} : { annotations: { 'aim.silogen.ai/rollout': rollout } }
  return aManifest({ kind: 'AIMClusterRuntimeConfig', name, spec, metadata })
}

async function created (actor: Actor, ...given: readonly JsonObject[]): Promise<void> {
  for (const { message } of await Promise.all(given.map(async (each) => await actor.create(each)))) {
    if (message !== '') throw new Error(message)
  }
}

const numbered = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, at) => `${prefix}-${at}`)

/** Healthy services of the victim that use a cluster configuration, with their status. */
async function aFleet (name: string, count: number, spec: object): Promise<void> {
  await created(platform, fleetConfig(name, spec))
  await created(victim, ...numbered(count, name).map((each) => service('victim', each, { runtimeConfigName: name })))
  await rolledOut(name, (stored) => stored.status?.services?.current === count)
  for (const each of numbered(count, name)) {
    const reason = await reaches(['-n', 'victim', `aimsvc/${each}`], 'Degraded', 'AsExpected')
    if (reason !== '') throw new Error(reason)
  }
}

const LONG_MS = 90_000

/** The configuration once its status is current and satisfies the condition. */
async function rolledOut (name: string, isDone: (stored: StoredObject) => boolean): Promise<StoredObject> {
  return await eventually(async () => {
    const stored = await object(`aimcrcfg/${name}`)
    return stored.status?.observedGeneration === stored.metadata.generation && isDone(stored) ? stored : undefined
  }, LONG_MS)
}

/** Waits until the rollout has ended in one way or the other. */
async function ended (name: string, total: number): Promise<StoredObject> {
  return await rolledOut(name, (stored) => conditionOf(stored, 'RolloutHalted')?.status === 'True' ||
    (conditionOf(stored, 'RolledOut')?.status === 'True' && stored.status?.services?.current === total))
}

async function underway (name: string): Promise<void> {
  await rolledOut(name, ({ status }) => (status?.services?.current ?? 0) > 2)
}

function isUnhalted (t: Test, stored: StoredObject): void {
  const halted = conditionOf(stored, 'RolloutHalted')
  t.equal(halted?.status, 'False', halted?.message ?? '')
  t.equal(conditionOf(stored, 'RolledOut')?.status, 'True')
}

/** Routing without a gateway: admitted with a warning, and degraded. */
const FAILING = { routing: { enabled: true } }
const COUNT = 25

await reconcileWith(['--rollout-rate', '10'], 'replica-a')

t.test('new services that fail do not halt a rollout', async (t) => {
  const fleet = 'with-new'
  await aFleet(fleet, COUNT, { defaultStorageClassName: 'slow' })
  await platform.mergePatch(refOf(fleetConfig(fleet, {})), { spec: { defaultStorageClassName: 'fast' } })
  await underway(fleet)
  const spec = { runtimeConfigName: fleet, ...FAILING }
  const writes = Object.values(CREATE_FORMS).map(async (write, at) =>
    await write(mallory, service('evil', `new-${at}`, spec)))
  const generated = { ...service('evil', '', spec), metadata: { namespace: 'evil', generateName: 'new-' } }
  const outcomes = await Promise.all([...writes, mallory.create(generated), mallory.create(generated)])
  t.ok(outcomes.every(isStored), JSON.stringify(outcomes.map(({ message }) => message)))
  isUnhalted(t, await ended(fleet, COUNT + outcomes.length))
})

t.test('services that their owner breaks during a rollout do not halt it', async (t) => {
  const fleet = 'with-edits'
  await aFleet(fleet, COUNT, { defaultStorageClassName: 'slow' })
  const own = numbered(Object.keys(CHANGE_FORMS).length, 'edited')
  await created(mallory, ...own.map((name) => service('evil', name, { runtimeConfigName: fleet })))
  for (const name of own) t.equal(await reaches(['-n', 'evil', `aimsvc/${name}`], 'Degraded', 'AsExpected'), '')
  await platform.mergePatch(refOf(fleetConfig(fleet, {})), { spec: { defaultStorageClassName: 'fast' } })
  await underway(fleet)
  const edits = Object.values(CHANGE_FORMS).map(async (write, at): Promise<Outcome> =>
    await write(mallory, service('evil', `edited-${at}`, { runtimeConfigName: fleet, ...FAILING })))
  t.ok((await Promise.all(edits)).every(isStored))
  isUnhalted(t, await ended(fleet, COUNT + own.length))
})

t.test('services that failed before a rollout do not halt it', async (t) => {
  const fleet = 'with-failing'
  await aFleet(fleet, 8, { defaultStorageClassName: 'slow' })
  const own = numbered(LIMIT + 2, 'failing')
  await created(mallory, ...own.map((name) => service('evil', name, { runtimeConfigName: fleet, ...FAILING })))
  for (const name of own) t.equal(await reaches(['-n', 'evil', `aimsvc/${name}`], 'Degraded', 'GatewayMissing'), '')
  await platform.mergePatch(refOf(fleetConfig(fleet, {})), { spec: { defaultStorageClassName: 'fast' } })
  isUnhalted(t, await ended(fleet, 8 + own.length))
})

t.test('a rollout that breaks healthy services halts, also for a new leader, until it is forced', async (t) => {
  const fleet = 'breaking'
  await aFleet(fleet, 8, routed())
  await platform.mergePatch(refOf(fleetConfig(fleet, {})), {
    spec: routed("/{.metadata.namespace}/{.metadata.labels['team']}/{.metadata.name}")
  })
  const halted = await rolledOut(fleet, (stored) => conditionOf(stored, 'RolloutHalted')?.status === 'True')
  const { message = '' } = conditionOf(halted, 'RolloutHalted') ?? {}
  t.match(message, `victim/${fleet}-`)
  t.ok((halted.status?.services?.current ?? 0) <= LIMIT)
  await reconcileWith(['--rollout-rate', '10'], 'replica-b')
  await isHaltedStill(t, halted)
  await platform.mergePatch(refOf(fleetConfig(fleet, {})), {
    metadata: { annotations: { 'aim.silogen.ai/rollout': 'force' } }
  })
  const forced = await rolledOut(fleet, (stored) => conditionOf(stored, 'RolledOut')?.status === 'True' ||
    conditionOf(stored, 'RolledOut')?.reason === 'RolloutAnnotationInvalid')
  t.match(conditionOf(forced, 'RolledOut'), { status: 'True', reason: 'RolledOut' })
  t.match(conditionOf(forced, 'RolloutHalted'), { status: 'False', reason: 'Forced' })
  t.equal(forced.status?.services?.current, 8)
})

async function isHaltedStill (t: Test, halted: StoredObject): Promise<void> {
  // the new leader has worked once it has written the status of a new service
  await created(victim, service('victim', 'after-halt', {}))
  t.equal(await reaches(['-n', 'victim', 'aimsvc/after-halt'], 'RuntimeConfigResolved', 'RuntimeConfigMissing'), '')
  const kept = await object(`aimcrcfg/${halted.metadata.name}`)
  t.match(conditionOf(kept, 'RolloutHalted'), { ...conditionOf(halted, 'RolloutHalted') })
  t.equal(kept.status?.services?.current, halted.status?.services?.current)
}

/** Writes of the reconciler to services, in the order in which they ended. */
async function writesBy (user: TestUser, subresource: 'status' | undefined): Promise<readonly AuditEvent[]> {
  const written = (await cluster.audited()).filter(({ verb, objectRef, user: { username } }) => username === user &&
    verb === 'patch' && objectRef?.resource === 'aimservices' && objectRef.subresource === subresource)
  return written.toSorted((a, b) => a.stageTimestamp < b.stageTimestamp ? -1 : 1)
}

const evilIn = (written: readonly AuditEvent[]): number =>
  written.filter(({ objectRef }) => objectRef?.namespace === 'evil').length

t.test('a rollout takes turns between namespaces', async (t) => {
  await reconcileWith(['--rollout-rate', '10000'], 'replica-a')
  const fleet = 'fair'
  await created(platform, fleetConfig(fleet, { defaultStorageClassName: 'slow' }))
  const [many, few] = [numbered(40, 'many'), numbered(4, 'few')]
  await created(mallory, ...many.map((name) => service('evil', name, { runtimeConfigName: fleet })))
  await rolledOut(fleet, ({ status }) => status?.services?.current === many.length)
  await created(victim, ...few.map((name) => service('victim', name, { runtimeConfigName: fleet })))
  await rolledOut(fleet, ({ status }) => status?.services?.current === many.length + few.length)
  const before = (await writesBy('replica-a', undefined)).length
  await platform.mergePatch(refOf(fleetConfig(fleet, {})), { spec: { defaultStorageClassName: 'fast' } })
  await rolledOut(fleet, (stored) => conditionOf(stored, 'RolledOut')?.status === 'True' &&
    stored.status?.services?.current === many.length + few.length)
  const order = (await writesBy('replica-a', undefined)).slice(before)
  const last = order.findLastIndex(({ objectRef }) => objectRef?.namespace === 'victim')
  t.ok(last >= few.length - 1)
  t.ok(evilIn(order.slice(0, last)) <= 3 * few.length, `${evilIn(order.slice(0, last))} others came before`)
})

/** The size that etcd refuses, with the overhead of the request. Source: etcd, DefaultMaxRequestBytes. */
const TOO_LARGE = 1_572_864
/** A status with its managed fields takes more. */
const ROOM = 600

/** The largest padding with which the API server stores a service. */
async function largestPadding (): Promise<number> {
  let [stored, refused] = [TOO_LARGE - 100_000, TOO_LARGE + 100_000]
  while (refused - stored > ROOM) {
    const middle = Math.floor((stored + refused) / 2)
    const outcome = await mallory.create(padded(`probe-${middle}`, middle))
    if (isStored(outcome)) stored = middle
    else refused = middle
    await mallory.remove(refOf(padded(`probe-${middle}`, 0)))
  }
  return stored
}

function padded (name: string, padding: number): JsonObject {
  return service('evil', name, { env: [{ name: 'PADDING', value: 'x'.repeat(padding) }] })
}

interface Hindrance { readonly names: readonly string[], readonly end: () => Promise<void> }

/** What happens to the writes of the reconciler to the services of mallory. */
const HINDRANCES: Readonly<Record<string, () => Promise<Hindrance>>> = {
  'are too large for etcd': async () => {
    const padding = await largestPadding()
    const names = numbered(4, 'large')
    for (const name of names) await created(mallory, padded(name, padding))
    return { names, end: async () => {} }
  },
  'are refused by another webhook that fails': async () => await hindered('failing'),
  'are held by a slow webhook': async () => await hindered('slow')
}

async function hindered (how: 'failing' | 'slow'): Promise<Hindrance> {
  const names = numbered(12, `hindered-${how}`)
  const webhook = await startHostileWebhook(cluster, { namespace: 'evil', how })
  await created(mallory, ...names.map((name) => service('evil', name, {})))
  return { names, end: webhook.stop }
}

for (const [title, hinder] of Object.entries(HINDRANCES)) {
  t.test(`status writes to services of one namespace that ${title} delay no other namespace`, async (t) => {
    const leader = await reconcileWith([], 'replica-a')
    const { names, end } = await hinder()
    const entries = leader.entries.length
    for (let round = 0; round < 3; round++) {
      // each edit makes the reconciler try again at once
      await Promise.all(names.map(async (name) => await mallory.mergePatch(
        { kind: 'AIMService', namespace: 'evil', name }, { metadata: { labels: { round: String(round) } } })))
      const name = `prompt-${title.length}-${round}`
      const before = (await writesBy('replica-a', 'status')).length
      await created(victim, service('victim', name, {}))
      t.equal(await reaches(['-n', 'victim', `aimsvc/${name}`], 'RuntimeConfigResolved', 'RuntimeConfigMissing'), '')
      const since = (await writesBy('replica-a', 'status')).slice(before)
      const own = since.findIndex(({ objectRef }) => objectRef?.name === name)
      t.ok(evilIn(since.slice(0, own)) <= 6, `${evilIn(since.slice(0, own))} writes to evil came before`)
    }
    const paused = leader.entries.slice(entries).filter(({ msg }) => msg === 'API server unavailable, retrying')
    t.strictSame(paused, [], 'the queue never pauses as a whole')
    await end()
    await mallory.removeAll('AIMService', 'evil')
  })
}

t.test('a rollout to other namespaces goes past services whose admission fails', async (t) => {
  const fleet = 'past-failing'
  await reconcileWith(['--rollout-rate', '10000'], 'replica-a')
  await created(platform, fleetConfig(fleet, { defaultStorageClassName: 'slow' }))
  const own = numbered(12, 'stuck')
  await created(mallory, ...own.map((name) => service('evil', name, { runtimeConfigName: fleet })))
  await created(victim, ...numbered(12, fleet).map((name) => service('victim', name, { runtimeConfigName: fleet })))
  await rolledOut(fleet, ({ status }) => status?.services?.current === 24)
  const webhook = await startHostileWebhook(cluster, { namespace: 'evil', how: 'failing' })
  const before = (await writesBy('replica-a', undefined)).length
  await platform.mergePatch(refOf(fleetConfig(fleet, {})), { spec: { defaultStorageClassName: 'fast' } })
  await rolledOut(fleet, ({ status }) => (status?.services?.current ?? 0) >= 12)
  const order = (await writesBy('replica-a', undefined)).slice(before)
  const last = order.findLastIndex(({ objectRef }) => objectRef?.namespace === 'victim')
  t.ok(evilIn(order.slice(0, last)) <= 12 + 6, `${evilIn(order.slice(0, last))} attempts in evil came before`)
  await webhook.stop()
  await rolledOut(fleet, ({ status }) => status?.services?.current === 24)
})

/** Rival writes until the contest is reported, at most. */
const MOST_RIVAL_WRITES = 60

const FIGHT_WRITES = 300
const MOST_OWN_WRITES = 10

const rivalStatus = (): JsonObject => ({
  conditions: [{
    type: 'Degraded',
    status: 'True',
    reason: 'Rival',
    message: '',
    lastTransitionTime: new Date().toISOString().replace(/\.\d+/, '')
  }]
})

t.test('a status whose conditions another manager removes is written less and less often', async (t) => {
  const leader = reconciler ?? await reconcileWith([], 'replica-a')
  const name = 'contested'
  const ref = ['-n', 'victim', `aimsvc/${name}`]
  await created(victim, service('victim', name, {}))
  t.equal(await reaches(ref, 'RuntimeConfigResolved', 'RuntimeConfigMissing'), '')
  let writes = 0
  const reported = await eventually(async () => {
    const stored = await object(...ref)
    const contested = conditionOf(stored, 'StatusContested')
    if (contested?.status === 'True' || writes >= MOST_RIVAL_WRITES) return { contested }
    if (conditionOf(stored, 'Degraded') !== undefined) {
      writes++
      const target = { kind: 'AIMService', namespace: 'victim', name } as const
      await platform.statusPatch(target, { status: 'Rival', conditions: [] }, { fieldManager: 'rival' })
    }
    return undefined
  }, LONG_MS)
  t.match(reported.contested, { status: 'True', reason: 'OtherFieldManager', message: /rival/ })
  t.ok(writes <= 10, `${writes} writes of the rival`)
  const seen = await eventually(async () =>
    (await events('victim', name)).find(({ reason }) => reason === 'StatusContested'))
  t.match(seen.note, /rival/)
  const count = await metricAt(leader.probeUrl, 'aim_admission_status_conflicts_total', '{manager="rival"}')
  t.ok((count ?? 0) >= 1)
})

for (const form of ['server-side apply by force', 'merge patch']) {
  t.test(`a condition that another manager sets by ${form} is left to it`, async (t) => {
    const leader = reconciler ?? await reconcileWith([], 'replica-a')
    const name = `given-up-${form.replaceAll(' ', '-')}`
    const ref = ['-n', 'victim', `aimsvc/${name}`]
    await created(victim, service('victim', name, {}))
    t.equal(await reaches(ref, 'RuntimeConfigResolved', 'RuntimeConfigMissing'), '')
    const rival = { ...service('victim', name, {}), status: rivalStatus() }
    const target = { kind: 'AIMService', namespace: 'victim', name } as const
    await (form === 'merge patch'
      ? platform.statusPatch(target, rivalStatus(), { fieldManager: 'rival' })
      : platform.applyStatus({ ...rival, spec: undefined }, { fieldManager: 'rival' }))
    await victim.mergePatch(target, { spec: { routing: { enabled: false } } })
    const stored = await eventually(async () => {
      const now = await object(...ref)
      return now.status?.observedGeneration === now.metadata.generation ? now : undefined
    })
    t.match(conditionOf(stored, 'Degraded'), { reason: 'Rival' })
    t.match(conditionOf(stored, 'RuntimeConfigResolved'), { reason: 'RuntimeConfigMissing' })
    const count = await metricAt(leader.probeUrl, 'aim_admission_status_fields_given_up_total', '{manager="rival"}')
    t.ok((count ?? 0) >= 1)
  })
}

t.test('a status that another manager rewrites without end costs few writes, and no other service waits', async (t) => {
  await reconcileWith([], 'replica-a')
  const ref = { kind: 'AIMService', namespace: 'victim', name: 'fought-over' } as const
  await created(victim, service('victim', ref.name, {}))
  t.equal(await reaches(['-n', 'victim', `aimsvc/${ref.name}`], 'RuntimeConfigResolved', 'RuntimeConfigMissing'), '')
  const before = (await writesBy('replica-a', 'status')).length
  const fight = { isOver: false, writes: 0 }
  const fought = (async () => {
    for (; !fight.isOver; fight.writes++) {
      const [condition] = rivalStatus()['conditions'] as [JsonObject]
      const status = { conditions: [{ ...condition, message: String(fight.writes) }] }
      await platform.statusPatch(ref, status, { fieldManager: 'rival' })
    }
  })()
  for (const other of numbered(20, 'in-peace')) {
    await created(victim, service('victim', other, {}))
    t.equal(await reaches(['-n', 'victim', `aimsvc/${other}`], 'RuntimeConfigResolved', 'RuntimeConfigMissing'), '')
  }
  await eventually(async () => fight.writes >= FIGHT_WRITES ? true : undefined, LONG_MS)
  fight.isOver = true
  await fought
  const own = (await writesBy('replica-a', 'status')).slice(before)
    .filter(({ objectRef }) => objectRef?.name === ref.name)
  t.ok(own.length <= MOST_OWN_WRITES, `${own.length} writes against ${fight.writes} of the rival`)
})

t.test('statuses at rest are not written again', async (t) => {
  // the services of other tests have settled once two looks see the same versions
  const versions = async (): Promise<string> =>
    (await objects('-n', 'victim', 'aimsvc')).filter(({ metadata }) => !metadata.name.startsWith('contested'))
      .map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`).join()
  const settled = await eventually(async () => {
    const before = await versions()
    await delay(500)
    return before === await versions() ? before : undefined
  })
  await created(victim, service('victim', 'zz-last', {}))
  t.equal(await reaches(['-n', 'victim', 'aimsvc/zz-last'], 'RuntimeConfigResolved', 'RuntimeConfigMissing'), '')
  t.ok((await versions()).startsWith(settled))
})
