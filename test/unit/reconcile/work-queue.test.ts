import t from 'tap'
import type { Log } from '../../../src/core/ports.ts'
import { WorkQueue, type WorkQueueOptions, type WorkResult } from '../../../src/reconcile/work-queue.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'

const DONE: WorkResult = { kind: 'done' }

/** A queue whose work ends when the test says so. */
function aQueue (options: Partial<WorkQueueOptions> = {}) {
  const clock = new ManualClock()
  const started: string[] = []
  const running = new Map<string, (result: WorkResult) => void>()
  const counts = { added: 0, retried: 0, waited: [] as number[], ran: [] as number[] }
  const queue = new WorkQueue({
    name: 'status',
    concurrency: 2,
    work: async (key) => {
      started.push(key)
      return await new Promise<WorkResult>((resolve) => { running.set(key, resolve) })
    },
    observer: {
      onAdd: () => { counts.added++ },
      onStart: (waited) => { counts.waited.push(waited) },
      onEnd: (ran) => { counts.ran.push(ran) },
      onRetry: () => { counts.retried++ }
    },
    clock,
    random: () => 1,
    log: silentLog,
    ...options
  })
  const end = async (key: string, result: WorkResult = DONE): Promise<void> => {
    running.get(key)?.(result)
    running.delete(key)
    await settled()
  }
  return { queue, clock, started, end, counts }
}

/** Once every start that the event loop owes has been made. */
async function settled (): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => { setImmediate(resolve) })
}

t.test('a key that waits is there once, however often it is added', async (t) => {
  const { queue, started, counts } = aQueue()
  for (const key of ['a', 'b', 'a', 'a']) queue.add(key, 'routine')
  queue.add('a', 'urgent')
  queue.add('a', 'routine')
  t.equal(queue.depth, 2)
  queue.start()
  await settled()
  t.strictSame(started, ['a', 'b'])
  t.equal(counts.added, 6)
})

t.test('a key is never worked on twice at once, and what was added meanwhile is worked on afterwards, once', async (t) => {
  const { queue, started, end } = aQueue()
  queue.start()
  queue.add('a', 'routine')
  await settled()
  queue.add('a', 'routine')
  queue.add('a', 'routine')
  await settled()
  t.strictSame(started, ['a'])
  await end('a')
  t.strictSame(started, ['a', 'a'])
  await end('a')
  t.strictSame([started, queue.depth], [['a', 'a'], 0])
})

t.test('no more keys are worked on at once than allowed', async (t) => {
  const { queue, started, end } = aQueue()
  queue.start()
  for (const key of ['a', 'b', 'c', 'd']) queue.add(key, 'routine')
  await settled()
  t.strictSame(started, ['a', 'b'])
  await end('b')
  t.strictSame(started, ['a', 'b', 'c'])
})

t.test('urgent keys go first, and a routine one is promoted, but sixteen in a row let one routine key pass', async (t) => {
  const { queue, started, end } = aQueue({ concurrency: 1 })
  for (const key of ['routine-1', 'routine-2', 'promoted']) queue.add(key, 'routine')
  queue.add('promoted', 'urgent')
  for (let at = 1; at < 20; at++) queue.add(`urgent-${at}`, 'urgent')
  queue.start()
  await settled()
  for (let at = 0; at < 21; at++) await end(started.at(-1) ?? '')
  t.equal(started[0], 'promoted')
  t.equal(started.indexOf('routine-1'), 16)
  t.equal(started.indexOf('routine-2'), 21)
  t.equal(new Set(started).size, started.length)
})

t.test('an urgent addition during the work makes its return urgent', async (t) => {
  const { queue, started, end } = aQueue({ concurrency: 1 })
  queue.start()
  queue.add('a', 'routine')
  await settled()
  queue.add('b', 'routine')
  queue.add('a', 'urgent')
  queue.add('a', 'routine')
  await end('a')
  t.strictSame(started, ['a', 'a'])
})

t.test('a key that fails comes back ever later, each for itself, and starts anew after a success', async (t) => {
  const { queue, clock, started, end, counts } = aQueue()
  const retry: WorkResult = { kind: 'retry', reason: 'no' }
  const waits = async (key: string, result: WorkResult): Promise<number> => {
    await end(key, result)
    const wait = clock.untilNext
    clock.pass(wait)
    await settled()
    return wait
  }
  queue.start()
  queue.add('a', 'routine')
  await settled()
  const found: number[] = []
  for (let failure = 0; failure < 12; failure++) found.push(await waits('a', retry))
  t.strictSame(found, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 60_000, 60_000])
  t.equal(counts.retried, 12)
  queue.add('b', 'routine')
  await settled()
  t.equal(await waits('b', retry), 100)
  await end('a')
  queue.add('a', 'routine')
  await settled()
  await end('b')
  t.equal(await waits('a', retry), 100)
  t.equal(started.filter((key) => key === 'b').length, 2)
})

t.test('where nobody can answer, every key waits, ever longer up to 2 s, and goes on at once when the trouble is over', async (t) => {
  const { queue, clock, started, end, counts } = aQueue({ concurrency: 1 })
  const unavailable: WorkResult = { kind: 'unavailable', reason: 'no answer', retryAfterMs: 0 }
  for (const key of ['a', 'b', 'c']) queue.add(key, 'routine')
  queue.start()
  await settled()
  const found: number[] = []
  for (const key of ['a', 'b', 'c', 'a', 'b', 'c', 'a']) {
    await end(key, unavailable)
    found.push(clock.untilNext)
    clock.pass(clock.untilNext)
    await settled()
  }
  t.strictSame(found, [100, 200, 400, 800, 1_600, 2_000, 2_000], 'one key is tried at a time')
  t.equal(counts.retried, 7)
  for (const key of ['b', 'c', 'a']) await end(key)
  t.strictSame(started.slice(-3), ['b', 'c', 'a'])
  t.strictSame([queue.depth, clock.pending], [0, 0])
  queue.add('d', 'routine')
  await settled()
  await end('d', unavailable)
  t.equal(clock.untilNext, 100, 'a success begins afresh')
})

t.test('a pause that was asked for is kept, up to 30 s, and what is urgent waits for it too', async (t) => {
  for (const [retryAfterMs, wait] of [[1_000, 1_000], [600_000, 30_000]] as const) {
    const { queue, clock, started, end } = aQueue()
    queue.start()
    queue.add('a', 'routine')
    await settled()
    await end('a', { kind: 'unavailable', reason: 'too many requests', retryAfterMs })
    queue.add('b', 'urgent')
    await settled()
    t.strictSame([started, clock.untilNext], [['a'], wait])
    clock.pass(wait)
    await settled()
    t.strictSame(started, ['a', 'b', 'a'])
  }
})

t.test('what was urgent is so when it comes back', async (t) => {
  const { queue, clock, started, end } = aQueue({ concurrency: 1 })
  queue.add('a', 'urgent')
  queue.start()
  await settled()
  queue.add('b', 'routine')
  await end('a', { kind: 'unavailable', reason: 'no answer', retryAfterMs: 0 })
  clock.pass(100)
  await settled()
  t.strictSame(started, ['a', 'a'])
})

t.test('trouble that meets several keys at once counts once', async (t) => {
  const { queue, clock, end } = aQueue()
  for (const key of ['a', 'b']) queue.add(key, 'routine')
  queue.start()
  await settled()
  for (const key of ['a', 'b']) await end(key, { kind: 'unavailable', reason: 'no answer', retryAfterMs: 0 })
  t.strictSame([clock.untilNext, clock.pending, queue.depth], [100, 1, 2])
  await queue.stop()
  t.equal(clock.pending, 0)
})

t.test('the wait is spread over the half below it', async (t) => {
  for (const [random, wait] of [[0, 50], [0.5, 75], [1, 100]] as const) {
    const { queue, clock, end } = aQueue({ random: () => random })
    queue.start()
    queue.add('a', 'routine')
    await settled()
    await end('a', { kind: 'retry', reason: 'no' })
    t.equal(clock.untilNext, wait)
  }
})

t.test('what is added anew does not wait for the end of its backoff, and comes once', async (t) => {
  const { queue, clock, started, end } = aQueue()
  queue.start()
  queue.add('a', 'routine')
  await settled()
  await end('a', { kind: 'retry', reason: 'no' })
  queue.add('a', 'routine')
  await settled()
  t.strictSame([started, clock.pending], [['a', 'a'], 0])
})

t.test('work that is to be gone on with later is no failure', async (t) => {
  const { queue, clock, started, end, counts } = aQueue()
  queue.start()
  queue.add('a', 'routine')
  await settled()
  await end('a', { kind: 'again', afterMs: 30 })
  clock.pass(29)
  await settled()
  t.equal(started.length, 1)
  clock.pass(1)
  await settled()
  t.strictSame([started.length, counts.retried], [2, 0])
})

t.test('a defect is told, and tried again; a failure is told when it keeps coming', async (t) => {
  const lines: string[] = []
  const log: Log = {
    ...silentLog,
    warn: (_, sentence) => { lines.push(sentence) },
    error: (_, sentence) => { lines.push(sentence) }
  }
  const clock = new ManualClock()
  const { queue, counts } = aQueue({ clock, log, work: async () => await Promise.reject(new Error('a defect')) })
  queue.start()
  queue.add('a', 'routine')
  await settled()
  t.strictSame([lines, counts.retried], [['work failed because of a defect, and is tried again'], 1])
  for (let failure = 1; failure < 5; failure++) {
    clock.pass(clock.untilNext)
    await settled()
  }
  t.equal(lines.filter((line) => line === 'work keeps failing and is tried again').length, 1)
})

t.test('a stop waits for the work that is on its way, starts nothing more, and calls off every return', async (t) => {
  const { queue, clock, started, end } = aQueue({ concurrency: 1 })
  queue.start()
  queue.add('failed', 'routine')
  await settled()
  await end('failed', { kind: 'retry', reason: 'no' })
  queue.add('a', 'routine')
  queue.add('b', 'routine')
  await settled()
  let stopped = false
  const stop = queue.stop().then(() => { stopped = true })
  await settled()
  t.equal(stopped, false)
  queue.add('c', 'urgent')
  await end('a')
  await stop
  t.strictSame([started, clock.pending], [['failed', 'a'], 0])
})

t.test('a stop without work resolves at once', async (t) => {
  const { queue } = aQueue()
  queue.start()
  await queue.stop()
  t.equal(queue.depth, 0)
})

t.test('times are measured by the clock', async (t) => {
  const { queue, clock, end, counts } = aQueue({ concurrency: 1 })
  queue.start()
  queue.add('a', 'routine')
  queue.add('b', 'routine')
  await settled()
  clock.pass(40)
  t.strictSame(queue.ages, [40])
  await end('a')
  t.strictSame([counts.waited, counts.ran], [[0, 40], [40]])
})
