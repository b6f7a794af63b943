import fc from 'fast-check'
import t from 'tap'
import { NOWHERE, SwapRemoveList } from '../../../src/server/overload/swap-remove-list.ts'

t.test('it holds what was added and not deleted, and knows the oldest, whatever the order', async (t) => {
  const deeds = fc.array(fc.tuple(fc.boolean(), fc.nat(9)), { maxLength: 60 })
  fc.assert(fc.property(deeds, (deeds) => {
    const items = Array.from({ length: 10 }, (_, since) => ({ place: NOWHERE, since }))
    const set = new SwapRemoveList<typeof items[number]>()
    const expected = new Set<typeof items[number]>()
    for (const [isAdded, at] of deeds) {
      const item = items[at] ?? { place: NOWHERE, since: 0 }
      if (!isAdded) {
        if (set.delete(item) !== expected.delete(item)) return false
      } else if (!expected.has(item)) {
        set.add(item)
        expected.add(item)
      }
    }
    const oldest = [...expected].toSorted((a, b) => a.since - b.since)[0]
    return set.oldest(() => true) === oldest && [...set].every((item) => expected.delete(item)) && expected.size === 0
  }))
})

t.test('what is in another set is not deleted from this one', async (t) => {
  const [one, other] = [new SwapRemoveList(), new SwapRemoveList()]
  const [item, stranger] = [{ place: NOWHERE, since: 1 }, { place: NOWHERE, since: 2 }]
  one.add(item)
  other.add(stranger)
  t.notOk(one.delete(stranger))
  t.strictSame([...one], [item])
})
