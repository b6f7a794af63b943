import t from 'tap'
import { RateLimiter } from '../../../src/reconcile/rate-limiter.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'

/**
 * A pacer of ten turns a second, and the turns that have come, each with the time at which that was seen: every 10 ms.
 */
function aPacer () {
  const clock = new ManualClock()
  const pacer = new RateLimiter(clock, 10)
  const turns: string[] = []
  return {
    turns,
    ask: (who: string): void => { pacer.turn().then(() => { turns.push(`${who} ${clock.now()}`) }, () => {}) },
    pass: async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 10) {
        clock.pass(10)
        await new Promise((resolve) => { setImmediate(resolve) })
      }
    }
  }
}

t.test('turns come in order, as far apart as the rate says', async (t) => {
  const { ask, pass, turns } = aPacer()
  for (const who of ['a', 'b', 'c']) ask(who)
  await pass(300)
  t.strictSame(turns, ['a 10', 'b 100', 'c 200'])
})

t.test('a pause saves up no turns', async (t) => {
  const { ask, pass, turns } = aPacer()
  ask('first')
  await pass(5_000)
  for (const who of ['a', 'b', 'c']) ask(who)
  await pass(90)
  t.equal(turns.length, 2)
  await pass(200)
  t.equal(turns.length, 4)
})
