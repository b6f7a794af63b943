import t, { type Test } from 'tap'
import type { JsonObject } from '../../../src/platform/json.ts'
import { GATEWAY, routed } from '../../support/builders/manifests.ts'
import { isWrite } from '../../support/cluster/audit-log.ts'
import { conditionOf } from '../../support/cluster/observed.ts'
import { startProduct } from '../../support/programs/product.ts'
import {
  CHANGE_FORMS, CREATE_FORMS, isStored, refOf, type Outcome, type WriteForm, type WriteOptions
} from '../../support/tenants/actor.ts'
import { aManifest, startArena } from '../../support/tenants/arena.ts'
import { blockOf, pathIn, versionOf } from '../../support/tenants/stored.ts'
import { eventually, until } from '../../support/until.ts'

const arena = await startArena()
const { cluster, mallory, victim, platform, object, reaches } = arena
t.teardown(arena.stop)

/** `at` is `NAMESPACE/NAME`. */
function service (at: string, spec: object = {}, metadata: object = {}): JsonObject {
  const [namespace = '', name = ''] = at.split('/')
  return aManifest({ namespace, name, spec, metadata })
}
const config = (namespace: string, name: string, spec: object): JsonObject =>
  aManifest({ kind: 'AIMRuntimeConfig', namespace, name, spec })
const clusterConfig = (name: string, spec: object): JsonObject =>
  aManifest({ kind: 'AIMClusterRuntimeConfig', name, spec })
const evilRef = (name: string) => ['-n', 'evil', `aimsvc/${name}`]
const victimRef = (name: string) => ['-n', 'victim', `aimsvc/${name}`]

await platform.create(clusterConfig('default', routed()))
let names = 0

/** A service of the victim that holds `/victim/NAME`. */
async function aHolder (): Promise<{ readonly name: string, readonly path: string, readonly service: JsonObject }> {
  const name = `llama-${names++}`
  const path = `/victim/${name}`
  const outcome = await victim.create(service(`victim/${name}`, routed(path)))
  if (!isStored(outcome)) throw new Error(outcome.message)
  return { name, path, service: outcome.object }
}

/** The replica that judges next may not have the holder yet: its next refusal shows that each replica has. */
async function isKnown (path: string): Promise<void> {
  for (let refusals = 0; refusals < 8;) {
    const probe = await victim.create(service('victim/probe', routed(path)), { dryRun: true })
    refusals = isStored(probe) ? 0 : refusals + 1
  }
}

function isRefused (t: Test, { code, message }: Outcome, holder: string): void {
  t.equal(code, 422, message)
  t.match(message, holder)
}

async function holdsStill (t: Test, holder: Awaited<ReturnType<typeof aHolder>>): Promise<void> {
  t.equal(pathIn(await victim.get(refOf(holder.service))), holder.path, 'the holder keeps its path')
}

interface Parking {
  /** Objects of mallory, in their order, before the victim has its path. Without a path: the victim's. */
  readonly before: (path: string, name: string) => readonly JsonObject[]
  /** Objects of the platform. */
  readonly given?: (name: string) => readonly JsonObject[]
  /** The change after which the service of mallory asks for the path of the victim. */
  readonly change: (path: string, name: string) => JsonObject | 'delete'
}

const uses = (name: string, routing: object): object => ({ runtimeConfigName: name, routing })
const PARKINGS: Readonly<Record<string, Parking>> = {
  'its configuration is missing': {
    before: (path, name) => [service(`evil/${name}`, uses(name, { pathTemplate: path }))],
    change: (_, name) => config('evil', name, routed())
  },
  'its configuration disables routing': {
    before: (path, name) => [
      config('evil', name, { routing: { enabled: false, gatewayRef: GATEWAY } }),
      service(`evil/${name}`, uses(name, { pathTemplate: path }))
    ],
    change: (_, name) => config('evil', name, routed())
  },
  'its configuration has no gateway': {
    before: (path, name) => [
      config('evil', name, { routing: { enabled: true } }),
      service(`evil/${name}`, uses(name, { pathTemplate: path }))
    ],
    change: (_, name) => config('evil', name, routed())
  },
  'its configuration has another template': {
    before: (_, name) => [config('evil', name, routed(`/evil/${name}`)), service(`evil/${name}`, uses(name, {}))],
    change: (path, name) => config('evil', name, routed(path))
  },
  'its configuration names another gateway': {
    before: (path, name) => [
      config('evil', name, { routing: { enabled: true, gatewayRef: { ...GATEWAY, name: 'other' } } }),
      service(`evil/${name}`, uses(name, { pathTemplate: path }))
    ],
    change: (_, name) => config('evil', name, routed())
  },
  'its configuration hides that of the cluster': {
    given: (name) => [clusterConfig(name, routed())],
    before: (path, name) => [
      config('evil', name, { routing: { enabled: false } }), service(`evil/${name}`, uses(name, { pathTemplate: path }))
    ],
    change: () => 'delete'
  }
}

/** Mallory parks a service, the victim gets the path, mallory changes the configuration. */
async function park ({ given, before, change }: Parking, form: WriteForm) {
  const name = `parked-${names++}`
  const path = `/victim/llama-${names}` // the next holder
  for (const object of given?.(name) ?? []) await platform.create(object)
  for (const object of before(path, name)) {
    const outcome = await mallory.create(object)
    if (!isStored(outcome)) throw new Error(outcome.message)
  }
  const holder = await aHolder()
  await isKnown(holder.path)
  const changed = change(path, name)
  const outcome = changed === 'delete'
    ? await mallory.remove({ kind: 'AIMRuntimeConfig', namespace: 'evil', name })
    : await form(mallory, changed)
  return { name, holder, outcome }
}

const FORMS = Object.entries(CHANGE_FORMS)

async function takesNoPath (t: Test, reconciles: boolean): Promise<void> {
  for (const [at, [title, parking]] of Object.entries(PARKINGS).entries()) {
    // a configuration that is missing can only be created
    const forms =
      at === 0
        ? Object.entries(CREATE_FORMS)
        : [FORMS[at % 5], FORMS[(at + 2) % 5]].filter((each) => each !== undefined)
    for (const [form, write] of forms) {
      await t.test(`${title}: ${form}`, async (t) => {
        const { name, holder, outcome } = await park(parking, write)
        t.ok(isStored(outcome), `a tenant may change its configuration: ${outcome.message}`)
        if (reconciles) t.equal(await reaches(evilRef(name), 'RoutingReady', 'PathConflict'), '')
        else await edited(t, name)
        t.equal(pathIn(await mallory.get({ kind: 'AIMService', namespace: 'evil', name })), '')
        await holdsStill(t, holder)
        if (!reconciles) return
        const { status } = await object(...victimRef(holder.name))
        t.equal(status?.routing?.path, holder.path)
      })
    }
  }
}

/** Mallory edits its own service without a change of what the path depends on. */
async function edited (t: Test, name: string): Promise<void> {
  const ref = { kind: 'AIMService', namespace: 'evil', name }
  const edits: ReadonlyArray<Promise<Outcome>> = [
    mallory.mergePatch(ref, {}),
    mallory.jsonPatch(ref, [{ op: 'add', path: '/metadata/labels', value: { edited: 'yes' } }]),
    mallory.mergePatch(ref, { spec: { replicas: 2 } }, { dryRun: true })
  ]
  for (const { code, message } of await Promise.all(edits)) t.equal(code, 200, message)
}

t.test('without a reconciler, a change of a configuration takes no path from its holder', async (t) => {
  await takesNoPath(t, false)
})

/** Each path that collides with one of the victim. */
const COLLISIONS: Readonly<Record<string, (path: string) => string>> = {
  'the same path': (path) => path,
  'a path below': (path) => `${path}/v1/chat/completions`,
  'the same path in capitals': (path) => path.toUpperCase(),
  'the same path with more slashes': (path) => `/${path}//`
}

t.test('a path that another namespace holds, or that lies below it, is refused', async (t) => {
  const holder = await aHolder()
  await isKnown(holder.path)
  const attempts: ReadonlyArray<readonly [string, WriteOptions]> = [['stored', {}], ['dry run', { dryRun: true }]]
  for (const [title, collide] of Object.entries(COLLISIONS)) {
    const wanted = routed(collide(holder.path))
    for (const [form, write] of Object.entries(CREATE_FORMS)) {
      for (const [how, options] of attempts) {
        await t.test(`${title}: ${form}, ${how}`, async (t) => {
          isRefused(t, await write(mallory, service('evil/newcomer', wanted), options), holder.name)
        })
      }
    }
    await t.test(`${title}: generateName`, async (t) => {
      const { metadata, ...newcomer } = service('evil/', wanted)
      isRefused(
        t,
        await mallory.create({
          ...newcomer,
          metadata: { ...(metadata as object), name: undefined, generateName: 'n-' }
        }),
        holder.name
      )
    })
  }
  await holdsStill(t, holder)
})

t.test('a path that covers a path of another namespace is refused', async (t) => {
  const holder = await aHolder()
  await isKnown(holder.path)
  for (const path of ['/', '/victim', '/VICTIM/']) {
    isRefused(t, await mallory.create(service('evil/above', routed(path))), 'victim')
  }
})

t.test('an update to a path that collides is refused, in every form', async (t) => {
  const holder = await aHolder()
  await isKnown(holder.path)
  const name = `mover-${names++}`
  await mallory.create(service(`evil/${name}`, routed()))
  for (const [title, collide] of Object.entries(COLLISIONS).slice(0, 2)) {
    for (const [form, write] of FORMS) {
      await t.test(`${title}: ${form}`, async (t) => {
        isRefused(t, await write(mallory, service(`evil/${name}`, routed(collide(holder.path)))), holder.name)
      })
    }
  }
  t.equal(pathIn(await mallory.get({ kind: 'AIMService', namespace: 'evil', name })), `/evil/${name}`)
  await holdsStill(t, holder)
})

t.test('an overlap within a namespace is a warning', async (t) => {
  const holder = await aHolder()
  await isKnown(holder.path)
  const { code, warnings } = await victim.create(service(`victim/below-${names++}`, routed(`${holder.path}/v2`)))
  t.equal(code, 201)
  t.match(warnings.join(), holder.path)
})

const FORGED = {
  kind: 'AIMRuntimeConfig',
  scope: 'Namespace',
  namespace: 'evil',
  name: 'default',
  hash: `sha256:${'0'.repeat(64)}`,
  serviceAccountName: 'cluster-god',
  model: { creationScope: 'Cluster', autoDiscovery: true }
}
const forgedBlock = (path: string): object =>
  ({ ...FORGED, routing: { enabled: true, gatewayRef: GATEWAY, pathTemplate: path, path } })

t.test('a service that is created with a deletionTimestamp is resolved and judged like any other', async (t) => {
  for (const [form, write] of Object.entries(CREATE_FORMS)) {
    await t.test(form, async (t) => {
      const name = `born-dead-${names++}`
      const path = `/victim/${name}`
      const metadata = { deletionTimestamp: '2020-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 }
      const spec = { resolvedRuntimeConfig: forgedBlock(path) }
      const outcome = await write(mallory, service(`evil/${name}`, spec, metadata))
      const block = blockOf(await mallory.get({ kind: 'AIMService', namespace: 'evil', name }))
      t.not(block['serviceAccountName'], 'cluster-god', outcome.message)
      t.not(pathIn({ spec: { resolvedRuntimeConfig: block } }), path)
      const created = await victim.create(service(`victim/${name}`, routed(path)))
      t.equal(created.code, 201, created.message)
    })
    await t.test(`${form}: an invalid template`, async (t) => {
      const metadata = { deletionTimestamp: '2020-01-01T00:00:00Z' }
      const outcome = await write(mallory, service(`evil/invalid-${names++}`, routed('/{'), metadata))
      t.equal(outcome.code, 422, outcome.message)
    })
  }
})

t.test('a configuration that is created with a deletionTimestamp is judged like any other', async (t) => {
  for (const [form, write] of Object.entries(CREATE_FORMS)) {
    const invalid = aManifest({
      kind: 'AIMRuntimeConfig',
      namespace: 'evil',
      name: `dead-${names++}`,
      spec: routed('/{'),
      metadata: { deletionTimestamp: '2020-01-01T00:00:00Z' }
    })
    t.equal((await write(mallory, invalid)).code, 422, form)
  }
})

t.test('a service that is being deleted keeps its block and its path until it is gone', async (t) => {
  const name = `dying-${names++}`
  const stolen = `/victim/phi-${names}`
  const ref = { kind: 'AIMService', namespace: 'evil', name }
  const metadata = { finalizers: ['example.com/hold'] }
  await mallory.create(service(`evil/${name}`, routed(), metadata))
  await mallory.remove(ref)
  const before = blockOf(await mallory.get(ref))
  for (const [form, write] of FORMS) {
    const forged = service(`evil/${name}`, { ...routed(), resolvedRuntimeConfig: forgedBlock(stolen) }, metadata)
    const outcome = await write(mallory, forged)
    t.ok(isStored(outcome), `${form}: ${outcome.message}`)
    t.strictSame(blockOf(await mallory.get(ref)), before, form)
  }
  const asked = await mallory.mergePatch(ref, { spec: routed(stolen) })
  t.ok(isStored(asked), asked.message)
  t.equal(pathIn(await mallory.get(ref)), `/evil/${name}`, 'it acquires no other path')
  const created = await victim.create(service(`victim/phi-${names}`, routed(stolen)))
  t.equal(created.code, 201, created.message)
  isRefused(t, await victim.create(service('victim/heir', routed(`/evil/${name}`))), name)
  t.ok(isStored(await mallory.mergePatch(ref, { metadata: { finalizers: null } })))
  await until(async () =>
    isStored(await victim.create(service('victim/heir', routed(`/evil/${name}`)), { dryRun: true }))
  )
})

t.test('a block or a status that a tenant writes has no effect', async (t) => {
  const name = `forged-${names++}`
  const path = `/victim/forged-${names}`
  const ref = { kind: 'AIMService', namespace: 'evil', name }
  const spec = { resolvedRuntimeConfig: forgedBlock(path) }
  for (const [form, write] of [...Object.entries(CREATE_FORMS), ...FORMS]) {
    await write(mallory, { ...service(`evil/${name}`, spec), status: { routing: { path } } })
    t.not(blockOf(await mallory.get(ref))['serviceAccountName'], 'cluster-god', form)
    t.not(pathIn(await mallory.get(ref)), path, form)
  }
  t.equal((await mallory.statusPatch(ref, { routing: { path } })).code, 403)
  await until(async () => isStored(await victim.create(service(`victim/${name}`, routed(path)), { dryRun: true })))
})

t.test('a status that a user with rights on it writes has no effect on paths', async (t) => {
  const name = `reported-${names++}`
  const path = `/victim/${name}`
  const own = service(`evil/${name}`, routed())
  await mallory.create(own)
  const forged = { routing: { path }, resolvedRuntimeConfig: { name: 'forged' } }
  const status = { ...own, spec: { resolvedRuntimeConfig: forgedBlock(path) }, status: forged }
  for (const outcome of [await platform.statusPatch(refOf(own), forged), await platform.applyStatus(status)]) {
    t.ok(isStored(outcome), outcome.message)
    t.equal(pathIn(outcome.object), `/evil/${name}`)
  }
  const created = await victim.create(service(`victim/${name}`, routed(path)))
  t.equal(created.code, 201, created.message)
})

/** Fields that the API server sets; it refuses a new object with a uid itself. */
const SERVER_SET = {
  creationTimestamp: { value: '2001-01-01T00:00:00Z', answer: 201 },
  uid: { value: 'llama/chat', answer: 409 }
}
for (const [field, { value, answer }] of Object.entries(SERVER_SET)) {
  t.test(`metadata.${field} in a server-side apply yields no path`, async (t) => {
    const template = `/victim/${names++}/{.metadata.${field}}`
    const written = service(`evil/own-${field.toLowerCase()}`, routed(template), { [field]: value })
    const { code, object, message } = await mallory.applyServerSide(written)
    t.equal(code, answer, message)
    t.equal(pathIn(object), '')
  })
}

const reconciler = await arena.startReconciler()

t.test('while a reconciler leads, a change of a configuration takes no path from its holder', async (t) => {
  await takesNoPath(t, true)
})

t.test('a path below one of another namespace is not acquired after creation either', async (t) => {
  const holder = await aHolder()
  await isKnown(holder.path)
  const name = `late-${names++}`
  await mallory.create(service(`evil/${name}`, routed(`${holder.path}/{.metadata.uid}`)))
  const stored = await mallory.get({ kind: 'AIMService', namespace: 'evil', name })
  if (stored !== undefined) t.equal(await reaches(evilRef(name), 'RoutingReady', 'PathConflict'), '')
  t.equal(pathIn(await mallory.get({ kind: 'AIMService', namespace: 'evil', name })), '')
  await holdsStill(t, holder)
})

t.test('a path that its holder gives up goes to the service that waits for it', async (t) => {
  const missing = PARKINGS['its configuration is missing']
  if (missing === undefined) throw new Error('renamed')
  const { name, holder } = await park(missing, async (actor, object) => await actor.create(object))
  t.equal(await reaches(evilRef(name), 'RoutingReady', 'PathConflict'), '')
  await victim.remove(refOf(holder.service))
  t.equal(await reaches(evilRef(name), 'RoutingReady', 'PathRendered'), '')
  t.equal(pathIn(await mallory.get({ kind: 'AIMService', namespace: 'evil', name })), holder.path)
  isRefused(t, await victim.create(service(`victim/${holder.name}`, routed(holder.path))), name)
})

t.test('of two services that are created at the same moment, exactly one holds the path', async (t) => {
  for (let round = 0; round < 5; round++) {
    const name = `race-${names++}`
    const rivals = [victim, mallory].map(async (actor) =>
      await actor.create(service(`${actor === victim ? 'victim' : 'evil'}/${name}`, routed(`/shared/${name}`))))
    const stored = (await Promise.all(rivals)).filter(isStored).map(({ object }) => refOf(object))
    t.not(stored.length, 0)
    const paths = await eventually(async () => {
      const found = await Promise.all(stored.map(async (ref) => pathIn(await platform.get(ref))))
      return found.filter((path) => path !== '').length === 1 ? found : undefined
    })
    t.match(paths.join(''), `/shared/${name}`)
  }
})

/** Writes of the reconciler to services of mallory so far. */
async function writesTo (prefix: string): Promise<number> {
  return (await cluster.audited()).filter((event) => isWrite(event) && event.user.username === 'replica-a' &&
    event.objectRef?.namespace === 'evil' && event.objectRef.name?.startsWith(prefix) === true).length
}

t.test('services that want one path cost a few writes each', async (t) => {
  const [count, name] = [30, `crowd-${names++}`]
  const holder = await aHolder()
  await isKnown(holder.path)
  await Promise.all(Array.from({ length: count }, async (_, at) =>
    await mallory.create(service(`evil/${name}-${at}`, uses(name, { pathTemplate: holder.path })))))
  const members = Array.from({ length: count }, (_, at) => evilRef(`${name}-${at}`))
  const allReach = async (reason: string): Promise<void> => {
    for (const member of members) t.equal(await reaches(member, 'RuntimeConfigResolved', reason), '')
  }
  await allReach('RuntimeConfigMissing')
  const before = await writesTo(`${name}-`)
  await mallory.create(config('evil', name, routed()))
  await allReach('Resolved')
  for (const member of members) t.equal(await reaches(member, 'RoutingReady', 'PathConflict'), '')
  const parked = await writesTo(`${name}-`)
  t.ok(parked - before <= 4 * count, `${parked - before} writes until all are parked`)
  await holdsStill(t, holder)
  await victim.remove(refOf(holder.service))
  await eventually(async () => {
    const paths = (await mallory.list('AIMService', 'evil')).map(pathIn).filter((path) => path === holder.path)
    return paths.length === 1 ? paths : undefined
  })
  const after = await writesTo(`${name}-`)
  t.ok(after - parked <= 4 * count, `${after - parked} writes until one of them has the path`)
})

t.test('--conflict-details hidden leaves the holder of another namespace out of conditions', async (t) => {
  await reconciler.stop('SIGTERM')
  const hiding = await arena.startReconciler(['--conflict-details', 'hidden'], 'replica-b')
  t.teardown(async () => { await hiding.stop('SIGTERM') })
  const missing = PARKINGS['its configuration is missing']
  if (missing === undefined) throw new Error('renamed')
  const { name, holder } = await park(missing, async (actor, object) => await actor.create(object))
  t.equal(await reaches(evilRef(name), 'RoutingReady', 'PathConflict'), '')
  const { status, ...stored } = await object(...evilRef(name))
  t.notMatch(JSON.stringify(status), `victim/${holder.name}"`)
  t.match(conditionOf({ ...stored, ...(status && { status }) }, 'RoutingReady')?.message, /another namespace/)
})

/** A server with other flags takes over the registration; it runs until the end of the file. */
async function registered (...flags: string[]): Promise<void> {
  const product = await startProduct(cluster, flags)
  t.teardown(async () => { await product.stop() })
}

t.test('--conflict-details hidden leaves the holder of another namespace out of refusals', async (t) => {
  const holder = await aHolder()
  await registered('--conflict-details', 'hidden')
  const refused = await eventually(async () => {
    const outcome = await mallory.create(service('evil/curious', routed(holder.path)))
    return outcome.message.includes('AIMService victim/') ? undefined : outcome
  })
  t.equal(refused.code, 422)
  t.notMatch(refused.message, `AIMService victim/${holder.name}`)
  t.match(refused.message, /another namespace/)
  const moved = await mallory.create(service('evil/mover-hidden', routed()))
  for (const collide of Object.values(COLLISIONS).slice(0, 2)) {
    for (const [form, write] of FORMS) {
      const wanted = service('evil/mover-hidden', routed(collide(holder.path)))
      const { code, message } = await write(mallory, wanted, { dryRun: true })
      t.equal(code, 422, form)
      t.notMatch(message, `AIMService victim/${holder.name}`, form)
    }
  }
  t.equal(moved.code, 201, moved.message)
  const own = await victim.create(service('victim/curious', routed(holder.path)))
  t.match(own.message, `victim/${holder.name}`, 'within the namespace it is named')
})

t.test('--path-scope namespace refuses a path outside the namespace, and leaves held paths alone', async (t) => {
  const name = `outside-${names++}`
  const before = (await mallory.create(service(`evil/${name}`, routed(`/anywhere/${name}`)))).object
  t.equal(pathIn(before), `/anywhere/${name}`)
  await registered('--path-scope', 'namespace')
  const wanted = service(`evil/scoped-${names++}`, routed('/elsewhere/x'))
  const refused = await eventually(async () => {
    const outcome = await mallory.create(wanted, { dryRun: true })
    return outcome.code === 422 ? outcome : undefined
  })
  t.match(refused.message, 'evil')
  t.equal((await mallory.create(service(`evil/scoped-${names++}`, routed()))).code, 201)
  const kept = await mallory.mergePatch(refOf(before), { spec: { replicas: 3 } })
  t.equal(kept.code, 200, kept.message)
  t.equal(pathIn(kept.object), `/anywhere/${name}`)
  t.not(versionOf(kept.object), versionOf(before))
})

t.test('--cross-namespace-overlap warn admits an overlap with a warning, never the same path', async (t) => {
  const holder = await aHolder()
  await registered('--cross-namespace-overlap', 'warn')
  const below = await eventually(async () => {
    const outcome = await mallory.create(service(`evil/overlap-${names++}`, routed(`${holder.path}/v1`)))
    return isStored(outcome) ? outcome : undefined
  })
  t.match(below.warnings.join(), holder.path)
  isRefused(t, await mallory.create(service('evil/same', routed(holder.path))), holder.name)
})
