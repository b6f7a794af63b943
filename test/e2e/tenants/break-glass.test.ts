import t from 'tap'
import type { JsonObject } from '../../../src/platform/json.ts'
import { BLOCK, GATEWAY, routed } from '../../support/builders/manifests.ts'
import { objectsIn, renderedChart } from '../../support/cluster/rendered-chart.ts'
import { applied } from '../../support/programs/product.ts'
import {
  CHANGE_FORMS, CREATE_FORMS, isStored, refOf, type Actor, type Outcome
} from '../../support/tenants/actor.ts'
import { aManifest, startArena } from '../../support/tenants/arena.ts'
import { blockOf, pathIn } from '../../support/tenants/stored.ts'
import { eventually, until } from '../../support/until.ts'

const arena = await startArena()
const { cluster, mallory, platform, onCall, replicas } = arena
t.teardown(arena.stop)

const BREAK_GLASS = 'aim-admission:break-glass'
const WITHOUT_WEBHOOKS = { as: BREAK_GLASS }
const OLD_ANNOTATION = 'aim.silogen.ai/bypass'
/** The rights in the chart. */
const INSTALLED = ['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding']

const { kubectl, client } = cluster
await client.create('/api/v1/namespaces', { metadata: { name: 'aim-system' } })
const items = objectsIn(await renderedChart()).filter(({ kind }) => INSTALLED.includes(String(kind)))
await applied(kubectl, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
await platform.create(aManifest({ kind: 'AIMRuntimeConfig', namespace: 'evil', name: 'default', spec: routed() }))

const annotated = (name: string, spec: object = {}): JsonObject =>
  aManifest({ namespace: 'evil', name, spec, metadata: { annotations: { [OLD_ANNOTATION]: 'because' } } })
const service = (name: string, spec: object = {}): JsonObject => aManifest({ namespace: 'evil', name, spec })
const UNREADABLE = { routing: { enabled: true, pathTemplate: '/{' } }
const FORGED = {
  resolvedRuntimeConfig: {
    kind: 'AIMRuntimeConfig',
    scope: 'Namespace',
    namespace: 'evil',
    name: 'forged',
    hash: `sha256:${'0'.repeat(64)}`,
    serviceAccountName: 'cluster-god',
    model: { creationScope: 'Cluster', autoDiscovery: true },
    routing: { enabled: true, gatewayRef: GATEWAY, pathTemplate: '/victim/llama', path: '/victim/llama' }
  }
}
const stored = async (name: string): Promise<JsonObject | undefined> => await platform.get(refOf(service(name)))

t.test('a manifest cannot skip the webhooks, not even one that a cluster-admin applies', async (t) => {
  for (const [at, [form, write]] of Object.entries(CREATE_FORMS).entries()) {
    const refused = await write(platform, annotated(`refused-${at}`, UNREADABLE))
    t.equal(refused.code, 422, `${form}: ${refused.message}`)
    const resolved = await write(platform, annotated(`resolved-${at}`, FORGED))
    t.ok(isStored(resolved), `${form}: ${resolved.message}`)
    t.equal(blockOf(await stored(`resolved-${at}`))['name'], 'default', form)
    t.not(blockOf(await stored(`resolved-${at}`))['serviceAccountName'], 'cluster-god', form)
  }
  const config = { ...annotated('config', routed('/{')), kind: 'AIMRuntimeConfig' }
  t.equal((await platform.create(config)).code, 422)
})

t.test('a service with the old annotation stays under admission when a cluster-admin edits it', async (t) => {
  await mallory.create(annotated('edited'))
  for (const [form, write] of Object.entries(CHANGE_FORMS)) {
    const outcome = await write(platform, annotated('edited', FORGED))
    t.ok(isStored(outcome), `${form}: ${outcome.message}`)
    t.not(blockOf(await stored('edited'))['serviceAccountName'], 'cluster-god', form)
    t.equal((await write(platform, annotated('edited', UNREADABLE))).code, 422, form)
  }
  const labelled = await kubectl(['-n', 'evil', 'label', 'aimsvc/edited', 'team=platform'])
  t.equal(labelled.code, 0, labelled.stderr)
  t.equal(blockOf(await stored('edited'))['name'], 'default')
})

const FORMS = { ...CREATE_FORMS, ...CHANGE_FORMS }

t.test('the break-glass user skips the webhooks in every form, and the audit log names the impersonator', async (t) => {
  for (const [at, [form, write]] of Object.entries(CREATE_FORMS).entries()) {
    const outcome = await write(platform, service(`glass-${at}`, UNREADABLE), WITHOUT_WEBHOOKS)
    t.ok(isStored(outcome), `${form}: ${outcome.message}`)
    t.strictSame(blockOf(await stored(`glass-${at}`)), {}, form)
  }
  for (const [form, write] of Object.entries(CHANGE_FORMS)) {
    const outcome = await write(platform, service('glass-0', { ...UNREADABLE, replicas: 2 }), WITHOUT_WEBHOOKS)
    t.ok(isStored(outcome), `${form}: ${outcome.message}`)
  }
  for (const kind of ['AIMRuntimeConfig', 'AIMClusterRuntimeConfig'] as const) {
    const config = aManifest({
      kind,
      ...(kind === 'AIMRuntimeConfig' && { namespace: 'evil' }),
      name: 'glass',
      spec: routed('/{')
    })
    t.ok(isStored(await platform.create(config, WITHOUT_WEBHOOKS)), kind)
    t.ok(isStored(await platform.remove(refOf(config), WITHOUT_WEBHOOKS)), kind)
  }
  const audited = (await cluster.audited()).filter(
    ({ objectRef, verb }) => objectRef?.name === 'glass-0' && verb !== 'get'
  )
  t.ok(audited.every(({ user, impersonatedUser }) =>
    user.username === 'platform' && impersonatedUser?.username === BREAK_GLASS))
})

t.test('a dry run by the break-glass user skips the webhooks too, and stores nothing', async (t) => {
  for (const [form, write] of Object.entries(CREATE_FORMS)) {
    const outcome = await write(platform, service('dry', UNREADABLE), { ...WITHOUT_WEBHOOKS, dryRun: true })
    t.ok(isStored(outcome), `${form}: ${outcome.message}`)
    t.equal(await stored('dry'), undefined, form)
  }
})

t.test('the reconciler resolves a service with the old annotation', async (t) => {
  await mallory.create(annotated('reconciled'))
  await arena.startReconciler()
  await platform.mergePatch({ kind: 'AIMRuntimeConfig', namespace: 'evil', name: 'default' }, {
    spec: { defaultStorageClassName: 'fast' }
  })
  const path = '/apis/aim.silogen.ai/v1alpha1/namespaces/evil/aimservices/reconciled'
  await t.resolves(until(async () => await client.values(path, `${BLOCK}.defaultStorageClassName`) === 'fast'))
})

t.test('the reconciler heals what the break-glass user stored: a service without a block and a forged block', async (t) => {
  for (const [name, spec] of Object.entries({ unresolved: {}, forged: FORGED })) {
    t.ok(isStored(await platform.create(service(name, spec), WITHOUT_WEBHOOKS)))
    const healed = await eventually(async () => {
      const object = await stored(name)
      return blockOf(object)['name'] === 'default' ? object : undefined
    })
    t.equal(pathIn(healed), `/evil/${name}`)
    t.equal(blockOf(healed)['serviceAccountName'], undefined)
    const reasons = await eventually(async () => {
      const found = (await arena.events('evil', name)).map(({ reason }) => reason)
      return found.includes('AdmittedWithoutWebhook') ? found : undefined
    })
    t.ok(reasons)
  }
})

t.test('an edit of such a service by another user is resolved and judged', async (t) => {
  const edited = await mallory.mergePatch(refOf(service('glass-1')), {
    spec: { routing: { pathTemplate: '/glass-1' } }
  })
  t.equal(edited.code, 200, edited.message)
  t.equal(blockOf(edited.object)['name'], 'default')
})

/** Everything that a user who may not impersonate could try. */
async function attempts (actor: Actor, as: string): Promise<readonly Outcome[]> {
  return await Promise.all(Object.values(FORMS).map(async (write) => await write(actor, service('attempt'), { as })))
}

t.test('a tenant cannot impersonate the break-glass user', async (t) => {
  for (const outcome of await attempts(mallory, BREAK_GLASS)) t.notOk(isStored(outcome), outcome.message)
  t.equal((await mallory.create(service('attempt'), WITHOUT_WEBHOOKS)).code, 403)
  t.equal(await stored('attempt'), undefined)
})

t.test('the role of the chart lets a user impersonate the break-glass user, and no one else', async (t) => {
  const before = await onCall.create(service('on-call', UNREADABLE), WITHOUT_WEBHOOKS)
  t.equal(before.code, 403, 'the role is bound to no one')
  await kubectl(['create', 'clusterrolebinding', 'on-call', '--clusterrole=aim-admission-break-glass', '--user=bound'])
  const outcome = await eventually(async () => {
    const attempt = await onCall.create(service('on-call', UNREADABLE), WITHOUT_WEBHOOKS)
    return isStored(attempt) ? attempt : undefined
  })
  t.equal(outcome.code, 201)
  for (const as of ['platform', 'admin', 'system:serviceaccount:aim-system:aim-admission']) {
    t.equal((await onCall.create(service('on-call-2'), { as })).code, 403, as)
  }
  t.equal((await onCall.create(service('on-call-2'))).code, 403, 'its own rights stay the same')
})

t.test('while no server responds, only the break-glass user can write', async (t) => {
  await replicas.stop()
  for (const [form, write] of Object.entries(CREATE_FORMS)) {
    const refused = await write(platform, annotated('down'))
    t.match(refused.message, /failed calling webhook/, form)
    const name = `down-${form.replaceAll(' ', '-').toLowerCase()}`
    const outcome = await write(platform, service(name), WITHOUT_WEBHOOKS)
    t.ok(isStored(outcome), `${form}: ${outcome.message}`)
    t.ok(isStored(await platform.remove(refOf(service(name)), WITHOUT_WEBHOOKS)), form)
  }
})
