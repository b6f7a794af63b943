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

t.test('has the kind of value of each place, and unknown where the schema does not say', (t) => {
  const fields = schemaFields({
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          list: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } },
          map: { type: 'object', additionalProperties: { type: 'integer' } },
          open: {
            type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { on: { type: 'boolean' } }
          },
          size: { 'x-kubernetes-int-or-string': true },
          any: { type: 'object', additionalProperties: true },
          alternatives: { type: ['string', 'null'] }
        }
      }
    }
  })
  const given: ReadonlyArray<readonly [ReadonlyArray<string | number>, string]> = [
    [[], 'object'], [['spec'], 'object'], [['spec', 'list'], 'list'], [['spec', 'list', 0], 'object'],
    [['spec', 'list', -1, 'name'], 'scalar'], [['spec', 'list', 'name'], 'missing'], [['spec', 0], 'missing'],
    [['spec', 'map', 'a.b'], 'scalar'], [['spec', 'map', 'a', 'b'], 'missing'], [['spec', 'open', 'on'], 'scalar'],
    [['spec', 'open', 'x', 0], 'unknown'], [['spec', 'size'], 'unknown'], [['spec', 'size', 'x'], 'unknown'],
    [['spec', 'any', 'x'], 'unknown'], [['spec', 'alternatives'], 'unknown'], [['spec', 'constructor'], 'missing'],
    [['spec', 'toString', 'name'], 'missing'], [['status'], 'missing'], [['metadata', 'labels', 'x'], 'scalar']
  ]
  for (const [path, kind] of given) t.equal(fields.shapeOf(path).kind, kind, path.join('.'))
  t.strictSame(fields.shapeOf(['spec', 'open']).names, ['on'])
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
