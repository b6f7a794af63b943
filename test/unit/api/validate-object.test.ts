import t from 'tap'
import { decodeObject, validateObject } from '../../../src/api/validate-object.ts'
import { KINDS } from '../../../src/api/kinds.ts'
import { SCHEMA_CASES } from '../../support/builders/schema-cases.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

/** Without the undefined fields of a table's objects, as in a manifest. */
const asJson = (object: JsonObject): JsonObject => JSON.parse(JSON.stringify(object)) as JsonObject
const CONFIG = { apiVersion: 'aim.silogen.ai/v1alpha1', kind: 'AIMRuntimeConfig', metadata: { name: 'a' } }
const kindOf = (object: JsonObject) => KINDS.find(({ kind }) => kind === object['kind'])?.kind ?? 'AIMService'

for (const [name, { object, faults }] of Object.entries(SCHEMA_CASES)) {
  t.test(name, async (t) => {
    const kind = kindOf(object)
    const errors = validateObject(kind, decodeObject(kind, asJson(object)))
    t.same(Object.fromEntries(errors.map(({ field, message }) => [field, message])), faults)
  })
}

t.test('every repeated name of a long list is a fault of its own', async (t) => {
  const names = Array.from({ length: 40_000 }, (_, at) => ({ name: `s-${at}` }))
  const spec = { imagePullSecrets: [...names, { name: 's-0' }, { name: 's-39999' }, { name: 's-0' }] }
  const fields = validateObject('AIMRuntimeConfig', { ...CONFIG, spec }).map(({ field }) => field)
  t.strictSame(fields, [40_000, 40_001, 40_002].map((at) => `spec.imagePullSecrets[${at}]`))
})

t.test('a wrong version of the right kind is refused', async (t) => {
  t.same(validateObject('AIMRuntimeConfig', { ...CONFIG, apiVersion: 'aim.silogen.ai/v1' }), [
    {
      field: 'apiVersion',
      message: 'Unsupported value: "aim.silogen.ai/v1": supported values: "aim.silogen.ai/v1alpha1"'
    }
  ])
})

t.test('a key with special characters is shown in brackets', async (t) => {
  const object = { ...CONFIG, metadata: { name: 'a', annotations: { 'a.b/c': 1 } } }
  t.same(validateObject('AIMRuntimeConfig', object).map(({ field }) => field), ['metadata.annotations[a.b/c]'])
})

t.test('a long value is truncated', async (t) => {
  const object = { ...CONFIG, spec: { model: { creationScope: 'x'.repeat(100_000) } } }
  const [error] = validateObject('AIMRuntimeConfig', object)
  t.ok(error !== undefined && error.message.length < 400)
})

t.test('the object is unchanged', async (t) => {
  const object = Object.freeze({
    ...CONFIG,
    kind: 'AIMService',
    metadata: Object.freeze({ name: 'a' }),
    spec: Object.freeze({ replicas: '1' })
  })
  t.equal(validateObject('AIMService', object).length, 2)
})
