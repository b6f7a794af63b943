import t from 'tap'
import { PRODUCT_FIELDS, schemaFields } from '../../../../src/core/served-fields.ts'
import { givenUp, ownershipOf, withKept, writable } from '../../../../src/core/status/ownership.ts'
import { ownServiceStatus } from '../../../../src/core/status/service.ts'
import type { JsonObject } from '../../../../src/platform/json.ts'
import { managed } from '../../../support/fakes/reconcile-world.ts'

const condition = (type: string) => ({
  type, status: 'True' as const, reason: 'PathRendered', message: '', lastTransitionTime: '2026-01-01T00:00:00Z'
})
const STATUS = {
  observedGeneration: 1,
  routing: { path: '/a' },
  conditions: ['PathResolved', 'RoutingReady'].map((type) => condition(type))
}

function ownership (status: JsonObject, managedFields: readonly JsonObject[]) {
  const object = { metadata: { managedFields }, status }
  return ownershipOf(object, ownServiceStatus(object))
}

t.test('without managed fields, and if it alone wrote it, a status is its own', async (t) => {
  for (const entries of [[], [managed('aim-admission', STATUS)]]) {
    const { status, ownership: owners } = ownership(STATUS, entries)
    t.strictSame(status, STATUS)
    t.equal(writable(STATUS, owners, PRODUCT_FIELDS).conditions.length, 2)
    t.equal(owners.lastWriter, 'aim-admission')
  }
})

t.test('gives up a field or condition of which another manager owns any part', async (t) => {
  const { status, ownership: owners } = ownership(STATUS, [
    managed('aim-admission', STATUS),
    managed('operator', { routing: { path: '/a' }, conditions: [{ type: 'RoutingReady', message: '' }] })
  ])
  t.strictSame(status, { observedGeneration: 1, conditions: [condition('PathResolved')] })
  t.strictSame(writable(STATUS, owners, PRODUCT_FIELDS), status)
  t.strictSame([...givenUp(STATUS, owners)], [['routing', 'operator'], ['condition RoutingReady', 'operator']])
})

t.test('shares the routing with a manager of its other fields', async (t) => {
  const { status } = ownership(STATUS, [
    managed('aim-admission', STATUS), managed('serving', { routing: { httpRouteRef: { name: 'a' } } })
  ])
  t.strictSame(status, STATUS)
})

t.test('keeps what it alone owns of a part that it gives up, because leaving it out would remove it', async (t) => {
  const { ownership: owners } = ownership(STATUS, [
    managed('aim-admission', STATUS),
    managed('operator', {
      routing: { path: '/a' }, conditions: [{ type: 'RoutingReady', message: '', status: 'True' }]
    })
  ])
  const { type, reason, lastTransitionTime } = condition('RoutingReady')
  t.strictSame(withKept({ conditions: [] }, owners), { conditions: [{ reason, lastTransitionTime, type }] })
})

t.test('drops what it owns together with another manager', async (t) => {
  const { ownership: owners } = ownership(STATUS, [managed('aim-admission', STATUS), managed('operator', STATUS)])
  t.strictSame(withKept({ conditions: [] }, owners), { conditions: [] })
})

t.test('gives up all conditions to the owner of a list that is one value', async (t) => {
  const entry = { manager: 'operator', subresource: 'status', fieldsV1: { 'f:status': { 'f:conditions': {} } } }
  const { ownership: owners } = ownership(STATUS, [entry])
  t.strictSame(writable(STATUS, owners, PRODUCT_FIELDS).conditions, [])
})

t.test('what no manager owns is written again, also an equal value', async (t) => {
  const { status, ownership: owners } = ownership(STATUS, [managed('aim-admission', { routing: { path: '/a' } })])
  t.strictSame(status, { routing: { path: '/a' }, conditions: [] })
  t.strictSame(writable(STATUS, owners, PRODUCT_FIELDS), STATUS)
})

t.test('ignores managed fields in no known form', async (t) => {
  const strange = { 'f:status': { 'f:conditions': { 'k:{': {}, 'k:1': {}, 'v:2': {} } } }
  for (const fields of [{ 'f:status': 1 }, strange, undefined]) {
    const { ownership: owners } = ownership(STATUS, [{ manager: 'x', fieldsV1: fields }])
    t.strictSame(writable(STATUS, owners, PRODUCT_FIELDS), STATUS)
  }
})

t.test('names the last other writer of the status', async (t) => {
  const { ownership: owners } = ownership(STATUS, [
    managed('last', { a: 1 }, '2026-01-01T00:00:02Z'), managed('first', { b: 1 }, '2026-01-01T00:00:01Z'),
    managed('aim-admission', STATUS, '2026-01-01T00:00:03Z'), { manager: 'kubectl', time: '2026-01-01T00:00:04Z' }
  ])
  t.equal(owners.lastWriter, 'last')
})

t.test('writes only fields that the definition has', async (t) => {
  const resolved = { kind: 'AIMRuntimeConfig' as const, hash: 'sha256:1' }
  const status = { ...STATUS, resolvedRuntimeConfig: resolved }
  const served = schemaFields({
    properties: {
      status: {
        properties: {
          resolvedRuntimeConfig: { properties: { kind: {} } },
          conditions: { items: { properties: { type: {} } } }
        }
      }
    }
  })
  const { ownership: owners } = ownership(status, [])
  t.strictSame(writable(status, owners, served), {
    resolvedRuntimeConfig: { kind: 'AIMRuntimeConfig' }, conditions: STATUS.conditions
  })
  t.strictSame(writable(status, owners, schemaFields({})), { conditions: [] })
  const otherTypes = schemaFields({
    properties: { status: { properties: { resolvedRuntimeConfig: { type: 'string' }, conditions: {} } } }
  })
  t.strictSame(writable(status, owners, otherTypes), { conditions: STATUS.conditions }, 'text instead of an object')
})
