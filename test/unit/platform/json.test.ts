import t from 'tap'
import { fitsText, own, parseJson, type JsonObject } from '../../../src/platform/json.ts'

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

t.test('integers of 64 bits keep their digits', async (t) => {
  for (const digits of ['9007199254740993', '-9007199254740993', '9223372036854775807', '-9223372036854775808']) {
    t.equal(parseJson(digits), BigInt(digits))
    const text = `{"__proto__":${digits},"a":[{"b":${digits}},1,1.5,"${digits}","\\"${digits}"],"${digits}":null}`
    const value = parseJson(text)
    t.equal(JSON.stringify(value), text)
    t.same(own(value as JsonObject, 'a'), [{ b: BigInt(digits) }, 1, 1.5, digits, `"${digits}`])
    t.equal(Object.getPrototypeOf(value), Object.prototype)
  }
})

t.test('all other numbers are doubles, as in Go', async (t) => {
  const others = [
    '9007199254740991', '9223372036854775808', '1e20', '9007199254740993.0', '9007199254740993e1', '0.1234567890123456'
  ]
  for (const number of others) t.same(parseJson(`[${number},1]`), [Number(number), 1])
  const mixed = '[9007199254740993,-0.0000010000000000000002,1e-00000000000000009,1e+00000000000000009]'
  t.same(parseJson(mixed), [9007199254740993n, -0.0000010000000000000002, 1e-9, 1e9])
  t.same(parseJson('[9007199254740993,9223372036854775808]'), [9007199254740993n, 2 ** 63])
  t.same(parseJson(`[9007199254740993,${'9'.repeat(1_000_000)}]`), [9007199254740993n, Infinity])
})

t.test('deep values with large integers are safe', async (t) => {
  const text = `${'['.repeat(50_000)}9007199254740993${']'.repeat(50_000)}`
  t.ok(Array.isArray(parseJson(text)))
})
