import t from 'tap'
import { Controller } from '../../../src/reconcile/controller.ts'
import { ownConfigStatus } from '../../../src/core/status/rollout.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { aConfig, aService } from '../../support/builders/objects.ts'
import { admitted, aReconcileWorld, stored } from '../../support/fakes/reconcile-world.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'

const OBSERVER = { onAdd: () => {}, onStart: () => {}, onEnd: () => {}, onRetry: () => {} }

/** Services that carry an old version of their configuration, and a controller that has just begun to lead. */
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

t.test('who begins to lead looks at everything: the configuration is written before a service is touched', async (t) => {
  const { controller, written, readmitted, pass, answers, world } = aController(['a', 'b'])
  const config = stored(aConfig({ defaultStorageClassName: 'fast' }), 3, { generation: 2 })
  answers.push({ kind: 'written', object: config })
  controller.start()
  for (let turn = 0; turn < 20 && readmitted.length < 2; turn++) await pass(50)
  t.strictSame(written[0]?.key, { namespace: 'ml-team', name: 'default' })
  t.match(written[0]?.status, {
    services: { total: 2, current: 0 },
    conditions: [
      { type: 'Accepted' },
      { type: 'RolledOut', status: 'False', reason: 'InProgress' },
      { type: 'RolloutHalted' }
    ]
  })
  t.strictSame(readmitted, ['ml-team/a', 'ml-team/b'])
  t.match(ownConfigStatus(config), { conditions: [] })
  const now = world.configs.namespaced('ml-team', 'default')
  t.match(now === undefined ? undefined : controller.tally(now), { total: 2, current: 0, failing: 0 })
  await controller.stop()
})

t.test('who stops leading begins nothing any more', async (t) => {
  const { controller, written, readmitted, pass, clock } = aController(['a', 'b', 'c'])
  controller.start()
  await controller.stop()
  const before = [written.length, readmitted.length]
  controller.serviceChanged('ml-team/a', { edited: true })
  controller.configChanged({ kind: 'AIMRuntimeConfig', namespace: 'ml-team', name: 'default' }, { edited: true })
  for (let turn = 0; turn < 5; turn++) await pass(60_000)
  t.strictSame([written.length, readmitted.length], before)
  t.equal(clock.pending, 0)
})
