import t from 'tap'
import { OBJECT_SCHEMAS } from '../../../src/api/object-schemas.ts'
import type { JsonObject } from '../../../src/platform/json.ts'
import { PRODUCT_FIELDS, schemaFields } from '../../../src/core/served-fields.ts'

t.test('has the fields of a schema, of its maps, and of the items of its lists', (t) => {
  const fields = schemaFields({
    type: 'object',
    properties: {
      spec: {
        properties: {
          list: { type: 'array', items: { properties: { name: { type: 'string' } } } },
          map: { additionalProperties: { properties: { value: { type: 'string' } } } },
          closed: { additionalProperties: false, properties: { known: {} } }
        }
      }
    }
  })
  const given: ReadonlyArray<readonly [string, boolean]> = [
    ['spec', true], ['spec.list', true], ['spec.list.name', true], ['spec.map.any.value', true],
    ['spec.closed.known', true], ['spec.list.other', false], ['spec.map.any.other', false],
    ['spec.closed.other', false], ['spec.other', false], ['status', false], ['spec.constructor', false]
  ]
  for (const [path, expected] of given) t.equal(fields.has(...path.split('.')), expected, path)
  t.end()
})

t.test('has every field below a place that keeps unknown fields, except below fields that are known', (t) => {
  const fields = schemaFields({
    properties: {
      spec: { 'x-kubernetes-preserve-unknown-fields': true, properties: { known: { properties: { field: {} } } } }
    }
  })
  t.equal(fields.has('spec', 'any', 'field'), true)
  t.equal(fields.has('spec', 'known', 'field'), true)
  t.equal(fields.has('spec', 'known', 'other'), false)
  t.equal(fields.has('status'), false)
  t.end()
})

t.test('the product asks for fields of its own definition only', (t) => {
  const fields = schemaFields(OBJECT_SCHEMAS.AIMService as unknown as JsonObject)
  t.equal(fields.has('spec', 'resolvedRuntimeConfig', 'routing', 'path'), true)
  t.equal(fields.has('spec', 'serviceAccountName'), true)
  t.equal(fields.has('spec', 'routing', 'hostnames'), false)
  t.equal(fields.has('status', 'conditions', 'type'), true)
  t.equal(PRODUCT_FIELDS.has('spec', 'resolvedRuntimeConfig'), true)
  t.end()
})
