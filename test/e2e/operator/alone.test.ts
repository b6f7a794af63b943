import t from 'tap'
import { actionsOf, GATEWAY, manifest, routed } from '../../support/builders/manifests.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { httpRouteDefinition, installDefinitions, operatorDefinitions } from '../../support/operator/install.ts'
import { startOperator } from '../../support/operator/operator.ts'
import { until } from '../../support/until.ts'

const cluster = await startCluster()
const { client } = cluster
const { store, get, aNamespace } = actionsOf(cluster)
await installDefinitions(cluster, [await httpRouteDefinition(), ...await operatorDefinitions()])
const operator = startOperator({ request: client.request })
t.teardown(async () => {
  await operator.stop()
  await cluster.stop()
})

const route = async (namespace: string, name: string, path: string): Promise<string> =>
  await client.values(`/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/httproutes/${name}`, path)
const PATH = '.spec.rules[0].matches[0].path.value'

t.test('the stand-in merges configurations, writes a route, and reports what it reports in a cluster', async (t) => {
  const namespace = await aNamespace('alone')
  await store(
    manifest({ kind: 'AIMClusterRuntimeConfig', name: 'default', spec: routed('/cluster/{.metadata.name}') }),
    manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: { routing: { pathTemplate: '/ns/{.metadata.labels.team}' } } }),
    manifest({ namespace, name: 'inherited', labels: { team: 'My_Team' } }),
    manifest({ namespace, name: 'own', spec: routed('/Own/Path') })
  )
  await until(async () => await get(namespace, 'own', '.status.status') === 'Running')
  t.equal(await route(namespace, 'own', PATH), '/own/path')
  t.equal(await route(namespace, 'inherited', PATH), '/ns/my-team')
  t.equal(await route(namespace, 'inherited', '.spec.parentRefs[0].name'), GATEWAY.name)
  t.equal(await route(namespace, 'own', '.metadata.ownerReferences[0].name'), 'own')
  t.equal(await get(namespace, 'inherited', '.status.status'), 'Starting')
  t.equal(await get(namespace, 'inherited', '.status.resolvedRuntimeConfig.scope'), 'Merged')
  t.equal(await get(namespace, 'inherited', '.status.routing.path'), '/ns/my-team')
  t.equal(await get(namespace, 'inherited', '.spec.runtimeConfigName'), 'default')
})

t.test('a deleted service loses its route, one that turns routing off too, and a template that fails makes none', async (t) => {
  const namespace = await aNamespace('alone-off')
  await store(
    manifest({ namespace, name: 'off', spec: routed('/off') }),
    manifest({ namespace, name: 'gone', spec: routed('/gone') }),
    manifest({ namespace, name: 'failing', spec: routed('/{.metadata.labels.none}') })
  )
  await until(async () => await route(namespace, 'gone', PATH) === '/gone')
  await client.patch(`/apis/aim.silogen.ai/v1alpha1/namespaces/${namespace}/aimservices/off`, { spec: { routing: { enabled: false } } })
  await client.remove(`/apis/aim.silogen.ai/v1alpha1/namespaces/${namespace}/aimservices/gone`)
  await until(async () => await client.values(`/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/httproutes`, '.items[*].metadata.name') === '')
  t.equal(await get(namespace, 'failing', '.status.status'), 'Starting')
})

t.test('at rest it writes nothing, and nothing of it was refused', async (t) => {
  await operator.settled()
  const versions = async (): Promise<string> =>
    await client.values('/apis/aim.silogen.ai/v1alpha1/aimservices', '.items[*].metadata.resourceVersion')
  const before = await versions()
  await operator.settled()
  t.equal(await versions(), before)
  t.strictSame(operator.refused, [])
})
