import t from 'tap'
import { INJECTED_FIELDS_ANNOTATION } from '../../../src/api/meta.ts'
import { GATEWAY, manifest, actionsOf, routed } from '../../support/builders/manifests.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { startProduct, startReconciler } from '../../support/programs/product.ts'
import { until } from '../../support/until.ts'

const cluster = await startCluster()
const FLAGS = ['--inject', 'record,fields', '--missing-default', 'builtin']
const product = await startProduct(cluster, FLAGS)
const reconciler = await startReconciler(cluster, FLAGS)
const { kubectl } = cluster
const { store, get, aNamespace } = actionsOf(cluster)
t.teardown(async () => {
  await reconciler.stop()
  await product.stop()
  await cluster.stop()
})

const SETTINGS = { ...routed('/{.metadata.namespace}/first'), imagePullSecrets: [{ name: 'registry' }], serviceAccountName: 'runner' }
const CONFIGURED = { routing: { enabled: true, gatewayRef: GATEWAY }, imagePullSecrets: [{ name: 'registry' }], serviceAccountName: 'runner' }
const WAYS = {
  'client-side': ['apply', '-f', '-'],
  'server-side': ['apply', '--server-side', '-f', '-']
} as const

for (const [way, args] of Object.entries(WAYS)) {
  const diff = ['diff', ...args.slice(1)]
  t.test(`with ${way} apply, fields are filled without drift, and own values win`, async (t) => {
    const namespace = await aNamespace(way)
    const spec = async () => JSON.parse(await get(namespace, 'a', '.spec')) as Record<string, Record<string, unknown>>
    const record = async (): Promise<string> => {
      const annotations = JSON.parse(await get(namespace, 'a', '.metadata.annotations')) as Record<string, string>
      return annotations[INJECTED_FIELDS_ANNOTATION] ?? ''
    }
    await store(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: SETTINGS }))
    const service = manifest({ namespace, name: 'a' })
    const filled = { ...CONFIGURED, routing: { ...CONFIGURED.routing, pathTemplate: `/${way}/first` } }
    for (const round of ['first', 'second']) {
      const { code, stdout, stderr } = await kubectl(args, service)
      t.equal(code, 0, stderr)
      if (round === 'second' && way === 'client-side') t.match(stdout, /unchanged/)
      t.match(await spec(), filled, round)
      t.equal(await get(namespace, 'a', '.metadata.generation'), '1', round)
      t.strictSame((({ code, stdout }) => [code, stdout])(await kubectl(diff, service)), [0, ''], round)
    }
    t.notMatch(await get(namespace, 'a', '.metadata.managedFields'), /pathTemplate/, 'a filled field has no owner')

    const own = manifest({ namespace, name: 'a', spec: { routing: { pathTemplate: '/client-side/own', gatewayRef: { name: 'mine' } } } })
    const set = await kubectl(args, own.replace('/client-side/own', `/${way}/own`))
    t.equal(set.code, 0, set.stderr)
    t.strictSame((await spec())['routing'], { enabled: true, gatewayRef: { name: 'mine' }, pathTemplate: `/${way}/own` })
    const removed = await kubectl(args, service)
    t.equal(removed.code, 0, removed.stderr)
    t.match(await spec(), filled, 'the filled values are back')

    const same = manifest({ namespace, name: 'a', spec: { routing: { pathTemplate: `/${way}/first` } } })
    t.equal((await kubectl(args, same)).code, 0)
    t.notMatch(await record(), /pathTemplate/, 'an own value that equals the filled one')
    t.equal((await kubectl(args, service)).code, 0)
    t.match(await spec(), filled)

    const secrets = manifest({ namespace, name: 'a', spec: { imagePullSecrets: [{ name: 'mine' }] } })
    const { stderr } = await kubectl(args, secrets)
    t.match(stderr, /Warning: spec.imagePullSecrets/)
    t.strictSame((await spec())['imagePullSecrets'], [{ name: 'mine' }])
    t.strictSame((({ code, stdout }) => [code, stdout])(await kubectl(diff, secrets)), [0, ''])
    t.equal((await kubectl(args, service)).code, 0)
    t.match(await spec(), filled)
    t.strictSame((await spec())['imagePullSecrets'], [{ name: 'registry' }])

    const off = manifest({ namespace, name: 'a', spec: { routing: { enabled: false } } })
    t.equal((await kubectl(args, off)).code, 0)
    t.equal((await spec())['routing']?.['enabled'], false)
    t.equal((await kubectl(args, service)).code, 0)
    t.match(await spec(), filled)
    const copy = await kubectl(['-n', namespace, 'get', 'aimsvc/a', '-o', 'yaml'])
    t.equal((await kubectl(['replace', '-f', '-'], copy.stdout)).code, 0)
    t.match(await spec(), filled)
    // kubectl replace takes the copy of an applied service as its manifest, which then declares every field
    t.equal(/pathTemplate/.test(await record()), way === 'server-side')
  })
}

t.test('a changed configuration reaches the filled fields', async (t) => {
  const namespace = await aNamespace('changed')
  await store(
    manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: SETTINGS }), manifest({ namespace, name: 'a' })
  )
  t.equal(await get(namespace, 'a', '.spec.routing.pathTemplate'), '/changed/first')
  await store(manifest({
    kind: 'AIMRuntimeConfig',
    namespace,
    name: 'default',
    spec: { ...SETTINGS, ...routed('/{.metadata.namespace}/second'), imagePullSecrets: [{ name: 'other' }] }
  }))
  await until(async () => await get(namespace, 'a', '.spec.routing.pathTemplate') === '/changed/second')
  t.equal(await get(namespace, 'a', '.spec.imagePullSecrets[*].name'), 'other')
  await until(async () => /Resolved/.test(await get(namespace, 'a', '.status.conditions')))
  const version = await get(namespace, 'a', '.metadata.generation')
  await kubectl(['-n', namespace, 'patch', 'aimsvc/a', '--type=merge', '-p', '{}'])
  t.equal(await get(namespace, 'a', '.metadata.generation'), version, 'at rest')
})

t.test('a service without a configuration has built-in defaults, and is healthy, until one comes', async (t) => {
  const namespace = await aNamespace('builtin')
  const created = await kubectl(['apply', '-f', '-'], manifest({ namespace, name: 'a' }))
  t.strictSame([created.code, created.stderr], [0, ''], 'no warning')
  t.equal(await get(namespace, 'a', '.spec.resolvedRuntimeConfig.kind'), 'Default')
  const state = async (): Promise<string> =>
    await get(namespace, 'a', '.status.conditions[?(@.type=="RuntimeConfigResolved")].reason') +
    await get(namespace, 'a', '.status.conditions[?(@.type=="Degraded")].status')
  await until(async () => await state() === 'ResolvedFalse')
  const used = JSON.parse(await get(namespace, 'a', '.status.resolvedRuntimeConfig')) as object
  t.match(used, { kind: 'Default', scope: 'Cluster', name: 'default' })
  t.notOk('uid' in used)
  await store(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: SETTINGS }))
  await until(async () => await get(namespace, 'a', '.status.routing.path') === '/builtin/first')
  t.equal(await get(namespace, 'a', '.status.resolvedRuntimeConfig.kind'), 'AIMRuntimeConfig')
})
