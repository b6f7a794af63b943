import t from 'tap'
import { fromShape, toShape } from '../../../src/cache/compact/shape.ts'

const nested = (depth: number): unknown =>
  depth === 0 ? { leaf: true } : { at: depth, below: nested(depth - 1), beside: [nested(0)] }

t.test('fromShape restores the text of JSON.stringify', async (t) => {
  const values: unknown[] = [
    null, false, 0, -1.5e300, '', 'text', [], {}, [[]], [{}], { a: {} }, { a: [] }, [
      1, 'two', null, true, [3], { four: 5 }
    ],
    {
      'a key with " and \\': 'a value with " and \\',
      '\0': '\0',
      ',:{}[]': ',:{}[]',
      ü: '漢字 🙂 \u2028',
      10: 'ten',
      2: 'two'
    },
    { undefinedIsLeftOut: undefined, kept: 1 }, JSON.parse('{"__proto__":{"a":1},"constructor":2}'), nested(3),
    nested(15), nested(16), nested(17), nested(500),
    '$&', { $1: '$$' }
  ]
  for (const value of values) t.equal(fromShape(toShape(value)), JSON.stringify(value))
})

t.test('only objects that differ in nothing but values have the same shape', async (t) => {
  const { shape } = toShape({ a: 'one', b: [{ c: 1 }], d: null })
  t.equal(toShape({ a: '', b: [{ c: false }], d: 'x'.repeat(1_000) }).shape, shape)
  const others = [
    { a: 'one', b: [{ c: 1 }] },
    { b: [{ c: 1 }], a: 'one', d: null },
    { a: 'one', b: [{ c: 1 }, 2], d: null },
    { a: 'one', b: { c: 1 }, d: null }
  ]
  for (const other of others) t.not(toShape(other).shape, shape)
})
