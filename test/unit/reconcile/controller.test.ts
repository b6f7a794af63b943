import t from 'tap'
import { Controller } from '../../../src/reconcile/controller.ts'
import type { WriteResult } from '../../../src/core/ports.ts'
import { ownConfigStatus } from '../../../src/core/status/rollout.ts'
import type { ServiceChange } from '../../../src/reconcile/watched-sinks.ts'
import type { ReconcileWorld } from '../../../src/reconcile/world.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { aClusterConfig, aConfig, aService } from '../../support/builders/objects.ts'
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
  return { ...parts, ...leaderOf(world, 5), services }
}

function leaderOf (world: ReconcileWorld, failureLimit: number, onAdd = () => {}) {
  const clock = new ManualClock()
  const controller = new Controller({
    world,
    limits: { rate: 1_000, concurrency: 1, failureLimit },
    clock,
    log: silentLog,
    random: () => 1,
    observers: { status: { ...OBSERVER, onAdd }, rollforward: OBSERVER }
  })
  const pass = async (ms: number): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => { setImmediate(resolve) })
    clock.pass(ms)
  }
  return { clock, controller, pass }
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

t.test('a new leader counts all services before it plans, and keeps a halt', async (t) => {
  const NAMES = ['a', 'b', 'c', 'd']
  const parts = aReconcileWorld()
  const { world, sinks, written, triggered, results } = parts
  const routing = { enabled: true, gatewayRef: { name: 'gateway' } }
  const template = (pathTemplate: string) => aClusterConfig({ routing: { ...routing, pathTemplate } })
  const aStored = (name: string, version: number, status: object): void => {
    const service = admitted(aService({ name }), world.configs)
    sinks.AIMService.upsert(stored({ ...service, status }, version, { uid: name }))
  }
  const degraded = { conditions: [{ type: 'Degraded', status: 'True', reason: 'PathFieldMissing' }] }
  sinks.AIMClusterRuntimeConfig.upsert(stored(template('/{.metadata.name}'), 1))
  for (const [at, name] of NAMES.entries()) if (at > 1) aStored(name, 10 + at, {})
  const halting = stored(template('/{.metadata.labels.team}'), 2, { generation: 2 })
  sinks.AIMClusterRuntimeConfig.upsert(halting)
  for (const [at, name] of NAMES.entries()) if (at <= 1) aStored(name, 20 + at, degraded)
  const message = 'halted, because 2 healthy services began to fail with this version of ' +
    'AIMClusterRuntimeConfig default: ml-team/a, ml-team/b; revert the configuration'
  const conditions = [{ type: 'RolloutHalted', status: 'True', reason: 'ServicesFailing', message }]
  const status = { hash: world.configs.cluster('default')?.hash, conditions }
  sinks.AIMClusterRuntimeConfig.upsert(stored({ ...halting, status }, 3, { generation: 2 }))
  const { controller, pass } = leaderOf(world, 2)
  for (let write = 0; write < 20; write++) results.push({ kind: 'conflict' })
  controller.start()
  for (let turn = 0; turn < 20; turn++) await pass(50)
  const plans = written.filter(({ key }) => key.namespace === '')
  t.ok(plans.length > 0)
  for (const { status } of plans) {
    t.match(status, { services: { total: 4, current: 2 }, conditions: [{}, {}, { status: 'True' }] })
  }
  t.strictSame(triggered, [])
  await controller.stop()
})

t.test('a status that changes while it is written is no work of its own, unlike any other change', async (t) => {
  const { world, sinks } = aReconcileWorld()
  sinks.AIMService.upsert(stored(admitted(aService({ name: 'a' }), world.configs), 10))
  const added: Record<string, number> = {}
  let adds = 0
  const change = (part: ServiceChange): void => {
    const before = adds
    controller.serviceChanged('ml-team/a', part)
    added[part] = adds - before
  }
  const applyStatus = async (): Promise<WriteResult> => {
    for (const part of ['status', 'block', 'object'] as const) change(part)
    return await Promise.resolve({ kind: 'gone' })
  }
  const { controller, pass } = leaderOf({ ...world, writer: { ...world.writer, applyStatus } }, 5, () => { adds++ })
  controller.start()
  await pass(0)
  t.strictSame(added, { status: 0, block: 1, object: 1 })
  for (let turn = 0; turn < 5; turn++) await pass(50)
  change('status')
  t.equal(added['status'], 1, 'nothing is written now')
  await controller.stop()
})

t.test('a changed configuration leaves stale services to its rollout, and a removed one does not', async (t) => {
  const { world, sinks } = aController(['stale-1', 'stale-2'])
  sinks.AIMService.upsert(stored(admitted(aService({ name: 'current' }), world.configs), 20, { uid: 'current' }))
  let adds = 0
  const { controller, pass } = leaderOf(world, 5, () => { adds++ })
  controller.start()
  await pass(0)
  const addedBy = (act: () => void): number => {
    const before = adds
    act()
    return adds - before
  }
  const config = { kind: 'AIMRuntimeConfig', namespace: 'ml-team', name: 'default' } as const
  const changed = (): void => { controller.configChanged(config, { edited: true }) }
  t.equal(addedBy(changed), 2, 'the current service, and the configuration')
  sinks.AIMRuntimeConfig.remove(config)
  t.equal(addedBy(changed), 4)
  await controller.stop()
})

t.test('a stopped controller starts no work', async (t) => {
  const { controller, written, triggered, pass, clock } = aController(['a', 'b', 'c'])
  controller.start()
  await controller.stop()
  const before = [written.length, triggered.length]
  controller.serviceChanged('ml-team/a', 'object')
  controller.configChanged({ kind: 'AIMRuntimeConfig', namespace: 'ml-team', name: 'default' }, { edited: true })
  for (let turn = 0; turn < 5; turn++) await pass(60_000)
  t.strictSame([written.length, triggered.length], before)
  t.equal(clock.pending, 0)
})
