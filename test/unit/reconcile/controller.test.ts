import t from 'tap'
import { Controller } from '../../../src/reconcile/controller.ts'
import { ownConfigStatus } from '../../../src/core/status/rollout.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { aConfig, aService } from '../../support/builders/objects.ts'
import { admitted, aReconcileWorld, stored } from '../../support/fakes/reconcile-world.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'

const OBSERVER = { onAdd: () => {}, onStart: () => {}, onEnd: () => {}, onRetry: () => {} }

/** Services with an old version of their configuration, and the controller of a new leader. */
function aController (names: readonly string[]) {
  const parts = aReconcileWorld()
  const { world, sinks } = parts
  sinks.AIMRuntimeConfig.upsert(stored(aConfig(), 1))
  const services = names.map((name, at) => stored(admitted(aService({ name }), world.configs), 10 + at, { uid: name }))
  for (const service of services) sinks.AIMService.upsert(service)
  sinks.AIMRuntimeConfig.upsert(stored(aConfig({ defaultStorageClassName: 'fast' }), 2, { generation: 2 }))
  const clock = new ManualClock()
  const controller = new Controller({
    world,
    limits: { rate: 1_000, concurrency: 1, failureLimit: 5 },
    clock,
    log: silentLog,
    random: () => 1,
    observers: { status: OBSERVER, rollforward: OBSERVER }
  })
  const pass = async (ms: number): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => { setImmediate(resolve) })
    clock.pass(ms)
  }
  return { ...parts, clock, controller, services, pass }
}

t.test('a new leader reconciles every object, and writes the configuration before it changes a service', async (t) => {
  const { controller, written, triggered, pass, results, world } = aController(['a', 'b'])
  const config = stored(aConfig({ defaultStorageClassName: 'fast' }), 3, { generation: 2 })
  results.push({ kind: 'written', object: config })
  controller.start()
  for (let turn = 0; turn < 20 && triggered.length < 2; turn++) await pass(50)
  t.strictSame(written[0]?.key, { namespace: 'ml-team', name: 'default' })
  t.match(written[0]?.status, {
    services: { total: 2, current: 0 },
    conditions: [
      { type: 'Accepted' },
      { type: 'RolledOut', status: 'False', reason: 'InProgress' },
      { type: 'RolloutHalted' }
    ]
  })
  t.strictSame(triggered, ['ml-team/a', 'ml-team/b'])
  t.match(ownConfigStatus(config), { conditions: [] })
  const now = world.configs.namespaced('ml-team', 'default')
  t.match(now === undefined ? undefined : controller.tally(now), { total: 2, current: 0, failing: 0 })
  await controller.stop()
})

t.test('a stopped controller starts no work', async (t) => {
  const { controller, written, triggered, pass, clock } = aController(['a', 'b', 'c'])
  controller.start()
  await controller.stop()
  const before = [written.length, triggered.length]
  controller.serviceChanged('ml-team/a', { edited: true })
  controller.configChanged({ kind: 'AIMRuntimeConfig', namespace: 'ml-team', name: 'default' }, { edited: true })
  for (let turn = 0; turn < 5; turn++) await pass(60_000)
  t.strictSame([written.length, triggered.length], before)
  t.equal(clock.pending, 0)
})
