import t from 'tap'
import { RolloutState } from '../../../src/reconcile/rollout-state.ts'
import { ServiceReconciler } from '../../../src/reconcile/service-reconciler.ts'
import { aConfig, aService } from '../../support/builders/objects.ts'
import { admitted, aReconcileWorld, stored } from '../../support/fakes/reconcile-world.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const ID = 'ml-team/llama-chat'

/** A service that carries what admission would write today, and has no status yet. */
function aReconciler () {
  const parts = aReconcileWorld()
  const readmitted: string[] = []
  const state = new RolloutState({ onTally: () => {}, onReadmit: (id, lane) => { readmitted.push(`${lane} ${id}`) } })
  parts.sinks.AIMRuntimeConfig.upsert(stored(aConfig(), 1))
  const service = stored(admitted(aService(), parts.world.configs), 5)
  parts.sinks.AIMService.upsert(service)
  return { ...parts, readmitted, service, reconciler: new ServiceReconciler(parts.world, state) }
}

/** The object as the API server stores it once that status is written, its keys in the order given. */
function withStatus (service: JsonObject, { status, version, reversed = false }: { status: object, version: number, reversed?: boolean }): JsonObject {
  return stored({ ...service, status: reversed ? backwards(status) : status }, version)
}

function backwards (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(backwards)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).reverse().map(([key, inner]) => [key, backwards(inner)]))
}

t.test('a status that differs is written once, safe by uid and version, and told', async (t) => {
  const { reconciler, written, answers, service, told } = aReconciler()
  answers.push({ kind: 'written', object: withStatus(service, { status: {}, version: 6 }) })
  t.strictSame(await reconciler.reconcile(ID), { kind: 'done' })
  t.match(written, [
    {
      key: { namespace: 'ml-team', name: 'llama-chat' },
      uid: 'u1',
      version: '5',
      status: { conditions: [{ type: 'RuntimeConfigResolved', status: 'True', reason: 'Resolved' }, {}, {}] }
    }
  ])
  t.match(told, [{ reason: 'RuntimeConfigResolved' }])
})

t.test('an unchanged status is not written, whatever the order of its keys, and whatever the time', async (t) => {
  const { reconciler, written, answers, service, sinks } = aReconciler()
  answers.push({ kind: 'written', object: service })
  await reconciler.reconcile(ID)
  const [{ status } = { status: {} }] = written
  sinks.AIMService.upsert(withStatus(service, { status, version: 7, reversed: true }))
  t.strictSame(await reconciler.reconcile(ID), { kind: 'done' })
  t.equal(written.length, 1)
})

t.test('a conflict is read again and tried again, with the version that is there then', async (t) => {
  const { reconciler, written, answers, service, sinks, told } = aReconciler()
  answers.push({ kind: 'outdated' })
  t.match(await reconciler.reconcile(ID), { kind: 'retry' })
  t.strictSame(told, [])
  sinks.AIMService.upsert(stored(service, 8))
  answers.push({ kind: 'written', object: service })
  t.strictSame(await reconciler.reconcile(ID), { kind: 'done' })
  t.strictSame(written.map(({ version }) => version), ['5', '8'])
})

t.test('what cannot be written is tried again: with its own patience where it is the object, with all others where it is the API server', async (t) => {
  const { reconciler, answers, told } = aReconciler()
  answers.push(
    { kind: 'failed', reason: 'the API server answered 422: no' },
    { kind: 'unavailable', reason: 'no answer', retryAfterMs: 1_000 }
  )
  t.strictSame(await reconciler.reconcile(ID), { kind: 'retry', reason: 'the API server answered 422: no' })
  t.strictSame(await reconciler.reconcile(ID), { kind: 'unavailable', reason: 'no answer', retryAfterMs: 1_000 })
  t.strictSame(told, [])
})

t.test('a service that is gone, or on its way out, is left alone', async (t) => {
  const { reconciler, written, service, sinks } = aReconciler()
  sinks.AIMService.upsert(stored(service, 6, { deletionTimestamp: '2026-01-01T00:00:00Z' }))
  t.strictSame(await reconciler.reconcile(ID), { kind: 'done' })
  sinks.AIMService.remove({ namespace: 'ml-team', name: 'llama-chat' })
  t.strictSame(await reconciler.reconcile(ID), { kind: 'done' })
  t.strictSame(written, [])
})

t.test('admission is asked for a service that came in without it, which is told of once', async (t) => {
  const { reconciler, readmitted, written, told, sinks } = aReconciler()
  sinks.AIMService.upsert(stored(aService(), 6))
  for (let time = 0; time < 2; time++) t.strictSame(await reconciler.reconcile(ID), { kind: 'done' })
  t.strictSame(readmitted, [`routine ${ID}`, `routine ${ID}`])
  t.strictSame(written, [], 'its status is written once it is put right')
  t.match(told, [{ reason: 'AdmittedWithoutWebhook', type: 'Warning' }])
  t.equal(told.length, 1)
})
