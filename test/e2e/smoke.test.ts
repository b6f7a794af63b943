import t from 'tap'
import { actionsOf, manifest, PATH, routed } from '../support/builders/manifests.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import { observationsOf } from '../support/cluster/observed.ts'
import { startProduct, startReconciler } from '../support/programs/product.ts'

const cluster = await startCluster()
const product = await startProduct(cluster)
const reconciler = await startReconciler(cluster)
const { store, get, aNamespace } = actionsOf(cluster)
t.teardown(async () => {
  await Promise.all([product, reconciler].map(async (program) => await program.stop('SIGKILL')))
  await cluster.stop()
})

t.test('a service gets its block and status, and an invalid template is refused', async (t) => {
  const namespace = await aNamespace('smoke')
  await store(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: routed('/smoke/{.metadata.name}') }))
  await store(manifest({ namespace, name: 'llama-chat' }))
  t.equal(await get(namespace, 'llama-chat', PATH), '/smoke/llama-chat')
  await t.rejects(
    store(manifest({ namespace, name: 'refused', spec: { routing: { enabled: true, pathTemplate: '/{' } } })),
    /pathTemplate/
  )
  t.equal(await observationsOf(cluster).reaches(['-n', namespace, 'aimsvc/llama-chat'], 'RoutingReady', 'PathRendered'), '')
  t.equal(await get(namespace, 'llama-chat', '.status.routing.path'), '/smoke/llama-chat')
})
