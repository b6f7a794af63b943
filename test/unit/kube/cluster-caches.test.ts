import t, { type Test } from 'tap'
import { KINDS, type Kind } from '../../../src/api/kinds.ts'
import { ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import { connectToCluster } from '../../../src/kube/client/api-connection.ts'
import { ClusterCaches } from '../../../src/kube/watch/cluster-caches.ts'
import { FakeApiServer, silence, status } from '../../support/fakes/fake-api-server.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'
import { until } from '../../support/until.ts'

type KindName = Kind['kind']

const pathOf = (plural: string) => `/apis/aim.silogen.ai/v1alpha1/${plural}`
const PATHS = KINDS.map(({ plural }) => pathOf(plural))

async function setUp (t: Test) {
  const api = new FakeApiServer()
  await api.start()
  for (const path of PATHS) {
    api.serve(path)
    api.put(path, 'default')
  }
  const connection = await connectToCluster({
    kubeconfig: `${t.testdir({ kubeconfig: api.kubeconfig })}/kubeconfig`,
    log: silentLog
  })
  const held: Record<KindName, Set<string>> = {
    AIMService: new Set(),
    AIMRuntimeConfig: new Set(),
    AIMClusterRuntimeConfig: new Set()
  }
  const sinkOf = (kind: KindName) => ({
    upsert: (object: JsonObject) => { held[kind].add(ownString(ownObject(object, 'metadata'), 'name')) },
    remove: ({ name }: { name: string }) => { held[kind].delete(name) }
  })
  const observed: string[] = []
  const clock = new ManualClock()
  const caches = new ClusterCaches({
    request: connection.request,
    sinks: {
      AIMService: sinkOf('AIMService'),
      AIMRuntimeConfig: sinkOf('AIMRuntimeConfig'),
      AIMClusterRuntimeConfig: sinkOf('AIMClusterRuntimeConfig')
    },
    observe: (kind) => ({
      onSynced: () => { observed.push(`${kind} synced`) },
      onRestart: (reason) => { observed.push(`${kind} ${reason}`) },
      onFailedObject: () => {}
    }),
    log: silentLog,
    clock
  })
  t.teardown(async () => {
    await caches.stop()
    await connection.close()
    await api.stop()
  })
  return { api, caches, clock, held, observed }
}

t.test('fills and updates the sinks of the three kinds over few connections', async (t) => {
  const { api, caches, held, observed } = await setUp(t)
  t.notOk(caches.synced)
  caches.start()
  await until(() => api.openWatches === 3)
  t.ok(caches.synced)
  t.strictSame(caches.unsynced(), [])
  t.strictSame(observed.sort(), ['AIMClusterRuntimeConfig synced', 'AIMRuntimeConfig synced', 'AIMService synced'])
  api.put(pathOf('aimservices'), 'llama')
  api.remove(pathOf('aimruntimeconfigs'), 'default')
  await until(() => held.AIMService.has('llama') && held.AIMRuntimeConfig.size === 0)
  t.strictSame([...held.AIMClusterRuntimeConfig], ['default'])
  t.ok(api.accepted <= 6)
})

t.test('names each unsynced kind with the reason', async (t) => {
  const { api, caches, clock } = await setUp(t)
  t.strictSame(caches.unsynced().length, 3)
  api.unserve(pathOf('aimservices'))
  caches.start()
  await until(() => api.openWatches === 2 && clock.pending === 3)
  t.strictSame(caches.unsynced(), ['AIMService: the API server returned 404: simulated failure'])
  t.notOk(caches.synced)
  api.serve(pathOf('aimservices'))
  clock.pass(500)
  await until(() => caches.synced)
})

t.test('names the state of a kind before its first error', async (t) => {
  const { api, caches } = await setUp(t)
  for (let time = 0; time < 3; time++) api.next('list', silence)
  caches.start()
  t.strictSame(
    caches.unsynced(),
    ['AIMRuntimeConfig', 'AIMClusterRuntimeConfig', 'AIMService'].map((kind) => `${kind}: not listed yet (listing)`)
  )
})

t.test('reports the age and the errors of each cache', async (t) => {
  const { api, caches, clock, held, observed } = await setUp(t)
  t.strictSame(caches.ages()[0], { kind: 'AIMRuntimeConfig', ageSeconds: Infinity })
  caches.start()
  await until(() => api.openWatches === 3)
  api.put(pathOf('aimruntimeconfigs'), 'other')
  await until(() => held.AIMRuntimeConfig.size === 2)
  clock.pass(20_000)
  t.strictSame(caches.ages()[0], { kind: 'AIMRuntimeConfig', ageSeconds: 20 })
  for (let time = 0; time < 3; time++) api.next('watch', status(403))
  clock.pass(10_000)
  api.endWatches()
  await until(() => observed.filter((line) => line.endsWith(' refused')).length === 3)
  t.ok(caches.synced, 'the cache stays in use')
})
