import t from 'tap'
import { fitsText } from '../../../src/platform/json.ts'

t.test('fitsText agrees with the length of the JSON text', async (t) => {
  const values = ['abc', 12, null, true, [], {}, ['a', 'b'], { a: 'b', c: [1, 2, { d: null }] }]
  for (const value of values) {
    const { length } = JSON.stringify(value)
    t.ok(fitsText(value, length), JSON.stringify(value))
    t.notOk(fitsText({ key: value, other: 'x'.repeat(20) }, length + 20), `more than ${JSON.stringify(value)}`)
  }
})

t.test('fitsText reads values of any depth and length', async (t) => {
  let deep: unknown = 'x'
  for (let depth = 0; depth < 1_000_000; depth++) deep = [deep]
  t.notOk(fitsText(deep, 16_384))
  t.notOk(fitsText(Array.from({ length: 1_000_000 }, () => 0), 16_384))
})

t.test('fitsText stops at the limit', async (t) => {
  const unread = { get value () { throw new Error('read') } }
  t.notOk(fitsText([unread, 'x'.repeat(100)], 50))
})
