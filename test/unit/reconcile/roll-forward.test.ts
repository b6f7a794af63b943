import t from 'tap'
import { ownObject, type JsonObject } from '../../../src/platform/json.ts'
import { RateLimiter } from '../../../src/reconcile/rate-limiter.ts'
import { RollForward } from '../../../src/reconcile/roll-forward.ts'
import { RolloutState } from '../../../src/reconcile/rollout-state.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { aClusterConfig, aConfig, aService } from '../../support/builders/objects.ts'
import { admitted, aReconcileWorld, stored } from '../../support/fakes/reconcile-world.ts'

const ID = 'ml-team/llama-chat'
const CONFIG = 'AIMRuntimeConfig/ml-team/default'
const OLD = stored(aConfig(), 1)
const NEW = stored(aConfig({ defaultStorageClassName: 'fast' }), 2, { generation: 2 })

/** A service that carries the old version of a configuration whose new one is known; released unless told otherwise. */
function aRollForward ({ released = true, service = aService() }: { released?: boolean, service?: JsonObject } = {}) {
  const { world, sinks, answers, readmitted, told } = aReconcileWorld()
  const troubles: string[] = []
  const state = new RolloutState({ onTally: () => {}, onReadmit: () => {} })
  const rollForward = new RollForward({
    world,
    state,
    pacer: new RateLimiter(new ManualClock(), Infinity),
    onTrouble: (id) => { troubles.push(id) }
  })
  sinks.AIMRuntimeConfig.upsert(OLD)
  const before = stored(admitted(service, world.configs), 1)
  sinks.AIMService.upsert(before)
  sinks.AIMRuntimeConfig.upsert(NEW)
  const hash = world.configs.namespaced('ml-team', 'default')?.hash ?? ''
  const plan = {
    status: { conditions: [] },
    held: released ? undefined : 'paused',
    quota: released ? Infinity : 0,
    breakable: 1
  }
  state.rollouts.release({
    config: CONFIG,
    hash,
    plan,
    stale: [ID],
    foresee: () => ({ breaks: false, claim: undefined })
  })
  const answerWith = (object: JsonObject): void => { answers.push({ kind: 'written', object }) }
  return { world, sinks, answers, answerWith, readmitted, told, troubles, state, rollForward, before, hash }
}

t.test('a released service is seen by admission, and told where it carries the new version then', async (t) => {
  const { world, rollForward, before, answerWith, readmitted, told, troubles, hash } = aRollForward()
  answerWith(admitted(before, world.configs))
  t.strictSame(await rollForward.triggerAdmission(ID), { kind: 'done' })
  t.strictSame([readmitted, troubles], [[ID], []])
  t.match(told, [
    {
      reason: 'RolledForward',
      regarding: { kind: 'AIMService', name: 'llama-chat', uid: 'u1' },
      note: `now carries version ${hash} of AIMRuntimeConfig ml-team/default`
    }
  ])
  t.equal(told.length, 1)
})

t.test('one that is not released, is current, is being deleted or is gone is left alone', async (t) => {
  const held = aRollForward({ released: false })
  t.strictSame(await held.rollForward.triggerAdmission(ID), { kind: 'done' })
  const { world, sinks, rollForward, before, readmitted } = aRollForward()
  sinks.AIMService.upsert(stored(admitted(before, world.configs), 3))
  await rollForward.triggerAdmission(ID)
  sinks.AIMService.upsert(stored(before, 4, { deletionTimestamp: '2026-01-01T00:00:00Z' }))
  await rollForward.triggerAdmission(ID)
  await rollForward.triggerAdmission('ml-team/none')
  t.strictSame([held.readmitted, readmitted], [[], []])
})

t.test('a replica with an old cache is noticed by its answer, and asked again', async (t) => {
  const { world, rollForward, state, before, answerWith, readmitted, told, troubles } = aRollForward()
  answerWith(before)
  const first = await rollForward.triggerAdmission(ID)
  t.match(first, {
    kind: 'retry',
    reason:
      /^admission answered with settings of version sha256:\w+ of AIMRuntimeConfig default that are not those of today, and is asked again$/
  })
  t.strictSame([troubles, told], [[ID], []])
  answerWith(before)
  await rollForward.triggerAdmission(ID)
  t.strictSame(troubles, [ID], 'what is no news is not told again')
  answerWith(admitted(before, world.configs))
  t.strictSame(await rollForward.triggerAdmission(ID), { kind: 'done' })
  t.equal(state.troubleOf(ID), undefined)
  t.strictSame([readmitted.length, told.length], [3, 1])
})

t.test('the same settings of another configuration are an old answer too', async (t) => {
  const { world, sinks, rollForward, before, answerWith, told } = aRollForward()
  const { resolvedRuntimeConfig, ...spec } = ownObject(before, 'spec')
  sinks.AIMClusterRuntimeConfig.upsert(stored(aClusterConfig({ defaultStorageClassName: 'fast' }), 3))
  sinks.AIMRuntimeConfig.remove({ namespace: 'ml-team', name: 'default' })
  const ofCluster = admitted({ ...before, spec }, world.configs)
  sinks.AIMService.upsert(stored(ofCluster, 4))
  sinks.AIMRuntimeConfig.upsert(NEW)
  const service = world.configs.namespaced('ml-team', 'default')
  t.equal(service?.hash, world.configs.cluster('default')?.hash)
  answerWith(ofCluster)
  t.match(await rollForward.triggerAdmission(ID), {
    kind: 'retry',
    reason: /of AIMClusterRuntimeConfig default that are not those of today/
  })
  answerWith(admitted(before, world.configs))
  t.strictSame(await rollForward.triggerAdmission(ID), { kind: 'done' })
  t.match(told, [{ reason: 'RolledForward' }])
})

t.test('a label changed while no webhook answered is not healed before the path in the answer is today\'s', async (t) => {
  const routing = { enabled: true, gatewayRef: { name: 'gateway' }, pathTemplate: '/{.metadata.labels.team}' }
  const { world, sinks, rollForward, answerWith } = aRollForward({
    service: aService({ labels: { team: 'nlp' }, spec: { routing } })
  })
  const before = admitted(aService({ labels: { team: 'nlp' }, spec: { routing } }), world.configs)
  const moved = stored({ ...before, metadata: { ...ownObject(before, 'metadata'), labels: { team: 'vision' } } }, 5)
  sinks.AIMService.upsert(moved)
  answerWith(moved)
  t.match(await rollForward.triggerAdmission(ID), { kind: 'retry' })
  answerWith(admitted(moved, world.configs))
  t.strictSame(await rollForward.triggerAdmission(ID), { kind: 'done' })
})

t.test('where no webhook answered, that is said', async (t) => {
  const { sinks, rollForward, answerWith, state } = aRollForward()
  const bare = stored(aService(), 5)
  sinks.AIMService.upsert(bare)
  answerWith(bare)
  t.match(await rollForward.triggerAdmission(ID), { kind: 'retry' })
  t.equal(state.troubleOf(ID), 'admission answered with no settings, and is asked again')
})

t.test('failures are tried again, and told to the service', async (t) => {
  const { rollForward, answers, troubles, state } = aRollForward()
  answers.push(
    { kind: 'failed', reason: 'the API server answered 500: no webhook' },
    { kind: 'outdated' },
    { kind: 'gone' }
  )
  t.strictSame(await rollForward.triggerAdmission(ID), {
    kind: 'retry',
    reason: 'admission could not be had: the API server answered 500: no webhook'
  })
  t.equal(state.troubleOf(ID), 'admission could not be had: the API server answered 500: no webhook')
  t.match(await rollForward.triggerAdmission(ID), { kind: 'retry' })
  t.strictSame(await rollForward.triggerAdmission(ID), { kind: 'done' })
  t.strictSame(troubles, [ID])
})

t.test('what went wrong before is forgotten with the permission, so that a later roll-out begins afresh', async (t) => {
  const { rollForward, answers, troubles, state, hash } = aRollForward()
  answers.push({ kind: 'failed', reason: 'no' })
  await rollForward.triggerAdmission(ID)
  const plan = { status: { conditions: [] }, held: 'halted', quota: 0, breakable: 0 }
  state.rollouts.release({
    config: CONFIG,
    hash,
    plan,
    stale: [ID],
    foresee: () => ({ breaks: false, claim: undefined })
  })
  t.strictSame(await rollForward.triggerAdmission(ID), { kind: 'done' })
  t.equal(state.troubleOf(ID), undefined)
  t.strictSame(troubles, [ID, ID], 'its status is to tell of the hold')
})
