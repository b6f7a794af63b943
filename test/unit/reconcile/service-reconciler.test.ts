import t from 'tap'
import { RolloutState } from '../../../src/reconcile/rollout-state.ts'
import { reconcileService } from '../../../src/reconcile/service-reconciler.ts'
import { StatusBrake } from '../../../src/reconcile/status-brake.ts'
import { StatusWriter } from '../../../src/reconcile/status-writer.ts'
import type { ReconcileWorld } from '../../../src/reconcile/world.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { aConfig, aService } from '../../support/builders/objects.ts'
import { admitted, aReconcileWorld, managed, stored } from '../../support/fakes/reconcile-world.ts'
import { DEFAULT_PATH_POLICY } from '../../../src/core/world.ts'
import { ownObject, type JsonObject } from '../../../src/platform/json.ts'

const ID = 'ml-team/llama-chat'

function statusesOf (world: ReconcileWorld, brake = new StatusBrake(new ManualClock())): StatusWriter {
  return new StatusWriter({ world, brake, log: silentLog })
}

/** Reconciles a service by its ID. */
function reconcilerOf (world: ReconcileWorld, state: RolloutState, statuses: StatusWriter) {
  return async (id: string) => await reconcileService(id, { world, state, statuses })
}

/** A service with a current block and without a status. */
function aReconciler () {
  const parts = aReconcileWorld()
  parts.sinks.AIMRuntimeConfig.upsert(stored(aConfig(), 1))
  const service = stored(admitted(aService(), parts.world.configs), 5)
  parts.sinks.AIMService.upsert(service)
  const clock = new ManualClock()
  const contests: string[] = []
  const brake = new StatusBrake(clock, (manager) => { contests.push(manager) })
  const reconcile = reconcilerOf(parts.world, new RolloutState(), statusesOf(parts.world, brake))
  return { ...parts, clock, service, contests, reconcile }
}

/** The stored object with that status, its keys in either order. */
function withStatus (
  service: JsonObject, { status, version, reversed = false }: { status: object, version: number, reversed?: boolean }
): JsonObject {
  return stored({ ...service, status: reversed ? backwards(status) : status }, version)
}

function backwards (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(backwards)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).reverse().map(([key, inner]) => [key, backwards(inner)]))
}

t.test('writes a changed status once, guarded by uid and version, and records an event', async (t) => {
  const { reconcile, written, results, service, events } = aReconciler()
  results.push({ kind: 'written', object: withStatus(service, { status: {}, version: 6 }) })
  t.strictSame((await reconcile(ID)).result, { kind: 'done' })
  t.match(written, [
    {
      key: { namespace: 'ml-team', name: 'llama-chat' },
      uid: 'u1',
      version: '5',
      status: { conditions: [{ type: 'RuntimeConfigResolved', status: 'True', reason: 'Resolved' }, {}, {}, {}] }
    }
  ])
  t.match(events, [{ reason: 'RuntimeConfigResolved' }])
})

t.test('does not write an unchanged status, whatever the order of its keys and the time', async (t) => {
  const { reconcile, written, results, service, sinks } = aReconciler()
  results.push({ kind: 'written', object: service })
  await reconcile(ID)
  const [{ status } = { status: {} }] = written
  sinks.AIMService.upsert(withStatus(service, { status, version: 7, reversed: true }))
  t.strictSame((await reconcile(ID)).result, { kind: 'done' })
  t.equal(written.length, 1)
})

t.test('retries after a conflict, with the version that is current then', async (t) => {
  const { reconcile, written, results, service, sinks, events } = aReconciler()
  results.push({ kind: 'conflict' })
  t.match((await reconcile(ID)).result, { kind: 'retry' })
  t.strictSame(events, [])
  sinks.AIMService.upsert(stored(service, 8))
  results.push({ kind: 'written', object: service })
  t.strictSame((await reconcile(ID)).result, { kind: 'done' })
  t.strictSame(written.map(({ version }) => version), ['5', '8'])
})

t.test('waits after three tries in a row that another writer was faster than', async (t) => {
  const { reconcile, written, results, service, sinks } = aReconciler()
  for (let version = 6; version < 9; version++) {
    results.push({ kind: 'conflict' })
    t.match((await reconcile(ID)).result, { kind: 'retry' })
    sinks.AIMService.upsert(stored(service, version))
  }
  t.match((await reconcile(ID)).result, { kind: 'again', afterMs: 1_000 })
  t.equal(written.length, 3)
})

t.test('retries a failed write alone, and pauses all work while the API server is unavailable', async (t) => {
  const { reconcile, results, events } = aReconciler()
  results.push(
    { kind: 'failed', reason: 'the API server answered 422: no' },
    { kind: 'unavailable', scope: 'server', reason: 'no response', retryAfterMs: 1_000 }
  )
  t.strictSame((await reconcile(ID)).result, { kind: 'retry', reason: 'the API server answered 422: no' })
  t.strictSame(
    (await reconcile(ID)).result,
    { kind: 'unavailable', scope: 'server', reason: 'no response', retryAfterMs: 1_000 }
  )
  t.strictSame(events, [])
})

t.test('does not write a service that is deleted or being deleted', async (t) => {
  const { reconcile, written, service, sinks } = aReconciler()
  sinks.AIMService.upsert(stored(service, 6, { deletionTimestamp: '2026-01-01T00:00:00Z' }))
  t.strictSame((await reconcile(ID)).result, { kind: 'done' })
  sinks.AIMService.remove({ namespace: 'ml-team', name: 'llama-chat' })
  t.strictSame((await reconcile(ID)).result, { kind: 'done' })
  t.strictSame(written, [])
})

t.test('triggers admission of an unobserved service, and records one event', async (t) => {
  const { reconcile, written, events, sinks } = aReconciler()
  sinks.AIMService.upsert(stored(aService(), 6))
  const trigger = { queue: 'rollforward', key: ID, priority: 'low' }
  const count = { queue: 'status', key: 'AIMRuntimeConfig/ml-team/default', priority: 'low' }
  t.strictSame(await reconcile(ID), { result: { kind: 'done' }, enqueue: [count, trigger] })
  t.strictSame(await reconcile(ID), { result: { kind: 'done' }, enqueue: [trigger] })
  t.strictSame(written, [], 'its status is written once it is corrected')
  t.match(events, [{ reason: 'AdmittedWithoutWebhook', type: 'Warning' }])
  t.equal(events.length, 1)
})

t.test('reads a service that is too large for the cache', async (t) => {
  const { world, sinks, results, reads, readResults, written } = aReconcileWorld({
    serviceLimits: { service: 2_000, total: 10_000 }
  })
  const reconcile = reconcilerOf(world, new RolloutState(), statusesOf(world))
  sinks.AIMRuntimeConfig.upsert(stored(aConfig(), 1))
  const service = stored(admitted(aService({ spec: { note: 'x'.repeat(3_000) } }), world.configs), 5)
  sinks.AIMService.upsert(service)

  readResults.push({ kind: 'failed', reason: 'the API server returned 500: no' })
  t.strictSame(await reconcile(ID), {
    result: { kind: 'retry', reason: 'the API server returned 500: no' }, enqueue: []
  })
  const metadata = { ...ownObject(service, 'metadata'), deletionTimestamp: '2026-01-01T00:00:00Z' }
  readResults.push({ kind: 'found', object: { ...service, metadata } })
  t.match(await reconcile(ID), { result: { kind: 'done' } }, 'it is being deleted')
  t.match(await reconcile(ID), { result: { kind: 'done' } }, 'it was deleted')
  t.strictSame(written, [])

  readResults.push({ kind: 'found', object: service })
  results.push({ kind: 'written', object: withStatus(service, { status: {}, version: 6 }) })
  t.match(await reconcile(ID), { result: { kind: 'done' } })
  t.match(written, [{ version: '5', status: { conditions: [{ reason: 'Resolved' }, {}, {}] } }])
  t.strictSame(reads, [ID, ID, ID, ID])
})

t.test('waits longer before each write of a status that another writer keeps changing', async (t) => {
  const { reconcile, clock, written, results, service, sinks } = aReconciler()
  const waits: number[] = []
  for (let version = 6; version < 30; version += 2) {
    results.push({ kind: 'written', object: stored(service, version) })
    let result = (await reconcile(ID)).result
    if (result.kind === 'again') {
      waits.push(result.afterMs)
      clock.pass(result.afterMs)
      result = (await reconcile(ID)).result
    }
    t.equal(written.at(-1)?.version, String(version === 6 ? 5 : version - 1), result.kind)
    sinks.AIMService.upsert(stored(service, version + 1)) // the other writer removes the status
  }
  t.strictSame(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((seconds) => seconds * 1_000))
  t.equal(written.length, 12)
  clock.pass(10 * 60_000)
  results.push({ kind: 'written', object: stored(service, 40) })
  t.strictSame((await reconcile(ID)).result, { kind: 'done' }, 'peace resets the interval')
  t.match((await reconcile(ID)).result, { kind: 'again', afterMs: 1_000 })
})

t.test('writes a changed status at once, even while another writer contests it', async (t) => {
  const { reconcile, written, results, service, sinks } = aReconciler()
  results.push({ kind: 'written', object: stored(service, 6) })
  await reconcile(ID)
  t.match((await reconcile(ID)).result, { kind: 'again' })
  sinks.AIMService.upsert(stored(service, 7, { generation: 2 }))
  results.push({ kind: 'written', object: stored(service, 8, { generation: 2 }) })
  t.strictSame((await reconcile(ID)).result, { kind: 'done' })
  t.equal(written.length, 2)
})

t.test('a service waits for a path until it holds it, even while the path is free', async (t) => {
  const { world, sinks } = aReconcileWorld()
  const state = new RolloutState()
  const reconcile = reconcilerOf(world, state, statusesOf(world))
  const gateway = { name: 'gateway', namespace: 'ml-team' }
  const routing = { enabled: true, gatewayRef: gateway, pathTemplate: '/x' }
  sinks.AIMRuntimeConfig.upsert(stored(aConfig({ routing }), 1))
  const holding = stored(admitted(aService(), world.configs), 5)
  const spec = ownObject(holding, 'spec')
  const block = ownObject(spec, 'resolvedRuntimeConfig')
  const { path, ...withoutPath } = ownObject(block, 'routing')
  sinks.AIMService.upsert({ ...holding, spec: { ...spec, resolvedRuntimeConfig: { ...block, routing: withoutPath } } })
  const waiting = (): number => [...state.waitingPaths.holders({
    service: { namespace: 'ml-team', name: 'other' }, gateway, path: '/x'
  })].length
  t.match((await reconcile(ID)).enqueue, [{}, { queue: 'rollforward', priority: 'high' }])
  t.equal(waiting(), 1)
  sinks.AIMService.upsert(stored(holding, 6))
  await reconcile(ID)
  t.equal(waiting(), 0)
})

/** Stores each write, and then what another manager leaves of it. */
function aRival () {
  const parts = aReconciler()
  const { reconcile, written, results, service, sinks, clock } = parts
  let version = 10
  const store = (status: JsonObject, manager: string): void => {
    const others = manager === 'rival' ? [managed('rival', { x: 1 })] : []
    const managedFields = [managed('aim-admission', status), ...others]
    sinks.AIMService.upsert(stored({ ...service, status }, ++version, { managedFields }))
  }
  const last = (): JsonObject => written.at(-1)?.status as JsonObject
  /** Until the next write, which is stored. Returns the wait before it, and how the work ended. */
  const write = async (): Promise<{ waited: number, result: object }> => {
    const before = written.length
    results.push({ kind: 'written', object: stored(service, version) })
    let waited = 0
    let { result } = await reconcile(ID)
    while (result.kind === 'again' && written.length === before) {
      waited += result.afterMs
      clock.pass(result.afterMs)
      result = (await reconcile(ID)).result
    }
    store(last(), 'aim-admission')
    return { waited, result }
  }
  const strike = (): void => {
    const { observedGeneration, ...others } = last()
    store(others, 'rival')
  }
  return { ...parts, write, strike, last }
}

t.test('reports a contested status with its rival once, and ends the report after the contest', async (t) => {
  const { write, strike, last, events, contests, reconcile, written } = aRival()
  const CONTESTED = { type: 'StatusContested', status: 'True', reason: 'OtherFieldManager' }
  await write()
  strike()
  await write()
  t.equal((last()['conditions'] as unknown[]).length, 4, 'a single change is an accident')
  strike()
  t.match(await write(), { waited: 2_000, result: { kind: 'again', afterMs: 60_000 } })
  t.match(last(), {
    conditions: [{}, {}, {}, {}, {
      ...CONTESTED, message: /^field manager rival keeps changing observedGeneration of the status, .*; stop the other writer$/
    }]
  })
  strike()
  await write()
  t.match(last(), { conditions: [{}, {}, {}, {}, CONTESTED] })
  t.match(events.filter(({ reason }) => reason === 'StatusContested'), [{ type: 'Warning', note: /rival/ }])
  t.strictSame(contests, ['rival', 'rival', 'rival'])
  t.match(await write(), { waited: 60_000, result: { kind: 'done' } })
  t.equal((last()['conditions'] as unknown[]).length, 4)
  const before = written.length
  t.strictSame((await reconcile(ID)).result, { kind: 'done' })
  t.equal(written.length, before)
  strike()
  t.match(await write(), { result: { kind: 'again' } }, 'the contest goes on where it was')
})

t.test('looks at a service again if its status was not stored as it was sent', async (t) => {
  const { reconcile, written, results, service, world } = aReconciler()
  const again = async (from: typeof reconcile): Promise<boolean> =>
    (await from(ID)).enqueue.some(({ key }) => key === ID)
  results.push({ kind: 'written', object: withStatus(service, { status: {}, version: 6 }) })
  t.equal(await again(reconcile), true)
  t.match(world.serviceStatuses.get({ namespace: 'ml-team', name: 'llama-chat' }), { version: '6' })
  const status = written[0]?.status ?? {}
  const other = aReconciler()
  other.results.push({ kind: 'written', object: withStatus(service, { status, version: 6, reversed: true }) })
  t.equal(await again(other.reconcile), false)
})

t.test('a new leader ends the report of a contest that is over', async (t) => {
  const { write, strike, last, world, service, sinks, results, written } = aRival()
  for (let round = 0; round < 3; round++) {
    await write()
    strike()
  }
  await write()
  t.match(last(), { conditions: [{}, {}, {}, {}, { type: 'StatusContested' }] })
  const clock = new ManualClock()
  const next = reconcilerOf(world, new RolloutState(), statusesOf(world, new StatusBrake(clock)))
  t.strictSame((await next(ID)).result, { kind: 'again', afterMs: 60_000 })
  clock.pass(60_000)
  results.push({ kind: 'written', object: stored(service, 99) })
  t.strictSame((await next(ID)).result, { kind: 'done' })
  t.match(written.at(-1)?.status, { conditions: { length: 4 } })
  sinks.AIMService.remove({ namespace: 'ml-team', name: 'llama-chat' })
})

t.test('with built-in defaults, services fall back to them at once, and leave them in a rollout', async (t) => {
  const parts = aReconcileWorld()
  const pathPolicy = { ...DEFAULT_PATH_POLICY, missingDefault: 'builtin' } as const
  const world = { ...parts.world, pathPolicy }
  const state = new RolloutState()
  const reconcile = reconcilerOf(world, state, statusesOf(world))
  const builtin = stored(admitted(aService(), world.configs, pathPolicy), 5)
  parts.sinks.AIMService.upsert(builtin)
  parts.results.push({ kind: 'written', object: withStatus(builtin, { status: {}, version: 6 }) })
  const { enqueue } = await reconcile(ID)
  t.strictSame(enqueue.filter(({ queue }) => queue === 'rollforward'), [], 'healthy, and of no rollout')
  t.match(parts.written, [{
    status: {
      resolvedRuntimeConfig: { kind: 'Default', name: 'default' },
      conditions: [
        { type: 'RuntimeConfigResolved', reason: 'Resolved', message: 'the built-in defaults' },
        {},
        {},
        { type: 'Degraded', status: 'False' }
      ]
    }
  }])
  t.equal(state.tallies.configOf(ID), undefined)
  parts.sinks.AIMRuntimeConfig.upsert(stored(aConfig({ defaultStorageClassName: 'fast' }), 7))
  const leaving = await reconcile(ID)
  t.strictSame(leaving.enqueue.map(({ queue, key }) => `${queue} ${key}`), ['status AIMRuntimeConfig/ml-team/default'],
    'the rollout releases it')
  const configured = stored(admitted(aService(), world.configs, pathPolicy), 8)
  parts.sinks.AIMService.upsert(configured)
  parts.sinks.AIMRuntimeConfig.remove({ namespace: 'ml-team', name: 'default' })
  t.match((await reconcile(ID)).enqueue.filter(({ queue }) => queue === 'rollforward'), [{ key: ID }])
})
