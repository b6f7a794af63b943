import t from 'tap'
import { inNamespace } from '../../support/cluster/cluster-client.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { actionsOf, BLOCK, BY_TEAM, manifest, PATH, routed } from '../../support/builders/manifests.ts'
import { conditionOf, observationsOf } from '../../support/cluster/observed.ts'
import { manifestsOf, startProduct, startReconciler } from '../../support/programs/product.ts'
import { startProgram } from '../../support/programs/program.ts'
import { eventually, until } from '../../support/until.ts'

const cluster = await startCluster()
const { client, dir, kubeconfig } = cluster
const { store, get, aNamespace } = actionsOf(cluster)
const { object, events, reaches } = observationsOf(cluster)
const product = await startProduct(cluster, ['--failure-policy', 'Ignore'])
await client.apply(...await manifestsOf(
  'webhooks', '--url', product.url, '--ca-file', product.caFile, '--failure-policy', 'Ignore', '--timeout-seconds', '1'
))
const reconciler = await startReconciler(cluster)
let server: Pick<typeof product, 'stop'> = product
t.teardown(async () => {
  await reconciler.stop()
  await server.stop()
  await cluster.stop()
})

async function startServer (): Promise<void> {
  const program = startProgram([
    'serve', '--kubeconfig', kubeconfig, '--port', new URL(product.url).port, '--probe-port', '0',
    '--cert-file', `${dir}/tls.crt`, '--key-file', `${dir}/tls.key`, '--failure-policy', 'Ignore'
  ])
  await program.logged('serving')
  server = program
}

async function unobserved (): Promise<number> {
  const metrics = await (await fetch(`${reconciler.probeUrl}/metrics`)).text()
  return Number(/^aim_admission_unobserved_services (\d+)$/m.exec(metrics)?.[1])
}

const REASON = 'AdmittedWithoutWebhook'

t.test('counts and corrects unobserved changes, and rolls out a configuration changed meanwhile', async (t) => {
  const namespace = await aNamespace('missed')
  const other = await aNamespace('changed')
  await store(
    manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: routed(BY_TEAM) }),
    manifest(
      { kind: 'AIMRuntimeConfig', namespace: other, name: 'default', spec: routed() }
    ), manifest({ namespace: other, name: 'a' }))
  const { metadata: { creationTimestamp } } = await object('-n', namespace, 'aimrcfg/default')
  // a younger configuration may be unknown to the replica that admits a service
  await until(() => Date.now() > Date.parse(creationTimestamp) + 7_000)
  await store(...['seen', 'edited', 'switched'].map((name) => manifest({ namespace, name, labels: { team: 'nlp' } })))
  for (const name of ['seen', 'edited', 'switched']) {
    t.equal(await reaches(['-n', namespace, `aimsvc/${name}`], 'RoutingReady', 'PathRendered'), '')
  }
  t.equal(await reaches(['-n', other, 'aimsvc/a'], 'RoutingReady', 'PathRendered'), '')
  const before = await object('-n', namespace, 'aimsvc/seen')
  t.equal(await unobserved(), 0)

  await server.stop()
  await store(manifest({ namespace, name: 'new', labels: { team: 'nlp' } }))
  await client.patch(`${inNamespace(namespace).services}/edited`, { metadata: { labels: { team: 'vision' } } })
  await client.patch(`${inNamespace(namespace).services}/switched`, { spec: { runtimeConfigName: 'none' } })
  await store(manifest({ kind: 'AIMRuntimeConfig', namespace: other, name: 'default', spec: routed('/changed/to') }))
  t.equal(await reaches(['-n', other, 'aimsvc/a'], 'RuntimeConfigResolved', 'RollingOut'), '')
  t.equal(await get(other, 'a', '.status.routing.path'), '/changed/a', 'the old settings apply')
  await until(async () => await unobserved() === 3)
  t.equal(await get(namespace, 'new', BLOCK), '', 'only admission writes the block')
  t.equal(await get(namespace, 'edited', PATH), '/missed/nlp/edited')
  for (const name of ['new', 'edited', 'switched']) {
    t.match(await eventually(async () => (await events(namespace, name)).find(({ reason }) => reason === REASON)), {
      type: 'Warning',
      note: /^no admission webhook saw the last change of this service/
    })
    t.equal(await reaches(['-n', namespace, `aimsvc/${name}`], 'RuntimeConfigResolved', 'RollingOut'), '')
  }
  t.match(conditionOf(await object('-n', namespace, 'aimsvc/new'), 'RuntimeConfigResolved')?.message,
    'AIMRuntimeConfig missed/default is not rolled out to this service yet: admission returned no settings, retrying')

  await startServer()
  for (const name of ['new', 'edited']) {
    t.equal(await reaches(['-n', namespace, `aimsvc/${name}`], 'RuntimeConfigResolved', 'Resolved'), '')
  }
  t.equal(await reaches(['-n', namespace, 'aimsvc/switched'], 'RuntimeConfigResolved', 'RuntimeConfigMissing'), '')
  t.strictSame(await Promise.all(['new', 'edited', 'switched'].map(async (name) => await get(namespace, name, PATH))), [
    '/missed/nlp/new',
    '/missed/vision/edited',
    ''
  ])
  await until(async () => await unobserved() === 0)
  t.equal((await events(namespace, 'new')).filter(({ reason }) => reason === REASON).length, 1)
  t.equal(await reaches(['-n', other, 'aimsvc/a'], 'RuntimeConfigResolved', 'Resolved'), '')
  t.equal(await get(other, 'a', '.status.routing.path'), '/changed/to')
  await until(async () => (await object('-n', other, 'aimrcfg/default')).status?.services?.current === 1)
  t.equal(
    (await object('-n', namespace, 'aimsvc/seen')).metadata.resourceVersion,
    before.metadata.resourceVersion,
    'an observed service is not written'
  )
})
