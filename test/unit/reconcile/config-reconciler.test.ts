import t from 'tap'
import { ConfigReconciler } from '../../../src/reconcile/config-reconciler.ts'
import { RolloutState } from '../../../src/reconcile/rollout-state.ts'
import { StatusBrake } from '../../../src/reconcile/status-brake.ts'
import { StatusWriter } from '../../../src/reconcile/status-writer.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { aConfig, aService } from '../../support/builders/objects.ts'
import { admitted, aReconcileWorld, stored } from '../../support/fakes/reconcile-world.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const ID = 'AIMRuntimeConfig/ml-team/default'
const OLD = stored(aConfig(), 1)
const NEW = stored(aConfig({ defaultStorageClassName: 'fast' }), 2, { generation: 2 })

/** Three services with the old version of a configuration that has a new one. */
function aReconciler ({ config = NEW }: { config?: JsonObject } = {}) {
  const parts = aReconcileWorld()
  const { world, sinks } = parts
  const clock = new ManualClock()
  const state = new RolloutState()
  const hashOf = (): string => world.configs.namespaced('ml-team', 'default')?.hash ?? ''
  sinks.AIMRuntimeConfig.upsert(OLD)
  const oldHash = hashOf()
  const services = ['a', 'b', 'c'].map((name) => stored(admitted(aService({ name }), world.configs), 1))
  for (const service of services) sinks.AIMService.upsert(service)
  sinks.AIMRuntimeConfig.upsert(config)
  const carries = (name: string, hash: string, failing = false): void => {
    state.contribute(`ml-team/${name}`, { config: ID, hash, failing })
  }
  for (const name of ['a', 'b', 'c']) carries(name, oldHash)
  const statuses = new StatusWriter({ world, brake: new StatusBrake(clock), log: silentLog })
  const reconciler = new ConfigReconciler({ world, state, clock, statuses, failureLimit: 1 })
  /** Lets the API server store the next write. */
  const storeNext = (status: object, version: number): void => {
    parts.results.push({ kind: 'written', object: { ...stored(config, version), status } })
  }
  return { ...parts, clock, state, services, carries, reconciler, config, hash: hashOf(), storeNext }
}

t.test('writes the status with exact counters, then releases the services', async (t) => {
  const { reconciler, written, results, hash, config } = aReconciler()
  results.push({
    kind: 'written',
    object: { ...config, metadata: { ...(config['metadata'] as JsonObject), resourceVersion: '3' } }
  })
  t.strictSame(await reconciler.reconcile(ID), {
    result: { kind: 'done' },
    enqueue: ['a', 'b', 'c'].map((name) => ({ queue: 'rollforward', key: `ml-team/${name}`, priority: 'low' }))
  })
  t.match(written, [{
    key: { namespace: 'ml-team', name: 'default' },
    uid: 'c1',
    version: '2',
    status: {
      observedGeneration: 2,
      hash,
      services: { total: 3, current: 0, failing: 0 },
      conditions: [
        { type: 'Accepted', status: 'True' },
        { type: 'RolledOut', status: 'False', reason: 'InProgress' },
        { type: 'RolloutHalted', status: 'False' }
      ]
    }
  }])
})

t.test('releases no service if the status write fails', async (t) => {
  const failures = [
    { kind: 'failed', reason: 'no' },
    { kind: 'conflict' },
    { kind: 'unavailable', scope: 'server', reason: 'no response', retryAfterMs: 1_000 }
  ] as const
  for (const answer of failures) {
    const { reconciler, results } = aReconciler()
    results.push(answer)
    const { result, enqueue } = await reconciler.reconcile(ID)
    t.match(result, { kind: answer.kind === 'unavailable' ? 'unavailable' : 'retry' }, answer.kind)
    t.strictSame(enqueue, [])
  }
})

t.test('plans at most ten times a second, and writes changed counters at most once a second', async (t) => {
  const { reconciler, written, clock, carries, hash, storeNext, results } = aReconciler()
  results.push({ kind: 'conflict' })
  await reconciler.reconcile(ID)
  const [{ status } = { status: {} }] = written
  t.strictSame((await reconciler.reconcile(ID)).result, { kind: 'again', afterMs: 100 })
  clock.pass(100)
  storeNext(status, 4)
  await reconciler.reconcile(ID)
  carries('a', hash)
  clock.pass(100)
  t.strictSame((await reconciler.reconcile(ID)).result, { kind: 'again', afterMs: 900 })
  t.equal(written.length, 2, 'only a counter differs')
  clock.pass(900)
  storeNext({ ...status, services: { total: 3, current: 1, failing: 0 } }, 5)
  t.strictSame((await reconciler.reconcile(ID)).result, { kind: 'done' })
  t.match(written.at(-1), { version: '4', status: { services: { total: 3, current: 1, failing: 0 } } })
})

t.test('writes a changed condition at once, and an unchanged status never', async (t) => {
  const { reconciler, written, clock, carries, hash, storeNext, results } = aReconciler()
  results.push({ kind: 'conflict' })
  await reconciler.reconcile(ID)
  for (const name of ['a', 'b', 'c']) carries(name, hash)
  clock.pass(100)
  results.push({ kind: 'conflict' })
  t.match((await reconciler.reconcile(ID)).result, { kind: 'retry' })
  const last = written.at(-1)?.status ?? {}
  t.match(last, {
    services: { total: 3, current: 3 },
    conditions: [{}, { type: 'RolledOut', status: 'True', reason: 'RolledOut' }, {}]
  })
  clock.pass(100)
  storeNext(last, 5)
  t.strictSame((await reconciler.reconcile(ID)).result, { kind: 'done' })
  clock.pass(10_000)
  t.strictSame((await reconciler.reconcile(ID)).result, { kind: 'done' })
  t.equal(written.length, 3)
})

t.test('a paused rollout releases no service, and updates the status of waiting services once', async (t) => {
  const paused = stored(
    aConfig({ defaultStorageClassName: 'fast' }, { annotations: { 'aim.silogen.ai/rollout': 'paused' } }),
    2,
    { generation: 2 }
  )
  const { reconciler, clock, written, storeNext } = aReconciler({ config: paused })
  storeNext({}, 3)
  const { enqueue } = await reconciler.reconcile(ID)
  t.match(written, [{ status: { conditions: [{}, { type: 'RolledOut', status: 'False', reason: 'Paused' }, {}] } }])
  t.strictSame(enqueue, ['a', 'b', 'c'].map((name) => ({ queue: 'status', key: `ml-team/${name}`, priority: 'low' })))
  clock.pass(100)
  storeNext({}, 4)
  t.strictSame((await reconciler.reconcile(ID)).enqueue, [])
})

t.test('halts if services that the rollout changed begin to fail', async (t) => {
  const { reconciler, state, services, written, clock, carries, hash, storeNext } = aReconciler()
  storeNext({}, 3)
  await reconciler.reconcile(ID)
  storeNext(written[0]?.status ?? {}, 4)
  clock.pass(100)
  await reconciler.reconcile(ID)
  carries('a', hash, true)
  carries('b', hash, true)
  state.changedServices.add('ml-team/a', { config: ID, hash, object: services[0] ?? {} })
  clock.pass(100)
  storeNext({}, 5)
  const { enqueue } = await reconciler.reconcile(ID)
  t.match(written.at(-1)?.status, {
    services: { total: 3, current: 2, failing: 2 },
    conditions: [
      {},
      { type: 'RolledOut', status: 'False', reason: 'Halted' },
      { type: 'RolloutHalted', status: 'True', reason: 'ServicesFailing', message: /: ml-team\/a; revert/ }
    ]
  })
  t.ok(enqueue.every(({ queue }) => queue === 'status'))
})

t.test('forgets a deleted configuration without a request', async (t) => {
  const { reconciler, sinks, written, state, hash } = aReconciler()
  await reconciler.reconcile(ID)
  t.ok(state.rollouts.isReleased('ml-team/a', ID, hash))
  sinks.AIMRuntimeConfig.remove({ namespace: 'ml-team', name: 'default' })
  t.strictSame(await reconciler.reconcile(ID), { result: { kind: 'done' }, enqueue: [] })
  t.notOk(state.rollouts.isReleased('ml-team/a', ID, hash))
  t.equal(written.length, 1)
})

t.test('waits longer before each write of a status that another writer keeps changing, and reports it', async (t) => {
  const { reconciler, written, clock, storeNext, events } = aReconciler()
  const waits: number[] = []
  for (let version = 3; version < 8; version++) {
    clock.pass(100)
    storeNext({}, version) // the other writer removes the status at once
    const { result } = await reconciler.reconcile(ID)
    if (result.kind !== 'again') continue
    waits.push(result.afterMs)
    clock.pass(result.afterMs)
    await reconciler.reconcile(ID)
  }
  t.strictSame(waits, [900, 1_900, 3_900, 7_900])
  t.match(written.at(-1)?.status, { conditions: [{}, {}, {}, { type: 'StatusContested' }] })
  t.match(events[0], { reason: 'StatusContested', regarding: { kind: 'AIMRuntimeConfig', name: 'default' } })
})
