import t from 'tap'
import { Interner, textInterner } from '../../../src/cache/compact/interner.ts'

t.test('of equal values the first is kept', async (t) => {
  const shared = new Interner<{ readonly name: string }>(JSON.stringify)
  const first = shared.of({ name: 'a' })
  t.equal(shared.of({ name: 'a' }), first)
  t.not(shared.of({ name: 'b' }), first)
})

t.test('a value is made once for each text', async (t) => {
  const shared = new Interner<{ readonly made: number }>(() => '')
  let made = 0
  const make = (): { made: number } => ({ made: ++made })
  t.strictSame(
    [shared.byText('a', make), shared.byText('a', make), shared.byText('b', make)],
    [{ made: 1 }, { made: 1 }, { made: 2 }]
  )
})

t.test('however much there is, what is kept is bounded', async (t) => {
  const shared = new Interner<object>(JSON.stringify)
  const text = (at: number): string => `${at} ${'x'.repeat(1024 * 1024)}`
  const first = shared.of({ text: text(0) })
  t.equal(shared.of({ text: text(0) }), first)
  for (let at = 1; at < 8; at++) shared.of({ text: text(at) })
  t.not(shared.of({ text: text(0) }), first, 'forgotten')
  const large = { text: 'x'.repeat(9 * 1024 * 1024) }
  t.equal(shared.of(large), large)
  t.not(shared.of({ ...large }), large, 'never kept')
  t.equal(textInterner().of('a'), 'a')
})
