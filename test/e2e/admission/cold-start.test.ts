import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { startCluster } from '../../support/cluster/cluster.ts'
import { createLoad } from '../../support/cluster/create-load.ts'
import { startTcpProxy } from '../../support/fakes/tcp-proxy.ts'
import { manifest } from '../../support/builders/manifests.ts'
import { observationsOf } from '../../support/cluster/observed.ts'
import { startProduct } from '../../support/programs/product.ts'
import { startProgram } from '../../support/programs/program.ts'
import { until } from '../../support/until.ts'

const cluster = await startCluster()
const product = await startProduct(cluster)
t.teardown(async () => { await cluster.stop() })

t.test('a create that comes while the only server fills its caches, for some 3 s of the 5 s that a webhook has, succeeds once', async (t) => {
  const { dir, client } = cluster
  await client.create('/api/v1/namespaces', { metadata: { name: 'cold' } })
  await client.apply(manifest({ kind: 'AIMRuntimeConfig', namespace: 'cold', name: 'default' }))
  t.equal(await product.stop(), 0)
  const proxy = await startTcpProxy(cluster.url, { held: true })
  t.teardown(async () => { await proxy.stop() })
  const kubeconfig = path.join(dir, 'held.kubeconfig')
  await writeFile(kubeconfig, (await readFile(cluster.kubeconfig, 'utf8')).replace(cluster.url, proxy.url))
  const program = startProgram(['serve', '--kubeconfig', kubeconfig, '--port', new URL(product.url).port, '--probe-port', '0',
    '--cert-file', path.join(dir, 'tls.crt'), '--key-file', path.join(dir, 'tls.key')])
  t.teardown(async () => { await program.stop('SIGKILL') })
  const { probeUrl } = await program.logged('serving') as unknown as { probeUrl: string } // what the command logs
  const counted = async (outcome: string): Promise<number> => {
    const metrics = await (await fetch(`${probeUrl}/metrics`)).text()
    const lines = metrics
      .split('\n')
      .filter(
        (line) =>
          line.startsWith('aim_admission_requests_total{webhook="mutate-aimservices"') &&
          line.includes(`outcome="${outcome}"`)
      )
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }

  const load = createLoad(cluster, { namespace: 'cold', count: 1, rate: 1 })
  await until(async () => await counted('unavailable') >= 3) // the API server asks again each second
  t.equal((await fetch(`${probeUrl}/readyz`)).status, 503)
  proxy.release()
  const { created, failed } = await load
  t.strictSame([created, failed], [1, []])
  t.equal(await counted('patched'), 1)
  const { object, objects } = observationsOf(cluster)
  t.equal((await objects('-n', 'cold', 'aimsvc')).length, 1)
  t.match(
    await object('-n', 'cold', 'aimsvc/load-0'),
    { spec: { resolvedRuntimeConfig: { kind: 'AIMRuntimeConfig' } } },
    'resolved from what the caches were filled with'
  )
})
