import t from 'tap'
import { RateLimiter } from '../../../src/reconcile/roll-forward.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'

/** Ten turns a second; records each turn with the time, to 10 ms. */
function setUp () {
  const clock = new ManualClock()
  const rateLimiter = new RateLimiter(clock, 10)
  const turns: string[] = []
  return {
    turns,
    request: (who: string): void => {
      rateLimiter.turn().then(() => { turns.push(`${who} ${clock.now()}`) }, () => {})
    },
    pass: async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 10) {
        clock.pass(10)
        await new Promise((resolve) => { setImmediate(resolve) })
      }
    }
  }
}

t.test('grants turns in order, spaced by the rate', async (t) => {
  const { request, pass, turns } = setUp()
  for (const who of ['a', 'b', 'c']) request(who)
  await pass(300)
  t.strictSame(turns, ['a 10', 'b 100', 'c 200'])
})

t.test('grants no burst after a pause', async (t) => {
  const { request, pass, turns } = setUp()
  request('first')
  await pass(5_000)
  for (const who of ['a', 'b', 'c']) request(who)
  await pass(90)
  t.equal(turns.length, 2)
  await pass(200)
  t.equal(turns.length, 4)
})
