import t from 'tap'
import { ownObject, type JsonObject } from '../../../src/platform/json.ts'
import { PRODUCT_FIELDS, schemaFields } from '../../../src/core/served-fields.ts'
import { rollForward } from '../../../src/reconcile/roll-forward.ts'
import { RolloutState } from '../../../src/reconcile/rollout-state.ts'
import { aClusterConfig, aConfig, aService } from '../../support/builders/objects.ts'
import { admitted, aReconcileWorld, stored } from '../../support/fakes/reconcile-world.ts'

const ID = 'ml-team/llama-chat'
const CONFIG = 'AIMRuntimeConfig/ml-team/default'
const OLD = stored(aConfig(), 1)
const NEW = stored(aConfig({ defaultStorageClassName: 'fast' }), 2, { generation: 2 })

/** A service with the old version of a configuration that has a new one; released by default. */
function aRollForward (
  { released = true, service = aService() }: { released?: boolean, service?: JsonObject } = {}
) {
  const { world, sinks, results, triggered, events } = aReconcileWorld()
  const state = new RolloutState()
  const triggerAdmission = async (id: string) => await rollForward(id, { world, state })
  sinks.AIMRuntimeConfig.upsert(OLD)
  const before = stored(admitted(service, world.configs), 1)
  sinks.AIMService.upsert(before)
  sinks.AIMRuntimeConfig.upsert(NEW)
  const hash = world.configs.namespaced('ml-team', 'default')?.hash ?? ''
  const plan = (heldReason: string | undefined): void => {
    state.rollouts.release({
      config: CONFIG,
      hash,
      plan: { status: { conditions: [] }, heldReason, quota: heldReason === undefined ? Infinity : 0, breakable: 1 },
      stale: [ID],
      forecast: () => ({ breaks: false, claim: undefined }),
      isStuck: () => false
    })
  }
  plan(released ? undefined : 'paused')
  const hold = (): void => { plan('halted') }
  const admitAs = (object: JsonObject): void => {
    results.push({ kind: 'written', object: object === before ? object : stored(object, 2) })
  }
  return { world, sinks, results, admitAs, triggered, events, state, triggerAdmission, before, hash, hold }
}

/** The work that updates the status of the service. */
const UPDATE_STATUS = [{ queue: 'status', key: ID, priority: 'low' }] as const
const DONE = { result: { kind: 'done' }, enqueue: [] } as const

t.test('triggers admission of a released service, and records an event once it has the new version', async (t) => {
  const { world, triggerAdmission, before, admitAs, triggered, events, hash } = aRollForward()
  admitAs(admitted(before, world.configs))
  t.strictSame(await triggerAdmission(ID), DONE)
  t.strictSame(triggered, [ID])
  t.match(events, [{
    reason: 'RolledForward',
    regarding: { kind: 'AIMService', name: 'llama-chat', uid: 'u1' },
    note: `now has version ${hash.slice(0, 19)} of AIMRuntimeConfig ml-team/default`
  }])
  t.equal(events.length, 1)
})

t.test('does not trigger admission of a service that is held, current, being deleted, or missing', async (t) => {
  const held = aRollForward({ released: false })
  t.strictSame(await held.triggerAdmission(ID), DONE)
  const { world, sinks, triggerAdmission, before, triggered } = aRollForward()
  sinks.AIMService.upsert(stored(admitted(before, world.configs), 3))
  await triggerAdmission(ID)
  sinks.AIMService.upsert(stored(before, 4, { deletionTimestamp: '2026-01-01T00:00:00Z' }))
  await triggerAdmission(ID)
  await triggerAdmission('ml-team/none')
  t.strictSame([held.triggered, triggered], [[], []])
})

t.test('updates the status after an admission that changed nothing, because no watch event follows', async (t) => {
  const { world, sinks, triggerAdmission, results, before } = aRollForward()
  const { triggerAdmission: send } = world.writer
  world.writer.triggerAdmission = async (key) => {
    sinks.AIMRuntimeConfig.upsert(stored(aConfig(), 3, { generation: 3 })) // the old version again
    return await send(key)
  }
  results.push({ kind: 'written', object: before })
  t.strictSame(await triggerAdmission(ID), { ...DONE, enqueue: UPDATE_STATUS })
})

t.test('retries if the cache sees an unchanged service otherwise than admission', async (t) => {
  const { world, triggerAdmission, results, before } = aRollForward()
  results.push({ kind: 'written', object: stored(admitted(before, world.configs), 1) })
  t.match((await triggerAdmission(ID)).result, { kind: 'retry', reason: /^admission returned other/ })
})

t.test('retries if a replica with an outdated cache returns old settings', async (t) => {
  const { world, triggerAdmission, state, before, admitAs, triggered, events } = aRollForward()
  admitAs(before)
  const { result, enqueue } = await triggerAdmission(ID)
  t.match(result, {
    kind: 'retry',
    reason: /^admission returned settings of version sha256:\w+ of AIMRuntimeConfig default that are not current, retrying$/
  })
  t.strictSame([enqueue, events], [UPDATE_STATUS, []])
  admitAs(before)
  t.strictSame((await triggerAdmission(ID)).enqueue, [], 'the status reports the error already')
  admitAs(admitted(before, world.configs))
  t.strictSame(await triggerAdmission(ID), DONE)
  t.strictSame([...state.admissionErrors], [])
  t.strictSame([triggered.length, events.length], [3, 1])
})

t.test('records the new version of a service whose path is pending, and retries', async (t) => {
  const routing = { enabled: true, gatewayRef: { name: 'gateway' } }
  const { world, triggerAdmission, before, admitAs, events } =
    aRollForward({ service: aService({ spec: { routing } }) })
  const current = admitted(before, world.configs)
  const spec = ownObject(current, 'spec')
  const block = ownObject(spec, 'resolvedRuntimeConfig')
  const { path, ...withoutPath } = ownObject(block, 'routing')
  t.ok(path)
  admitAs({ ...current, spec: { ...spec, resolvedRuntimeConfig: { ...block, routing: withoutPath } } })
  t.match((await triggerAdmission(ID)).result, { kind: 'retry', reason: /need the same flags about paths/ })
  t.match(events, [{ reason: 'RolledForward' }])
})

t.test('retries if admission returns equal settings of another configuration', async (t) => {
  const { world, sinks, triggerAdmission, before, admitAs, events } = aRollForward()
  const { resolvedRuntimeConfig, ...spec } = ownObject(before, 'spec')
  sinks.AIMClusterRuntimeConfig.upsert(stored(aClusterConfig({ defaultStorageClassName: 'fast' }), 3))
  sinks.AIMRuntimeConfig.remove({ namespace: 'ml-team', name: 'default' })
  const ofCluster = admitted({ ...before, spec }, world.configs)
  sinks.AIMService.upsert(stored(ofCluster, 4))
  sinks.AIMRuntimeConfig.upsert(NEW)
  const service = world.configs.namespaced('ml-team', 'default')
  t.equal(service?.hash, world.configs.cluster('default')?.hash)
  admitAs(ofCluster)
  t.match((await triggerAdmission(ID)).result, {
    kind: 'retry',
    reason: /of AIMClusterRuntimeConfig default that are not current/
  })
  admitAs(admitted(before, world.configs))
  t.strictSame((await triggerAdmission(ID)).result, { kind: 'done' })
  t.match(events, [{ reason: 'RolledForward' }])
})

t.test('retries until the path follows a label that changed while no webhook responded', async (t) => {
  const routing = { enabled: true, gatewayRef: { name: 'gateway' }, pathTemplate: '/{.metadata.labels.team}' }
  const service = aService({ labels: { team: 'nlp' }, spec: { routing } })
  const { world, sinks, triggerAdmission, admitAs } = aRollForward({ service })
  const before = admitted(service, world.configs)
  const moved = stored({ ...before, metadata: { ...ownObject(before, 'metadata'), labels: { team: 'vision' } } }, 5)
  sinks.AIMService.upsert(moved)
  admitAs(moved)
  t.match((await triggerAdmission(ID)).result, { kind: 'retry' })
  admitAs(admitted(moved, world.configs))
  t.strictSame((await triggerAdmission(ID)).result, { kind: 'done' })
})

t.test('retries if the spec changed meanwhile, unless the definition drops the block', async (t) => {
  for (const [drops, kind] of [[false, 'retry'], [true, 'done']] as const) {
    const { world, before, admitAs, state } = aRollForward()
    let fields = PRODUCT_FIELDS
    const refresh = async (): Promise<void> => { if (drops) fields = schemaFields({}) }
    const definitions = { fieldsOf: () => fields, sinceChange: () => Infinity, refresh }
    const { resolvedRuntimeConfig, ...spec } = ownObject(before, 'spec')
    admitAs(stored({ ...before, spec }, 2, { generation: 2 }))
    const { result } = await rollForward(ID, { world: { ...world, definitions }, state })
    t.match(result, { kind })
  }
})

t.test('reports that no webhook responded', async (t) => {
  const { sinks, triggerAdmission, admitAs, state } = aRollForward()
  const bare = stored(aService(), 5)
  sinks.AIMService.upsert(bare)
  admitAs(bare)
  t.match((await triggerAdmission(ID)).result, { kind: 'retry' })
  t.equal(state.admissionErrors.get(ID), 'admission returned no settings, retrying')
})

t.test('retries failures, and has the status of the service report them', async (t) => {
  const { triggerAdmission, results, state } = aRollForward()
  const reason = 'admission failed: the API server returned 400: no'
  results.push(
    { kind: 'failed', reason: 'the API server returned 400: no' },
    { kind: 'conflict' },
    { kind: 'unavailable', scope: 'server', reason: 'the API server returned 400: no', retryAfterMs: 7 },
    { kind: 'gone' }
  )
  t.strictSame(await triggerAdmission(ID), { result: { kind: 'retry', reason }, enqueue: UPDATE_STATUS })
  t.equal(state.admissionErrors.get(ID), reason)
  t.match(await triggerAdmission(ID), { result: { kind: 'retry' }, enqueue: [] })
  t.match(await triggerAdmission(ID), { result: { kind: 'unavailable', retryAfterMs: 7 }, enqueue: [] })
  t.strictSame(await triggerAdmission(ID), { ...DONE, enqueue: UPDATE_STATUS }, 'no longer exists')
  t.strictSame([...state.admissionErrors], [], 'a service of that name that comes later starts without an error')
})

t.test('a hold clears the last failure, and updates the status', async (t) => {
  const { triggerAdmission, results, state, hold } = aRollForward()
  results.push({ kind: 'failed', reason: 'no' })
  t.strictSame((await triggerAdmission(ID)).enqueue, UPDATE_STATUS)
  hold()
  t.strictSame(await triggerAdmission(ID), { result: { kind: 'done' }, enqueue: UPDATE_STATUS })
  t.strictSame([...state.admissionErrors], [])
})
