import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { newProgram } from '../../../src/cli/program.ts'
import type { JsonObject } from '../../../src/platform/json.ts'
import { actionsOf, manifest, routed } from '../../support/builders/manifests.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { objectsIn, renderedChart } from '../../support/cluster/rendered-chart.ts'
import { fakeTerminal, type Shown } from '../../support/fakes/fake-terminal.ts'
import { startProduct } from '../../support/programs/product.ts'
import { until } from '../../support/until.ts'

const cluster = await startCluster()
const product = await startProduct(cluster)
t.teardown(async () => {
  await product.stop()
  await cluster.stop()
})
const { client, dir } = cluster
const { store, aNamespace } = actionsOf(cluster)
/** A user with no right but those that a test binds. */
const tenant = await cluster.kubeconfigOf('bound')

const roles = objectsIn(await renderedChart()).filter(({ kind, metadata }) =>
  kind === 'ClusterRole' && (metadata as { name: string }).name === 'aim-admission-view')
await client.apply(...roles.map((role) => JSON.stringify(role)))

const apiGroup = 'rbac.authorization.k8s.io'
const bind = async (namespace: string, roleRef = { apiGroup, kind: 'ClusterRole', name: 'aim-admission-view' }) => {
  await client.apply(JSON.stringify({
    apiVersion: `${apiGroup}/v1`,
    kind: 'RoleBinding',
    metadata: { name: 'tenant', namespace },
    roleRef,
    subjects: [{ apiGroup, kind: 'User', name: 'bound' }]
  }))
}

async function run (...args: string[]): Promise<Shown> {
  const { terminal, shown } = fakeTerminal()
  const dependencies = { name: 'aim-admission', version: '1.2.3', description: '', terminal }
  const program = await newProgram(dependencies, (name) => name === args[0])
  await program.parseAsync([...args, '--kubeconfig', tenant], { from: 'user' })
  return shown
}

async function file (name: string, ...manifests: string[]): Promise<string> {
  await writeFile(path.join(dir, name), manifests.join('\n'))
  return path.join(dir, name)
}

const shared = manifest({
  kind: 'AIMClusterRuntimeConfig', name: 'shared', spec: { defaultStorageClassName: 'fast', ...routed('/shared/{.metadata.name}') }
})

t.test('explain says what may not be read, and explains a service from its block', async (t) => {
  const namespace = await aNamespace('from-block')
  await bind(namespace)
  await mayRead(namespace)
  const spec = { runtimeConfigName: 'shared', routing: { gatewayRef: { name: 'own' } } }
  await store(shared, manifest({ namespace, name: 'one', spec }))
  const { out, err, code } = await run('explain', 'one', '-n', namespace)
  t.equal(err, '')
  t.equal(code, 0)
  t.match(out, /^Configuration: AIMClusterRuntimeConfig shared \(spec\.runtimeConfigName is shared\)$/m)
  t.match(out, / {2}AIMRuntimeConfig from-block.*\/shared: not found\n/)
  t.match(out, / {2}AIMClusterRuntimeConfig shared: may not be read, so the settings are those of the block\n/)
  t.match(out, /aimclusterruntimeconfigs\.aim\.silogen\.ai is forbidden/)
  t.match(out, /^defaultStorageClassName +fast +cluster config$/m)
  t.match(out, /^routing\.gatewayRef +own +service$/m)
  t.match(out, /^routing\.enabled +true +cluster config +service: not set$/m)
  t.match(out, /^Path: \/shared\/one$/m)
  t.notMatch(out, /differs from|up to date/)
  const status = await run('status', '-n', namespace)
  t.match(status, { out: '', code: 2, err: /^warning: aimclusterruntimeconfigs\.aim\.silogen\.ai is forbidden.*\nerror: / })
  const json = JSON.parse((await run('explain', 'one', '-n', namespace, '-o', 'json')).out) as JsonObject
  t.match(json, {
    config: 'AIMClusterRuntimeConfig shared',
    hash: /^sha256:[0-9a-f]{64}$/,
    unreadable: [{ kind: 'AIMClusterRuntimeConfig', reason: /is forbidden/ }],
    path: { path: '/shared/one' }
  })
  t.equal(json['hash'], (await client.stored<{ spec: { resolvedRuntimeConfig: JsonObject } }>(
    `/apis/aim.silogen.ai/v1alpha1/namespaces/${namespace}/aimservices/one`))?.spec.resolvedRuntimeConfig['hash'])
})

t.test('a configuration of the namespace needs no other', async (t) => {
  const namespace = await aNamespace('own-config')
  await bind(namespace)
  await mayRead(namespace)
  await store(
    manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: routed('/own') }),
    manifest({ namespace, name: 'one' })
  )
  const { out, code } = await run('explain', 'one', '-n', namespace)
  t.equal(code, 0)
  t.match(out, /^Configuration: AIMRuntimeConfig own-config.*\/default /m)
  t.match(out, /^The block is up to date\.$/m)
  t.match(out, / {2}AIMClusterRuntimeConfig default: may not be read\n/)
})

t.test('without a block the configuration is unknown, not missing', async (t) => {
  const namespace = await aNamespace('no-block')
  await bind(namespace)
  await mayRead(namespace)
  await store(manifest({ namespace, name: 'one', spec: { runtimeConfigName: 'none' } }))
  const { out, code } = await run('explain', 'one', '-n', namespace)
  t.equal(code, 0)
  t.match(out, /^Configuration: unknown, because the service has no block /m)
  t.notMatch(out, /missing/)
})

t.test('the right to get one service is enough', async (t) => {
  const namespace = await aNamespace('get-only')
  await store(shared, manifest({ namespace, name: 'one', spec: { runtimeConfigName: 'shared' } }))
  await client.apply(JSON.stringify({
    apiVersion: `${apiGroup}/v1`,
    kind: 'Role',
    metadata: { name: 'one', namespace },
    rules: [{ apiGroups: ['aim.silogen.ai'], resources: ['aimservices'], resourceNames: ['one'], verbs: ['get'] }]
  }))
  await bind(namespace, { apiGroup, kind: 'Role', name: 'one' })
  await until(async () => (await run('explain', 'one', '-n', namespace)).code === 0)
  const { out } = await run('explain', 'one', '-n', namespace)
  t.match(out, / {2}AIMRuntimeConfig get-only.*\/shared: may not be read\n/)
  t.match(out, /^Path: \/shared\/one$/m)
  t.match(await run('explain', 'aimsvc', 'one', '-n', namespace), { code: 0, out: /AIMService .*\/one/ })
  t.match(await run('explain', '-A'), { code: 2, err: /^error: failed to list .*is forbidden/ })
  const { err, code } = await run('explain', '-n', namespace)
  t.equal(code, 2)
  t.match(err, /^error: failed to list .*is forbidden/)
})

t.test('review with the cluster needs rights only in the namespaces of the files, and says what is not compared', async (t) => {
  const [namespace, other] = [await aNamespace('reviewed'), await aNamespace('unread')]
  await bind(namespace)
  await mayRead(namespace)
  await store(
    manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: routed("/{.metadata.labels['team']}") }),
    manifest({ namespace, name: 'first', labels: { team: 'rights' } })
  )
  const input = await file('rights.json', manifest({ namespace, name: 'second', labels: { team: 'rights' } }))
  const { out, err, code } = await run('review', '-f', input, '-o', 'json')
  t.equal(code, 1, err)
  t.match(JSON.parse(out), { name: 'second', allowed: false, status: { message: /already held by AIMService reviewed/ } })
  t.strictSame(err.match(/^note: you may not list .*/gm), [
    `note: you may not list aimruntimeconfigs of the cluster: only those of ${namespace} are compared`,
    'note: you may not list aimclusterruntimeconfigs of the cluster: ' +
    'a service that uses one is reviewed as if it were missing; give it with --configs',
    `note: you may not list aimservices of the cluster: only those of ${namespace} are compared`
  ])
  const foreign = await file('foreign.json', manifest({ namespace: other, name: 'a' }))
  const refused = await run('review', '-f', foreign, '-o', 'json')
  t.equal(refused.code, 2)
  t.match(refused.err, /is forbidden/)
})

/** RBAC is read by a watch. */
async function mayRead (namespace: string): Promise<void> {
  await until(async () => {
    const url = `/apis/aim.silogen.ai/v1alpha1/namespaces/${namespace}/aimservices`
    return (await cluster.kubectl(['get', '--raw', url, '--as=bound'])).code === 0
  })
}
