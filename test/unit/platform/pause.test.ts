import { getEventListeners } from 'node:events'
import t from 'tap'
import { pause } from '../../../src/platform/clock.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'

t.test('a pause lasts the given time and leaves no timer or listener', async (t) => {
  const clock = new ManualClock()
  const { signal } = new AbortController()
  let over = false
  const pausing = pause(clock, 100, signal).then(() => { over = true })
  clock.pass(99)
  await Promise.resolve()
  t.notOk(over)
  clock.pass(1)
  await pausing
  t.strictSame([clock.pending, getEventListeners(signal, 'abort').length], [0, 0])
})

t.test('a pause ends when the signal aborts', async (t) => {
  const clock = new ManualClock()
  const ending = new AbortController()
  const pausing = pause(clock, 100, ending.signal)
  ending.abort()
  await pausing
  t.strictSame([clock.now(), clock.pending, getEventListeners(ending.signal, 'abort').length], [0, 0, 0])
})

t.test('an aborted signal prevents the pause', async (t) => {
  const clock = new ManualClock()
  await pause(clock, 100, AbortSignal.abort())
  t.equal(clock.pending, 0)
})
