import { getEventListeners } from 'node:events'
import t from 'tap'
import { pause, within } from '../../../src/platform/clock.ts'
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

t.test('work that is done in time leaves no timer', async (t) => {
  const clock = new ManualClock()
  t.equal(await within(clock, 100, Promise.resolve()), true)
  await t.rejects(within(clock, 100, Promise.reject(new Error('failed'))), { message: 'failed' })
  t.equal(clock.pending, 0)
})

t.test('the wait for work ends after the given time', async (t) => {
  const clock = new ManualClock()
  const waiting = within(clock, 100, new Promise(() => {}))
  clock.pass(100)
  t.equal(await waiting, false)
})
