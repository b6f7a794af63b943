import t from 'tap'
import { Interner, textInterner } from '../../../src/cache/compact/interner.ts'

t.test('returns the first of several equal values', async (t) => {
  const interner = new Interner<{ readonly name: string }>(JSON.stringify)
  const first = interner.intern({ name: 'a' })
  t.equal(interner.intern({ name: 'a' }), first)
  t.not(interner.intern({ name: 'b' }), first)
})

t.test('keeps a bounded amount', async (t) => {
  const interner = new Interner<object>(JSON.stringify)
  const text = (at: number): string => `${at} ${'x'.repeat(1024 * 1024)}`
  const first = interner.intern({ text: text(0) })
  t.equal(interner.intern({ text: text(0) }), first)
  for (let at = 1; at < 8; at++) interner.intern({ text: text(at) })
  t.not(interner.intern({ text: text(0) }), first, 'evicts old values')
  const large = { text: 'x'.repeat(9 * 1024 * 1024) }
  t.equal(interner.intern(large), large)
  t.not(interner.intern({ ...large }), large, 'never keeps a value over the limit')
  t.equal(textInterner().intern('a'), 'a')
})
