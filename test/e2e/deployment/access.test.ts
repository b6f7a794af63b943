import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { startOwnCluster } from '../../support/cluster/cluster.ts'
import { actionsOf, manifest } from '../../support/builders/manifests.ts'
import { installCrds } from '../../support/programs/product.ts'
import { startProgram } from '../../support/programs/program.ts'
import { until } from '../../support/until.ts'

const cluster = await startOwnCluster()
const { client, dir } = cluster
const { store, get } = actionsOf(cluster)
const tokenFile = path.join(dir, 'token')
const kubeconfig = path.join(dir, 'kubeconfig-token-file')
await client.create('/api/v1/namespaces', { metadata: { name: 'aim-system' } })
await writeFile(tokenFile, 'bound-token\n')
const withToken = await readFile(await cluster.kubeconfigOf('bound'), 'utf8')
await writeFile(kubeconfig, withToken.replace('"token":"bound-token"', `"tokenFile":${JSON.stringify(tokenFile)}`))

const reconciler = startProgram(['reconcile', '--kubeconfig', kubeconfig, '--probe-port', '0', '--lease-duration', '5'])
t.teardown(async () => {
  await reconciler.stop('SIGKILL')
  await cluster.stop()
})
const { probeUrl } = await reconciler.logged('reconciling') as unknown as { probeUrl: string } // what the command logs
const probe = async (): Promise<{ ok: boolean, text: string }> => {
  const reply = await fetch(`${probeUrl}/readyz`)
  return { ok: reply.ok, text: await reply.text() }
}
const RBAC = 'rbac.authorization.k8s.io'
const BINDINGS = `/apis/${RBAC}/v1/clusterrolebindings`
const allow = async (): Promise<void> => {
  await client.create(BINDINGS, {
    metadata: { name: 'bound' },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ apiGroup: RBAC, kind: 'User', name: 'bound' }]
  })
}
const forbid = async (): Promise<void> => { await client.remove(`${BINDINGS}/bound`) }
const becomes = async (t: Test, what: string, look: () => Promise<boolean>): Promise<void> => {
  await t.resolves(until(look, undefined, 60_000), what)
}
const hasStatus = async (name: string): Promise<boolean> => await get('default', name, '.status.conditions') !== ''

t.test('without its definitions and without rights it is not ready, says why, and goes on trying', async (t) => {
  await becomes(t, 'it says that it is forbidden', async () => (await probe()).text.includes('403'))
  t.notOk((await probe()).ok)
  await allow()
  await becomes(t, 'it says that the kinds are not there', async () => (await probe()).text.includes('404'))
  await installCrds(cluster)
  await becomes(t, 'it is ready', async () => (await probe()).ok)
  await store(manifest({ namespace: 'default', name: 'first' }))
  await becomes(t, 'a status is written', async () => await hasStatus('first'))
})

t.test('a token file that cannot be read leaves the last token in use', async (t) => {
  await rm(tokenFile)
  await store(manifest({ namespace: 'default', name: 'second' }))
  await becomes(t, 'a status is written', async () => await hasStatus('second'))
  await writeFile(tokenFile, 'bound-token\n')
})

t.test('revoked rights are reported; once granted again, the missed work is done', async (t) => {
  await forbid()
  await store(manifest({ namespace: 'default', name: 'third' }))
  await becomes(t, 'it no longer leads', async () =>
    (await (await fetch(`${probeUrl}/metrics`)).text()).includes(
      'leader_election_master_status{name="aim-admission-reconcile"} 0'
    )
  )
  t.match(
    await (await fetch(`${probeUrl}/metrics`)).text(),
    /rest_client_requests_total\{method="\w+",code="403"\} [1-9]/
  )
  t.notOk(await hasStatus('third'))
  await allow()
  await becomes(t, 'a status is written', async () => await hasStatus('third'))
  t.doesNotThrow(() => process.kill(reconciler.pid, 0))
})

t.test('a token that is rotated while its file cannot be read is taken up as soon as the file is there again', async (t) => {
  await rm(tokenFile)
  await cluster.killApiServer()
  const users = path.join(dir, 'tokens.csv')
  await writeFile(users, (await readFile(users, 'utf8')).replace('bound-token,', 'rotated-token,'))
  await cluster.startApiServer()
  await store(manifest({ namespace: 'default', name: 'fourth' }))
  await becomes(t, 'the metrics count refused tokens', async () =>
    /rest_client_requests_total\{method="\w+",code="401"\} [1-9]/.test(
      await (await fetch(`${probeUrl}/metrics`)).text()
    )
  )
  t.notOk(await hasStatus('fourth'))
  await writeFile(tokenFile, 'rotated-token\n')
  await becomes(t, 'a status is written', async () => await hasStatus('fourth'))
  t.doesNotThrow(() => process.kill(reconciler.pid, 0))
})
