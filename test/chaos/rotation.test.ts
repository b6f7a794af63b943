import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { startCluster } from '../support/cluster/cluster.ts'
import { createLoad } from '../support/cluster/create-load.ts'
import { startReplicas } from '../support/programs/replicas.ts'
import { handshake, storedCertificates } from '../support/cluster/stored-certificates.ts'
import { until } from '../support/until.ts'

const CREATES = Number(process.env['CHAOS_CREATES'] ?? 10_000)
const RATE = 50
const ROTATIONS = ['leaf', 'leaf', 'ca', 'leaf', 'leaf', 'ca', 'leaf'] as const

const cluster = await startCluster()
await cluster.kubectl(['create', 'namespace', 'aim-system'])
const { bundles, trusting, rotate, secret } = storedCertificates(cluster)
const replicas = await startReplicas(cluster, { certificates: 'managed' })
t.teardown(async () => {
  await replicas.stop()
  await cluster.stop()
})

t.test(`5 serving certificates and 2 CAs are replaced while ${CREATES} services are created: not one create and not one new handshake fails`, { timeout: 1_200_000 }, async (t) => {
  await until(trusting)
  await cluster.kubectl(['create', 'namespace', 'rotation'])
  const ending = new AbortController()
  const failures: string[] = []
  let handshakes = 0
  const shaking = (async (): Promise<void> => {
    while (!ending.signal.aborted) {
      const [bundle = ''] = await bundles()
      const result = await handshake(replicas.url, bundle)
      if (result !== '') failures.push(result)
      handshakes++
      await delay(20)
    }
  })()
  const load = createLoad(cluster, { namespace: 'rotation', count: CREATES, rate: RATE })
  const [leaves, cas] = [new Set([await secret('tls.crt')]), new Set([await secret('ca.crt')])]
  for (const which of ROTATIONS) {
    await rotate(which)
    leaves.add(await secret('tls.crt'))
    cas.add(await secret('ca.crt'))
    await delay(CREATES / RATE / (2 * ROTATIONS.length) * 1_000)
  }
  const { created, failed } = await load
  ending.abort()
  await shaking
  t.strictSame([created, failed], [CREATES, []])
  t.strictSame(failures, [], `${handshakes} handshakes`)
  t.strictSame([leaves.size, cas.size], [1 + ROTATIONS.length, 3])
})
