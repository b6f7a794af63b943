import t from 'tap'
import { startOwnCluster } from '../support/cluster/cluster.ts'
import { createLoad } from '../support/cluster/create-load.ts'
import { findLeaks } from '../support/docs/find-leaks.ts'
import { manifest } from '../support/builders/manifests.ts'
import { startReconciler } from '../support/programs/product.ts'
import { startReplicas } from '../support/programs/replicas.ts'
import { eventually, until } from '../support/until.ts'

const CREATES = Number(process.env['CHAOS_CREATES'] ?? 10_000)
const RATE = 50
const EVENTS_MS = 600_000

const cluster = await startOwnCluster({ audit: 'patches' })
const { kubectl } = cluster
const replicas = await startReplicas(cluster, { flags: ['--drain-min', '10s', '--drain-quiet', '3s'] })
t.teardown(async () => {
  await replicas.stop()
  await cluster.stop()
})

/** Every page of metrics that was looked at. */
const pages: string[] = []
async function lookAtMetrics (): Promise<void> {
  for (const { probeUrl } of replicas.running) pages.push(await (await fetch(`${probeUrl}/metrics`)).text())
}

/** What a Secret holds that services are given the name of. */
const PASSWORD = 'never-to-be-seen-outside-4711'

t.test(`replicas are replaced 10 times while ${CREATES} services are created, and not one create fails`, { timeout: 1_200_000 }, async (t) => {
  await kubectl(['create', 'namespace', 'rolling'])
  await kubectl([
    '-n',
    'rolling',
    'create',
    'secret',
    'generic',
    'registry-credentials',
    `--from-literal=password=${PASSWORD}`
  ])
  await kubectl(
    ['apply', '-f', '-'],
    manifest({
      kind: 'AIMRuntimeConfig',
      namespace: 'rolling',
      name: 'default',
      spec: { imagePullSecrets: [{ name: 'registry-credentials' }] }
    })
  )
  const load = createLoad(cluster, { namespace: 'rolling', count: CREATES, rate: RATE })
  const codes: Array<Promise<number | null>> = []
  for (let round = 0; round < 10; round++) {
    codes.push(...await replicas.roll())
    await lookAtMetrics()
  }
  const { created, failed } = await load
  t.strictSame([created, failed], [CREATES, []])
  t.strictSame(new Set(await Promise.all(codes)), new Set([0]))
})

t.test('a replica that starts cold under load costs nothing', { timeout: 120_000 }, async (t) => {
  await kubectl(['create', 'namespace', 'cold'])
  const load = createLoad(cluster, { namespace: 'cold', count: 500, rate: RATE })
  const replica = await replicas.start(['--log-level', 'debug']) // whose log tells each decision, too
  await until(() => replica.isListed())
  t.strictSame((await load).failed, [])
})

t.test('a replica that is killed takes with it what it was asked, and nothing that comes once its endpoint has gone', { timeout: 120_000 }, async (t) => {
  await kubectl(['create', 'namespace', 'killed'])
  const load = createLoad(cluster, { namespace: 'killed', count: 500, rate: RATE })
  const [victim] = replicas.running.splice(0, 1)
  await victim?.stop('SIGKILL')
  const { failed } = await load
  t.comment(`${failed.length} creates failed`)
  t.strictSame(failed.filter(({ due }) => due > 4_000), [], 'the proxy hears of it within 3.25 s')
  t.strictSame(failed.filter(({ reason }) => !reason.includes('failed calling webhook')), [])
})

t.test('a replica whose node is lost, and which answers nothing and ends no connection, leaves the other to answer throughout', { timeout: 120_000 }, async (t) => {
  await kubectl(['create', 'namespace', 'lost'])
  while (replicas.running.length < 2) await until(((replica) => () => replica.isListed())(await replicas.start()))
  const load = createLoad(cluster, { namespace: 'lost', count: 1_000, rate: RATE })
  const [victim] = replicas.running.splice(0, 1)
  victim?.signal('SIGSTOP')
  const { failed, created } = await load
  t.comment(
    `${failed.length} creates failed, the last was due ${Math.round(Math.max(0, ...failed.map(({ due }) => due)))} ms after the loss`
  )
  const seconds = Array.from(
    { length: 1_000 / RATE },
    (_, second) => failed.filter(({ due }) => Math.floor(due / 1_000) === second).length
  )
  t.ok(seconds.every((count) => count < RATE), `failed by second: ${seconds.join()}`)
  t.ok(created > 500)
  t.strictSame(
    failed.filter(({ due }) => due > 10_000),
    [],
    'once the endpoint has gone and the last call has run into its timeout'
  )
  await victim?.stop('SIGKILL')
  victim?.remove()
})

t.test('with no replica left, services are refused with a message that says why, other kinds are not, and it ends with the return', { timeout: 120_000 }, async (t) => {
  await Promise.all(replicas.running.splice(0).map(async (replica) => {
    await replica.stop('SIGKILL')
    replica.remove()
  }))
  await kubectl(['create', 'namespace', 'down'])
  const { code, stderr } = await kubectl(['apply', '-f', '-'], manifest({ namespace: 'down', name: 'a' }))
  t.equal(code, 1)
  t.match(stderr, /failed calling webhook "mutate-aimservices\.aim\.silogen\.ai"/)
  t.equal((await kubectl(['-n', 'down', 'create', 'configmap', 'a'])).code, 0)
  await replicas.start()
  await eventually(
    async () =>
      (await kubectl(['apply', '-f', '-'], manifest({ namespace: 'down', name: 'a' }))).code === 0 || undefined
  )
})

t.test('no log, metric, event or patch of all this holds a key or the value of a Secret', { timeout: 900_000 }, async (t) => {
  await lookAtMetrics()
  const reconciler = await startReconciler(cluster) // only now, so that what it writes is not in the way of the load
  t.teardown(async () => { await reconciler.stop() })
  // ten events a second, for the services of all the tests above
  await until(
    async () => (await kubectl(['-n', 'rolling', 'get', 'events', '-o', 'name'])).stdout !== '',
    undefined,
    EVENTS_MS
  )
  pages.push(await (await fetch(`${reconciler.probeUrl}/metrics`)).text())
  const texts = {
    logs: [...replicas.all, reconciler].flatMap(({ lines }) => lines).join('\n'),
    metrics: pages.join('\n'),
    events: (await kubectl(['get', 'events', '--all-namespaces', '-o', 'json'])).stdout,
    'the audit log': await cluster.auditLog()
  }
  t.match(
    texts,
    { logs: /"webhook":"mutate-aimservices"/, metrics: /aim_admission_requests_total\{/, events: /"kind": "Event"/ },
    'there is something to look through'
  )
  t.match(texts['the audit log'], /patch\.webhook\.admission\.k8s\.io.*registry-credentials/, 'patches, too')
  t.strictSame(
    findLeaks(texts, {
      'the serving key': replicas.keyPem,
      'a password': PASSWORD,
      'the token of the programs': 'admin-token'
    }),
    []
  )
})
