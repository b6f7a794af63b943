import t, { type Test } from 'tap'
import { KINDS, type Kind } from '../../../src/api/kinds.ts'
import { clusterSource } from '../../../src/app/source.ts'
import { connectToCluster } from '../../../src/kube/client/api-connection.ts'
import { ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
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
  const clock = new ManualClock()
  const metrics = createMetrics('0.0.0-test')
  const synced: boolean[] = []
  const source = clusterSource({
    connection,
    definitions: { start: (onRead) => { onRead() }, stop: async () => undefined },
    sinks: {
      AIMService: sinkOf('AIMService'),
      AIMRuntimeConfig: sinkOf('AIMRuntimeConfig'),
      AIMClusterRuntimeConfig: sinkOf('AIMClusterRuntimeConfig')
    },
    metrics,
    log: silentLog,
    onSynced: () => { synced.push(source.notReadyReason() === undefined) },
    clock
  })
  t.teardown(async () => {
    await source.stop()
    await connection.close()
    await api.stop()
  })
  /** The values of a metric by kind. */
  const measured = async (name: string): Promise<Record<string, string>> => Object.fromEntries(
    Array.from((await metrics.registry.metrics()).matchAll(new RegExp(`^${name}{kind="(\\w+)"} (\\S+)$`, 'gm')),
      ([, kind = '', value = '']) => [kind, value])
  )
  return { api, source, clock, held, measured, synced }
}

const ofAll = (value: string) => ({ AIMService: value, AIMRuntimeConfig: value, AIMClusterRuntimeConfig: value })

t.test('fills and updates the sinks of the three kinds over few connections', async (t) => {
  const { api, source, held, measured, synced } = await setUp(t)
  t.ok(source.notReadyReason())
  t.strictSame(await measured('aim_admission_cache_synced'), ofAll('0'))
  await source.start()
  await until(() => api.openWatches === 3)
  t.equal(source.notReadyReason(), undefined)
  t.strictSame(synced, [true], 'once, when every cache is filled')
  t.strictSame(await measured('aim_admission_cache_synced'), ofAll('1'))
  api.put(pathOf('aimservices'), 'llama')
  api.remove(pathOf('aimruntimeconfigs'), 'default')
  await until(() => held.AIMService.has('llama') && held.AIMRuntimeConfig.size === 0)
  t.strictSame([...held.AIMClusterRuntimeConfig], ['default'])
  t.ok(api.accepted <= 6)
})

t.test('names each unsynced kind with the reason', async (t) => {
  const { api, source, clock, synced } = await setUp(t)
  t.equal(source.notReadyReason()?.split('; ').length, 3)
  api.unserve(pathOf('aimservices'))
  await source.start()
  await until(() => api.openWatches === 2 && clock.pending === 3)
  t.equal(source.notReadyReason(), 'AIMService: the API server returned 404: simulated failure')
  t.strictSame(synced, [])
  api.serve(pathOf('aimservices'))
  clock.pass(500)
  await until(() => source.notReadyReason() === undefined)
})

t.test('names the state of a kind before its first error', async (t) => {
  const { api, source } = await setUp(t)
  for (let time = 0; time < 3; time++) api.next('list', silence)
  await source.start()
  t.strictSame(
    source.notReadyReason()?.split('; '),
    ['AIMRuntimeConfig', 'AIMClusterRuntimeConfig', 'AIMService'].map((kind) => `${kind}: not listed yet (listing)`)
  )
})

t.test('reports the age and the errors of each cache', async (t) => {
  const { api, source, clock, held, measured } = await setUp(t)
  t.strictSame(await measured('aim_admission_cache_age_seconds'), ofAll('+Inf'))
  t.strictSame(await measured('aim_admission_watch_restarts_total'), ofAll('0'))
  await source.start()
  await until(() => api.openWatches === 3)
  api.put(pathOf('aimruntimeconfigs'), 'other')
  await until(() => held.AIMRuntimeConfig.size === 2)
  clock.pass(20_000)
  t.equal((await measured('aim_admission_cache_age_seconds'))['AIMRuntimeConfig'], '20')
  for (let time = 0; time < 3; time++) api.next('watch', status(403))
  clock.pass(10_000)
  api.endWatches()
  await until(async () =>
    Object.values(await measured('aim_admission_watch_restarts_total')).every((times) => times === '1'))
  t.equal(source.notReadyReason(), undefined, 'the caches stay in use')
})
