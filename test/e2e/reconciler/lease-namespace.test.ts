import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { manifest } from '../../support/builders/manifests.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { observationsOf } from '../../support/cluster/observed.ts'
import { startProduct } from '../../support/programs/product.ts'
import { startProgram } from '../../support/programs/program.ts'
import { until } from '../../support/until.ts'

const cluster = await startCluster()
const { client } = cluster
const { reaches } = observationsOf(cluster)
t.teardown(async () => { await cluster.stop() })

interface TestKubeconfig {
  readonly users: readonly [{ readonly user: object }]
  readonly contexts: readonly [{ readonly context: object }]
}

/** A kubeconfig whose context has this namespace, of the administrator or of an impersonated user. */
async function kubeconfigIn (namespace: string, as?: string): Promise<string> {
  // the test cluster writes JSON
  const config = JSON.parse(await readFile(cluster.kubeconfig, 'utf8')) as TestKubeconfig
  const [[user], [context]] = [config.users, config.contexts]
  const file = path.join(cluster.dir, `kubeconfig-${namespace}`)
  await writeFile(file, JSON.stringify({
    ...config,
    users: [{ ...user, user: { ...user.user, ...(as !== undefined && { as }) } }],
    contexts: [{ ...context, context: { ...context.context, namespace } }]
  }))
  return file
}

/** A user with every right of the product, but not that to create namespaces. */
const LIMITED = [
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'limited' },
    rules: [{ apiGroups: ['aim.silogen.ai', 'coordination.k8s.io', 'events.k8s.io'], resources: ['*'], verbs: ['*'] }]
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'limited' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'limited' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'limited' }]
  }
].map((object) => JSON.stringify(object))

t.test('creates a missing lease namespace, by default that of the kubeconfig context', async (t) => {
  const product = await startProduct(
    { ...cluster, kubeconfig: await kubeconfigIn('operators') }, ['--with-reconciler']
  )
  t.teardown(async () => { await product.stop() })
  t.match(await product.logged('created namespace for lease'), { namespace: 'operators' })
  await product.logged('became leader')
  t.ok(await client.stored('/apis/coordination.k8s.io/v1/namespaces/operators/leases/aim-admission-reconcile'))
  await client.apply(manifest({ namespace: 'default', name: 'a' }))
  t.equal(await reaches(['-n', 'default', 'aimsvc/a'], 'RuntimeConfigResolved', 'RuntimeConfigMissing'), '')
})

t.test('reports a lease namespace that it may not create, and recovers when it exists', async (t) => {
  await client.apply(...LIMITED)
  const kubeconfig = await kubeconfigIn('missing', 'limited')
  const reconciler = startProgram(['reconcile', '--kubeconfig', kubeconfig, '--probe-port', '0'])
  t.teardown(async () => { await reconciler.stop() })
  const { probeUrl } = await reconciler.logged('reconciling') as unknown as { probeUrl: string } // as logged
  t.match(await reconciler.logged('failed to create namespace for lease, waiting for it'), {
    level: 50,
    namespace: 'missing',
    command: 'kubectl create namespace missing',
    reason: /403/
  })
  const response = await fetch(`${probeUrl}/readyz`)
  t.equal(response.status, 503)
  t.equal(
    await response.text(),
    'not ready: namespace missing for the Lease does not exist; run: kubectl create namespace missing\n'
  )

  const product = await startProduct({ ...cluster, kubeconfig }, ['--with-reconciler'])
  t.teardown(async () => { await product.stop() })
  await product.logged('failed to create namespace for lease, waiting for it')
  const readiness = async (): Promise<string> => await (await fetch(`${product.probeUrl}/readyz`)).text()
  t.equal(
    await readiness(),
    'ok\nwarning: namespace missing for the Lease does not exist; run: kubectl create namespace missing\n'
  )

  await client.create('/api/v1/namespaces', { metadata: { name: 'missing' } })
  await until(async () => (await readiness()) === 'ok\n' && (await fetch(`${probeUrl}/readyz`)).ok)
  await client.apply(manifest({ namespace: 'default', name: 'b' }))
  t.equal(await reaches(['-n', 'default', 'aimsvc/b'], 'RuntimeConfigResolved', 'RuntimeConfigMissing'), '')
})
