import t from 'tap'
import type { Steps } from '../../../src/platform/steps.ts'
import { StepQueue } from '../../../src/server/overload/step-queue.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'

/** A clock that steps advance, and a queue with slices of 5 ms and a budget of 20 ms. */
function setUp () {
  const clock = new ManualClock()
  const queue = new StepQueue({ clock, sliceMs: 5, budgetMs: 20, waitMs: 100 })
  const log: string[] = []
  /** Takes 2 ms a step; returns the number of steps. */
  function * job (name: string, count: number): Steps<number> {
    for (let at = 1; at <= count; at++) {
      clock.elapse(2)
      log.push(name)
      if (yield) return at
    }
    return count
  }
  return { clock, queue, log, job }
}

t.test('after each slice, other work gets at least as much time', async (t) => {
  const { clock, queue, log, job } = setUp()
  const done = queue.run('a', job('a', 6))
  t.equal(log.length, 3, 'a slice of 5 ms holds three steps of 2 ms')
  clock.pass(5)
  t.equal(log.length, 3, 'the pause is as long as the slice')
  clock.pass(1)
  t.equal(log.length, 6)
  clock.pass(20)
  t.equal(await done, 6)
})

t.test('a job finishes with what it has when its budget is used', async (t) => {
  const { clock, queue, job } = setUp()
  const done = queue.run('a', job('a', 1_000))
  for (let turn = 0; turn < 20; turn++) clock.pass(10)
  t.ok(await done <= 11, 'a budget of 20 ms holds ten steps of 2 ms')
})

t.test('jobs run one at a time, and namespaces take turns', async (t) => {
  const { clock, queue, log, job } = setUp()
  const jobs = [['a', 'a1'], ['a', 'a2'], ['a', 'a3'], ['b', 'b']] as const
  const done = jobs.map(async ([key, name]) => await queue.run(key, job(name, 1)))
  for (let turn = 0; turn < 20; turn++) clock.pass(10)
  await Promise.all(done)
  t.strictSame(log, ['a1', 'a2', 'b', 'a3'])
})

t.test('a job that waited too long does one step', async (t) => {
  const { clock, queue, job } = setUp()
  const first = queue.run('a', job('a', 100))
  const second = queue.run('b', job('b', 100))
  clock.elapse(200)
  for (let turn = 0; turn < 40; turn++) clock.pass(10)
  await first
  t.equal(await second, 1)
})

t.test('a job whose client is gone ends with the next slice', async (t) => {
  const { clock, queue, job } = setUp()
  let isAbandoned = false
  const done = queue.run('a', job('a', 100), () => isAbandoned)
  isAbandoned = true
  clock.pass(10)
  t.equal(await done, 3, 'the end of its first slice')
})

t.test('a step that throws fails its own job only', async (t) => {
  const { clock, queue, job } = setUp()

  function * broken (): Steps<number> {
    throw new Error('a defect')
  }
  const failed = queue.run('a', broken())
  const done = queue.run('b', job('b', 1))
  await t.rejects(failed, { message: 'a defect' })
  for (let turn = 0; turn < 5; turn++) clock.pass(10)
  t.equal(await done, 1)
})
