import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { startOwnCluster, type Cluster } from '../support/cluster/cluster.ts'
import { actionsOf, BLOCK, manifest } from '../support/builders/manifests.ts'
import { startProduct, startReconciler } from '../support/programs/product.ts'
import { until } from '../support/until.ts'

/** How long the programs have no token that is of use. */
const OUTAGE_MS = Number(process.env['CHAOS_OUTAGE_SECONDS'] ?? 120) * 1_000

/** The cluster as a program sees it that reads its token from a file. */
async function withTokenFile (cluster: Cluster): Promise<{ cluster: Cluster, tokenFile: string, token: string }> {
  // by the test base, as JSON
  const kubeconfig = JSON.parse(await readFile(cluster.kubeconfig, 'utf8')) as { users: [{ user: { token: string } }] }
  const [{ user: { token }, ...named }] = kubeconfig.users
  const [file, tokenFile] = [path.join(cluster.dir, 'kubeconfig-token-file'), path.join(cluster.dir, 'token')]
  await writeFile(tokenFile, token)
  await writeFile(file, JSON.stringify({ ...kubeconfig, users: [{ ...named, user: { tokenFile } }] }))
  return { cluster: { ...cluster, kubeconfig: file }, tokenFile, token }
}

const kept = await startOwnCluster()
const { cluster, tokenFile, token } = await withTokenFile(kept)
const { apply, get } = actionsOf(kept)
const programs = [await startProduct(cluster), await startReconciler(cluster)]
t.teardown(async () => {
  for (const program of programs) await program.stop('SIGKILL')
  await kept.stop()
})

const config = (storage: string): string =>
  manifest({
    kind: 'AIMRuntimeConfig',
    namespace: 'default',
    name: 'default',
    spec: { defaultStorageClassName: storage }
  })

const STORAGE = `${BLOCK}.defaultStorageClassName`

/** How long it takes until the service has it, in milliseconds. */
async function carried (storage: string): Promise<number> {
  const from = performance.now()
  await until(async () => await get('default', 'llama-chat', STORAGE) === storage, undefined, 60_000)
  return Math.round(performance.now() - from)
}

/**
 * As if all connections had been cut: each request of the programs is a new one, with whatever credentials they have
 * then.
 */
async function restartApiServer (): Promise<void> {
  await kept.killApiServer()
  await kept.startApiServer()
}

t.test('before', async (t) => {
  await apply(config('first'))
  t.match(await apply(manifest({ namespace: 'default', name: 'llama-chat' })), { code: 0 })
  t.comment(`carried in ${await carried('first')} ms`)
})

t.test('a token file that is gone leaves the last token in use', { timeout: OUTAGE_MS + 120_000 }, async (t) => {
  await rm(tokenFile)
  await restartApiServer()
  await delay(OUTAGE_MS / 2)
  await restartApiServer()
  await delay(OUTAGE_MS / 2)
  await apply(config('second'))
  t.comment(`carried in ${await carried('second')} ms`)
})

t.test('a token that the API server refuses stops nothing for good, nor admission at all', { timeout: OUTAGE_MS + 120_000 }, async (t) => {
  await writeFile(tokenFile, 'revoked')
  await restartApiServer()
  for (let part = 0; part < 10; part++) {
    await delay(OUTAGE_MS / 10)
    t.match(await apply(manifest({ namespace: 'default', name: `meanwhile-${part}` })), { code: 0, stdout: /created/ })
    t.equal(await get('default', `meanwhile-${part}`, STORAGE), 'second')
  }
  await apply(config('third'))
  await writeFile(tokenFile, token)
  t.comment(`carried in ${await carried('third')} ms after the token was right again`)
  for (const { probeUrl } of programs) t.equal((await fetch(`${probeUrl}/readyz`)).status, 200)
})
