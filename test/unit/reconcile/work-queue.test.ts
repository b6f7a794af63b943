import t from 'tap'
import type { Log } from '../../../src/core/ports.ts'
import { AdaptiveLimit } from '../../../src/reconcile/adaptive-limit.ts'
import { WorkQueue, type WorkQueueOptions, type WorkResult } from '../../../src/reconcile/work-queue.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'

const DONE: WorkResult = { kind: 'done' }

/** A queue whose work the test ends. */
function aQueue ({ concurrency = 2, ...options }: Partial<WorkQueueOptions> & { concurrency?: number } = {}) {
  const clock = new ManualClock()
  const started: string[] = []
  const running = new Map<string, (result: WorkResult) => void>()
  const counts = { added: 0, retried: 0, waited: [] as number[], ran: [] as number[] }
  const queue = new WorkQueue({
    name: 'status',
    limit: new AdaptiveLimit({ clock, first: concurrency, max: concurrency }),
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
    namespaceOf: (key) => key.includes('/') ? key.slice(0, key.indexOf('/')) : '',
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

/** Waits until every scheduled start has happened. */
async function settled (): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => { setImmediate(resolve) })
}

t.test('a key waits once, however often it is added', async (t) => {
  const { queue, started, counts } = aQueue()
  for (const key of ['a', 'b', 'a', 'a']) queue.add(key, 'low')
  queue.add('a', 'high')
  queue.add('a', 'low')
  t.equal(queue.depth, 2)
  queue.start()
  await settled()
  t.strictSame(started, ['a', 'b'])
  t.equal(counts.added, 6)
})

t.test('a key is never processed twice at a time, and processed again once if added meanwhile', async (t) => {
  const { queue, started, end } = aQueue()
  queue.start()
  queue.add('a', 'low')
  await settled()
  queue.add('a', 'low')
  queue.add('a', 'low')
  await settled()
  t.strictSame(started, ['a'])
  await end('a')
  t.strictSame(started, ['a', 'a'])
  await end('a')
  t.strictSame([started, queue.depth], [['a', 'a'], 0])
})

t.test('processes at most `concurrency` keys at a time', async (t) => {
  const { queue, started, end } = aQueue()
  queue.start()
  for (const key of ['a', 'b', 'c', 'd']) queue.add(key, 'low')
  await settled()
  t.strictSame(started, ['a', 'b'])
  await end('b')
  t.strictSame(started, ['a', 'b', 'c'])
})

t.test('processes high priority first, promotes keys, and lets one of low priority pass after sixteen', async (t) => {
  const { queue, started, end } = aQueue({ concurrency: 1 })
  for (const key of ['low-1', 'low-2', 'promoted']) queue.add(key, 'low')
  queue.add('promoted', 'high')
  for (let at = 1; at < 20; at++) queue.add(`high-${at}`, 'high')
  queue.start()
  await settled()
  for (let at = 0; at < 21; at++) await end(started.at(-1) ?? '')
  t.equal(started[0], 'promoted')
  t.equal(started.indexOf('low-1'), 16)
  t.equal(started.indexOf('low-2'), 21)
  t.equal(new Set(started).size, started.length)
})

t.test('a key added with high priority during its work returns with high priority', async (t) => {
  const { queue, started, end } = aQueue({ concurrency: 1 })
  queue.start()
  queue.add('a', 'low')
  await settled()
  queue.add('b', 'low')
  queue.add('a', 'high')
  queue.add('a', 'low')
  await end('a')
  t.strictSame(started, ['a', 'a'])
})

t.test('a failed key backs off exponentially, independent of others, until it succeeds', async (t) => {
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
  queue.add('a', 'low')
  await settled()
  const found: number[] = []
  for (let failure = 0; failure < 12; failure++) found.push(await waits('a', retry))
  t.strictSame(found, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 60_000, 60_000])
  t.equal(counts.retried, 12)
  queue.add('b', 'low')
  await settled()
  t.equal(await waits('b', retry), 100)
  await end('a')
  queue.add('a', 'low')
  await settled()
  await end('b')
  t.equal(await waits('a', retry), 100)
  t.equal(started.filter((key) => key === 'b').length, 2)
})

t.test('an unavailable API server pauses all keys, up to 2 s, and all resume on recovery', async (t) => {
  const { queue, clock, started, end, counts } = aQueue({ concurrency: 1 })
  const unavailable: WorkResult = { kind: 'unavailable', scope: 'server', reason: 'no response', retryAfterMs: 0 }
  for (const key of ['a', 'b', 'c']) queue.add(key, 'low')
  queue.start()
  await settled()
  const found: number[] = []
  for (const key of ['a', 'b', 'c', 'a', 'b', 'c', 'a']) {
    await end(key, unavailable)
    found.push(clock.untilNext)
    clock.pass(clock.untilNext)
    await settled()
  }
  t.strictSame(found, [100, 200, 400, 800, 1_600, 2_000, 2_000], 'one key is tried per pause')
  t.equal(counts.retried, 7)
  for (const key of ['b', 'c', 'a']) await end(key)
  t.strictSame(started.slice(-3), ['b', 'c', 'a'])
  t.strictSame([queue.depth, clock.pending], [0, 0])
  queue.add('d', 'low')
  await settled()
  await end('d', unavailable)
  t.equal(clock.untilNext, 100, 'a success resets the pause')
})

t.test('honors Retry-After up to 30 s, for keys of high priority too', async (t) => {
  for (const [retryAfterMs, wait] of [[1_000, 1_000], [600_000, 30_000]] as const) {
    const { queue, clock, started, end } = aQueue()
    queue.start()
    queue.add('a', 'low')
    await settled()
    await end('a', { kind: 'unavailable', scope: 'server', reason: 'too many requests', retryAfterMs })
    queue.add('b', 'high')
    await settled()
    t.strictSame([started, clock.untilNext], [['a'], wait])
    clock.pass(wait)
    await settled()
    t.strictSame(started, ['a', 'b', 'a'])
  }
})

t.test('a key keeps its high priority over a pause', async (t) => {
  const { queue, clock, started, end } = aQueue({ concurrency: 1 })
  queue.add('a', 'high')
  queue.start()
  await settled()
  queue.add('b', 'low')
  await end('a', { kind: 'unavailable', scope: 'server', reason: 'no response', retryAfterMs: 0 })
  clock.pass(100)
  await settled()
  t.strictSame(started, ['a', 'a'])
})

t.test('failures of concurrent keys count once', async (t) => {
  const { queue, clock, end } = aQueue()
  for (const key of ['a', 'b']) queue.add(key, 'low')
  queue.start()
  await settled()
  const noResponse: WorkResult = { kind: 'unavailable', scope: 'server', reason: 'no response', retryAfterMs: 0 }
  for (const key of ['a', 'b']) await end(key, noResponse)
  t.strictSame([clock.untilNext, clock.pending, queue.depth], [100, 1, 2])
  await queue.stop()
  t.equal(clock.pending, 0)
})

t.test('jitter shortens a backoff by up to half', async (t) => {
  for (const [random, wait] of [[0, 50], [0.5, 75], [1, 100]] as const) {
    const { queue, clock, end } = aQueue({ random: () => random })
    queue.start()
    queue.add('a', 'low')
    await settled()
    await end('a', { kind: 'retry', reason: 'no' })
    t.equal(clock.untilNext, wait)
  }
})

t.test('adding a key ends its backoff', async (t) => {
  const { queue, clock, started, end } = aQueue()
  queue.start()
  queue.add('a', 'low')
  await settled()
  await end('a', { kind: 'retry', reason: 'no' })
  queue.add('a', 'low')
  await settled()
  t.strictSame([started, clock.pending], [['a', 'a'], 0])
})

t.test('`again` is not a failure', async (t) => {
  const { queue, clock, started, end, counts } = aQueue()
  queue.start()
  queue.add('a', 'low')
  await settled()
  await end('a', { kind: 'again', afterMs: 30 })
  clock.pass(29)
  await settled()
  t.equal(started.length, 1)
  clock.pass(1)
  await settled()
  t.strictSame([started.length, counts.retried], [2, 0])
})

t.test('logs a defect, retries it, and logs repeated failures once', async (t) => {
  const lines: string[] = []
  const log: Log = {
    ...silentLog,
    warn: (_, message) => { lines.push(message) },
    error: (_, message) => { lines.push(message) }
  }
  const clock = new ManualClock()
  const { queue, counts } = aQueue({ clock, log, work: async () => await Promise.reject(new Error('a defect')) })
  queue.start()
  queue.add('a', 'low')
  await settled()
  t.strictSame([lines, counts.retried], [['work failed because of a defect, retrying'], 1])
  for (let failure = 1; failure < 5; failure++) {
    clock.pass(clock.untilNext)
    await settled()
  }
  t.equal(lines.filter((line) => line === 'work failed repeatedly, retrying').length, 1)
})

t.test('stop waits for running work, starts no more, and cancels every return', async (t) => {
  const { queue, clock, started, end } = aQueue({ concurrency: 1 })
  queue.start()
  queue.add('failed', 'low')
  await settled()
  await end('failed', { kind: 'retry', reason: 'no' })
  queue.add('a', 'low')
  queue.add('b', 'low')
  await settled()
  let stopped = false
  const stop = queue.stop().then(() => { stopped = true })
  await settled()
  t.equal(stopped, false)
  queue.add('c', 'high')
  await end('a')
  await stop
  t.strictSame([started, clock.pending], [['failed', 'a'], 0])
})

t.test('stop without work resolves at once', async (t) => {
  const { queue } = aQueue()
  queue.start()
  await queue.stop()
  t.equal(queue.depth, 0)
})

t.test('measures times with the clock', async (t) => {
  const { queue, clock, end, counts } = aQueue({ concurrency: 1 })
  queue.start()
  queue.add('a', 'low')
  queue.add('b', 'low')
  await settled()
  clock.pass(40)
  t.strictSame(queue.ages, [40])
  await end('a')
  t.strictSame([counts.waited, counts.ran], [[0, 40], [40]])
})

const SERVER_ERROR: WorkResult = {
  kind: 'unavailable',
  scope: 'object',
  reason: 'the API server returned 500',
  retryAfterMs: 0
}

t.test('namespaces take turns within a priority', async (t) => {
  const { queue, started, end } = aQueue({ concurrency: 1 })
  for (const key of ['evil/1', 'evil/2', 'evil/3', 'ml/1', 'ml/2', 'web/1']) queue.add(key, 'low')
  for (const key of ['evil/high-1', 'evil/high-2', 'ml/high']) queue.add(key, 'high')
  queue.start()
  await settled()
  for (let at = 0; at < 8; at++) await end(started.at(-1) ?? '')
  t.strictSame(started, [
    'evil/high-1', 'ml/high', 'evil/high-2', 'evil/1', 'ml/1', 'web/1', 'evil/2', 'ml/2', 'evil/3'
  ])
})

t.test('a namespace has at most half of the concurrency while another waits', async (t) => {
  const { queue, started, end } = aQueue({ concurrency: 4 })
  for (const key of ['evil/1', 'evil/2', 'evil/3', 'evil/4', 'evil/5']) queue.add(key, 'high')
  for (const key of ['ml/1', 'ml/2', 'ml/3']) queue.add(key, 'low')
  queue.start()
  await settled()
  t.strictSame(started, ['evil/1', 'evil/2', 'ml/1', 'ml/2'])
  await end('ml/1')
  t.equal(started.at(-1), 'ml/3')
  await end('ml/2')
  t.equal(started.at(-1), 'evil/3', 'no other namespace waits')
})

t.test('a namespace of its own uses the whole concurrency, unless its last write failed', async (t) => {
  const { queue, started, end } = aQueue({ concurrency: 4 })
  for (const key of ['evil/1', 'evil/2', 'evil/3', 'evil/4', 'evil/5', 'evil/6', 'evil/7']) queue.add(key, 'low')
  queue.start()
  await settled()
  t.equal(started.length, 4)
  await end('evil/1', SERVER_ERROR)
  await end('evil/2', SERVER_ERROR)
  t.strictSame([started.length, queue.depth], [4, 3])
  await end('evil/3')
  t.equal(started.length, 7)
})

t.test('a failure of one object backs off that object alone', async (t) => {
  const { queue, clock, started, end } = aQueue({ concurrency: 1 })
  for (const key of ['evil/1', 'evil/2', 'ml/1']) queue.add(key, 'low')
  queue.start()
  await settled()
  await end('evil/1', SERVER_ERROR)
  t.strictSame([started, clock.untilNext, clock.pending], [['evil/1', 'ml/1'], 100, 1])
  await end('ml/1')
  t.equal(started.at(-1), 'evil/2')
})

t.test('three failures in a row in a namespace pause that namespace, whose keys keep their place', async (t) => {
  const { queue, clock, started, end } = aQueue({ concurrency: 1 })
  for (const key of ['evil/1', 'evil/2', 'evil/3', 'evil/4']) queue.add(key, 'low')
  queue.start()
  await settled()
  for (const key of ['evil/1', 'evil/2', 'evil/3']) await end(key, SERVER_ERROR)
  t.strictSame([started.length, queue.depth], [3, 2], 'the third one waits behind the fourth')
  queue.add('ml/1', 'low')
  await settled()
  t.equal(started.at(-1), 'ml/1')
  await end('ml/1')
  clock.pass(100)
  await settled()
  t.equal(started.at(-1), 'evil/4')
  const pauses: number[] = []
  for (let at = 0; at < 7; at++) {
    await end(started.at(-1) ?? '', SERVER_ERROR)
    const before = started.length
    let waited = 0
    for (; started.length === before; waited += 100) {
      clock.pass(100)
      await settled()
    }
    pauses.push(waited)
  }
  t.strictSame(pauses, [200, 400, 800, 1_600, 2_000, 2_000, 2_000])
  await end(started.at(-1) ?? '')
  t.ok(started.length > 12, 'a success ends the pause')
})

t.test('failures in several namespaces pause the queue, but others are tried one at a time', async (t) => {
  const { queue, clock, started, end } = aQueue({ concurrency: 2 })
  for (const key of ['evil/1', 'worse/1', 'evil/2', 'worse/2', 'evil/3']) queue.add(key, 'low')
  queue.start()
  await settled()
  for (const key of ['evil/1', 'worse/1', 'evil/2', 'worse/2']) await end(key, SERVER_ERROR)
  t.strictSame([started.length, queue.depth > 0], [4, true])
  for (const key of ['ml/1', 'web/1', 'web/2']) queue.add(key, 'high')
  await settled()
  t.strictSame(started.slice(4), ['ml/1'], 'one at a time')
  await end('ml/1')
  t.strictSame(started.slice(5), ['web/1', 'evil/3'], 'its success ends the pause')
  t.ok(clock.pending > 0)
})

t.test('a success does not end a pause that the API server asked for', async (t) => {
  const { queue, clock, started, end } = aQueue()
  for (const key of ['evil/1', 'ml/1', 'ml/2']) queue.add(key, 'low')
  queue.start()
  await settled()
  await end('evil/1', { kind: 'unavailable', scope: 'server', reason: 'too many requests', retryAfterMs: 5_000 })
  await end('ml/1')
  t.strictSame([started.length, clock.untilNext], [2, 5_000])
  clock.pass(5_000)
  await settled()
  t.strictSame(started.slice(2), ['ml/2', 'evil/1'])
})

t.test('a rejected write pauses no namespace', async (t) => {
  const { queue, started, end } = aQueue({ concurrency: 1 })
  for (const key of ['evil/1', 'evil/2', 'evil/3', 'evil/4', 'evil/5']) queue.add(key, 'low')
  queue.start()
  await settled()
  for (const key of ['evil/1', 'evil/2', 'evil/3', 'evil/4']) await end(key, { kind: 'retry', reason: 'denied' })
  t.equal(started.at(-1), 'evil/5')
})

t.test('queues that share a limit take turns, and share the half of a namespace', async (t) => {
  const clock = new ManualClock()
  const limit = new AdaptiveLimit({ clock, first: 2, max: 2 })
  const [first, second] = [aQueue({ clock, limit }), aQueue({ clock, limit })]
  for (const key of ['evil/1', 'evil/2', 'evil/3']) first.queue.add(key, 'low')
  for (const key of ['evil/4', 'evil/5', 'ml/1']) second.queue.add(key, 'low')
  for (const { queue } of [first, second]) queue.start()
  await settled()
  t.strictSame([first.started, second.started], [['evil/1'], ['ml/1']])
  await second.end('ml/1')
  t.equal(limit.running, 2)
  await first.end('evil/1')
  for (const { started, end } of [first, second, first]) await end(started.at(-1) ?? '')
  t.strictSame([first.started.length, second.started.length], [3, 3])
})

t.test('starts keys evenly spaced, and none in a burst after a pause', async (t) => {
  const clock = new ManualClock()
  const { queue, started, end } = aQueue({ clock, perSecond: 10, concurrency: 9 })
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 10) {
      clock.pass(10)
      await settled()
    }
  }
  queue.start()
  for (const key of ['a', 'b', 'c']) queue.add(key, 'low')
  await settled()
  t.strictSame(started, ['a'])
  await pass(100)
  t.strictSame(started, ['a', 'b'])
  await pass(5_000)
  for (const key of ['d', 'e', 'f']) queue.add(key, 'low')
  await settled()
  t.strictSame(started, ['a', 'b', 'c', 'd'])
  for (const key of ['a', 'b', 'c', 'd']) await end(key)
  await queue.stop()
  t.equal(clock.pending, 0)
})
