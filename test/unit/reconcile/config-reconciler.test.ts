import t from 'tap'
import { ConfigReconciler } from '../../../src/reconcile/config-reconciler.ts'
import { RolloutState } from '../../../src/reconcile/rollout-state.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { aConfig, aService } from '../../support/builders/objects.ts'
import { admitted, aReconcileWorld, stored } from '../../support/fakes/reconcile-world.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const ID = 'AIMRuntimeConfig/ml-team/default'
const OLD = stored(aConfig(), 1)
const NEW = stored(aConfig({ defaultStorageClassName: 'fast' }), 2, { generation: 2 })

/** Three services that carry the old version of a configuration whose new one is known. */
function aReconciler ({ config = NEW }: { config?: JsonObject } = {}) {
  const parts = aReconcileWorld()
  const { world, sinks } = parts
  const clock = new ManualClock()
  const touched: string[] = []
  const decided: string[] = []
  const state = new RolloutState({ onTally: () => {}, onReadmit: (id, lane) => { touched.push(`${lane} ${id}`) } })
  const hashOf = (): string => world.configs.namespaced('ml-team', 'default')?.hash ?? ''
  sinks.AIMRuntimeConfig.upsert(OLD)
  const oldHash = hashOf()
  const services = ['a', 'b', 'c'].map((name) => stored(admitted(aService({ name }), world.configs), 1))
  for (const service of services) sinks.AIMService.upsert(service)
  sinks.AIMRuntimeConfig.upsert(config)
  const carries = (name: string, hash: string, failing = false): void => {
    state.count(`ml-team/${name}`, { config: ID, hash, failing, failingSince: failing ? '2026-01-02T00:00:00Z' : '' })
  }
  for (const name of ['a', 'b', 'c']) carries(name, oldHash)
  const reconciler = new ConfigReconciler({
    world,
    state,
    clock,
    failureLimit: 1,
    onDecided: (id) => { decided.push(id) }
  })
  /** The API server stores what is written next. */
  const storeNext = (status: object, version: number): void => {
    parts.answers.push({ kind: 'written', object: { ...stored(config, version), status } })
  }
  return { ...parts, clock, touched, decided, state, carries, reconciler, config, hash: hashOf(), storeNext }
}

t.test('the status is written before the first service is touched, with exact counters', async (t) => {
  const { reconciler, written, answers, touched, hash, config } = aReconciler()
  answers.push({
    kind: 'written',
    object: { ...config, metadata: { ...(config['metadata'] as JsonObject), resourceVersion: '3' } }
  })
  t.strictSame(await reconciler.reconcile(ID), { kind: 'done' })
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
  t.strictSame(touched, ['routine ml-team/a', 'routine ml-team/b', 'routine ml-team/c'])
})

t.test('where it could not be written, no service is touched', async (t) => {
  const answers = [
    { kind: 'failed', reason: 'the API server says no' },
    { kind: 'outdated' },
    { kind: 'unavailable', reason: 'nobody answers', retryAfterMs: 1_000 }
  ] as const
  for (const answer of answers) {
    const { reconciler, answers, touched } = aReconciler()
    answers.push(answer)
    const result = await reconciler.reconcile(ID)
    t.match(result, { kind: answer.kind === 'unavailable' ? 'unavailable' : 'retry' }, answer.kind)
    t.strictSame(touched, [])
  }
})

t.test('plans are made at most ten times a second, and counters alone are written once a second', async (t) => {
  const { reconciler, written, clock, carries, hash, storeNext } = aReconciler()
  storeNext({}, 3)
  await reconciler.reconcile(ID)
  const [{ status } = { status: {} }] = written
  t.strictSame(await reconciler.reconcile(ID), { kind: 'again', afterMs: 100 })
  clock.pass(100)
  storeNext(status, 4)
  await reconciler.reconcile(ID)
  carries('a', hash)
  clock.pass(100)
  t.strictSame(await reconciler.reconcile(ID), { kind: 'again', afterMs: 900 })
  t.equal(written.length, 2, 'only a counter differs')
  clock.pass(900)
  storeNext({ ...status, services: { total: 3, current: 1, failing: 0 } }, 5)
  t.strictSame(await reconciler.reconcile(ID), { kind: 'done' })
  t.match(written.at(-1), { version: '4', status: { services: { total: 3, current: 1, failing: 0 } } })
})

t.test('a condition that changes is written at once, and a status that does not differ never', async (t) => {
  const { reconciler, written, clock, carries, hash, storeNext } = aReconciler()
  storeNext({}, 3)
  await reconciler.reconcile(ID)
  for (const name of ['a', 'b', 'c']) carries(name, hash)
  clock.pass(100)
  const done = { kind: 'done' }
  storeNext({}, 4)
  t.strictSame(await reconciler.reconcile(ID), done)
  const last = written.at(-1)?.status ?? {}
  t.match(last, {
    services: { total: 3, current: 3 },
    conditions: [{}, { type: 'RolledOut', status: 'True', reason: 'RolledOut' }, {}]
  })
  clock.pass(100)
  storeNext(last, 5)
  await reconciler.reconcile(ID)
  clock.pass(10_000)
  t.strictSame(await reconciler.reconcile(ID), done)
  t.equal(written.length, 3)
})

t.test('a roll-out that is paused touches nothing, and the services that wait are told once', async (t) => {
  const paused = stored(
    aConfig({ defaultStorageClassName: 'fast' }, { annotations: { 'aim.silogen.ai/rollout': 'paused' } }),
    2,
    { generation: 2 }
  )
  const { reconciler, touched, decided, clock, written, storeNext } = aReconciler({ config: paused })
  storeNext({}, 3)
  await reconciler.reconcile(ID)
  t.match(written, [{ status: { conditions: [{}, { type: 'RolledOut', status: 'False', reason: 'Paused' }, {}] } }])
  t.strictSame([touched, decided], [[], ['ml-team/a', 'ml-team/b', 'ml-team/c']])
  clock.pass(100)
  storeNext({}, 4)
  await reconciler.reconcile(ID)
  t.equal(decided.length, 3, 'nothing new was decided')
})

t.test('services that were well and begin to fail halt it, as far as the configuration remembers when it began', async (t) => {
  const { reconciler, written, clock, carries, touched, hash, storeNext } = aReconciler()
  storeNext({}, 3)
  await reconciler.reconcile(ID)
  storeNext(written[0]?.status ?? {}, 4)
  clock.pass(100)
  await reconciler.reconcile(ID)
  const before = touched.length
  carries('a', hash, true)
  clock.pass(100)
  storeNext({}, 5)
  await reconciler.reconcile(ID)
  t.match(written.at(-1)?.status, {
    services: { total: 3, current: 1, failing: 1 },
    conditions: [
      {},
      { type: 'RolledOut', status: 'False', reason: 'Halted' },
      { type: 'RolloutHalted', status: 'True', reason: 'ServicesFailing', message: /ml-team\/a/ }
    ]
  })
  t.equal(touched.length, before)
})

t.test('a configuration that is gone is forgotten without a request', async (t) => {
  const { reconciler, sinks, written, state, hash } = aReconciler()
  await reconciler.reconcile(ID)
  t.ok(state.rollouts.permits('ml-team/a', ID, hash))
  sinks.AIMRuntimeConfig.remove({ namespace: 'ml-team', name: 'default' })
  t.strictSame(await reconciler.reconcile(ID), { kind: 'done' })
  t.notOk(state.rollouts.permits('ml-team/a', ID, hash))
  t.equal(written.length, 1)
})
