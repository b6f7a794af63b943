import t from 'tap'
import { AdaptiveLimit, measuredWriter } from '../../../src/reconcile/adaptive-limit.ts'
import { AIM_SERVICE } from '../../../src/api/kinds.ts'
import type { Unavailable, WriteResult } from '../../../src/core/ports.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'

/** CPU of one service in milliseconds, as measured on two shared cores with kube-apiserver, etcd, and `serve`. */
const ADMISSION_MS = 5.1 + 0.4 + 0.8
const STATUS_MS = 2.9 + 0.3 + 0.15
const APPLY_MS = 2.3 + 0.3 + 0.9
/** Of the client and of the network. */
const CLIENT_MS = 0.5

interface Period { readonly from: number, readonly to: number }

interface Simulated {
  readonly cores: number
  /** Simulated milliseconds. */
  readonly ms: number
  /** Services that users apply per second. */
  readonly users?: number
  /** Undefined: no rollout. A number: a fixed concurrency. */
  readonly limits: ReadonlyArray<AdaptiveLimit | number>
  readonly clock?: ManualClock
  /** How many times slower the API server is. */
  readonly slowness?: (now: number) => number
  /** The API server rejects every write with 429. */
  readonly storm?: Period
  readonly writes?: ReadonlyArray<'triggerAdmission' | 'applyStatus'>
}

interface Job { readonly work: number, readonly since: number, readonly done: (ms: number) => void }

const PAIR = ['triggerAdmission', 'applyStatus'] as const
const WORK = { triggerAdmission: ADMISSION_MS + CLIENT_MS, applyStatus: STATUS_MS + CLIENT_MS }
const RETRY_AFTER_MS = 1_000

/** A rollout against an API server with `cores` and one queue. Each service is two writes in a row. */
function simulate ({ cores, ms, users = 0, limits, slowness = () => 1, storm, ...options }: Simulated) {
  const clock = options.clock ?? new ManualClock()
  const writes = options.writes ?? PAIR
  const random = randomFrom(7)
  const start = clock.now()
  const end = start + ms
  const waiting: Job[] = []
  const userMs: Array<{ readonly at: number, readonly ms: number }> = []
  const seen: Array<{ readonly at: number, readonly limits: number[] }> = []
  const ended: number[] = []
  let busy = 0
  const elapsed = (): number => clock.now() - start
  const serve = (): void => {
    while (busy < cores && waiting.length > 0) {
      const job = waiting.shift()
      if (job === undefined) return
      busy++
      // an Erlang distribution: CPU of requests varies less than exponentially
      const share = -Math.log((1 - random()) * (1 - random()) * (1 - random()) * (1 - random())) / 4
      clock.setTimeout(job.work * share * slowness(elapsed()), () => {
        busy--
        job.done(clock.now() - job.since)
        serve()
      })
    }
  }
  const send = (work: number, done: Job['done']): void => {
    waiting.push({ work, since: clock.now(), done })
    serve()
  }
  const arrive = (): void => {
    clock.setTimeout(-Math.log(1 - random()) * 1_000 / users, () => {
      const at = elapsed()
      send(APPLY_MS + CLIENT_MS, (took) => { userMs.push({ at, ms: took }) })
      arrive()
    })
  }
  if (users > 0) arrive()
  for (const limit of limits) {
    let pausedUntil = 0
    let running = 0
    const isFree = (): boolean => typeof limit === 'number' ? running < limit : limit.isFree
    const next = (): void => {
      while (isFree() && clock.now() >= pausedUntil && clock.now() < end) {
        running++
        if (typeof limit !== 'number') limit.take('default')
        step(0)
      }
    }
    const finish = (): void => {
      running--
      if (typeof limit === 'number') next()
      else limit.release('default')
    }
    const step = (at: number): void => {
      const write = writes[at]
      if (write === undefined) {
        ended.push(elapsed())
        finish()
        return
      }
      if (storm !== undefined && elapsed() >= storm.from && elapsed() < storm.to) {
        clock.setTimeout(1, () => {
          if (typeof limit !== 'number') limit.overloaded()
          pausedUntil = clock.now() + RETRY_AFTER_MS
          clock.setTimeout(RETRY_AFTER_MS, next)
          finish()
        })
        return
      }
      send(WORK[write], (took) => {
        if (typeof limit !== 'number') limit.succeeded(write, took)
        step(at + 1)
      })
    }
    if (typeof limit !== 'number') limit.onRelease(next)
    next()
  }
  const watch = (): void => {
    seen.push({ at: elapsed(), limits: limits.map((limit) => typeof limit === 'number' ? limit : limit.current) })
    clock.setTimeout(100, watch)
  }
  watch()
  for (let passed = 0; passed < ms; passed += 100) clock.pass(100)
  const within = ({ at }: { readonly at: number }, { from, to }: Period): boolean => at >= from && at < to
  const all = { from: 0, to: ms }
  return {
    perSecond: ({ from, to }: Period = all): number =>
      ended.filter((at) => at >= from && at < to).length * 1_000 / (to - from),
    userQuantile: (share: number, period: Period = all): number =>
      userMs.filter((each) => within(each, period)).map((each) => each.ms)
        .sort((a, b) => a - b).at(Math.floor(share * userMs.filter((each) => within(each, period)).length)) ?? 0,
    /** The mean limit of one rollout. */
    limit: (period: Period, which = 0): number => {
      const found = seen.filter((each) => within(each, period)).map((each) => each.limits[which] ?? 0)
      return found.reduce((sum, each) => sum + each, 0) / found.length
    }
  }
}

/** Pseudo-random numbers from 0 to 1. Source: mulberry32. */
function randomFrom (seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6D2B79F5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function aLimit (max = 64) {
  const clock = new ManualClock()
  return { clock, limit: new AdaptiveLimit({ clock, max }) }
}

/** Services per second that the cores allow. */
function capacity (cores: number): number {
  return cores * 1_000 / (WORK.triggerAdmission + WORK.applyStatus)
}

const RUN_MS = 12_000

t.test('the model meets what was measured with four writes at once on two cores', (t) => {
  const measured = { triggerAdmission: 290, applyStatus: 490 }
  for (const write of PAIR) {
    const { perSecond } = simulate({ cores: 2, ms: 20_000, limits: [4], writes: [write] })
    t.ok(Math.abs(perSecond() / measured[write] - 1) < 0.1, `${write}: ${perSecond()} of ${measured[write]} per second`)
  }
  t.end()
})

const servers: Record<number, { readonly p50: number, readonly p99: number }> = {
  2: { p50: 2.5, p99: 2 }, // four writes at once, as in the floor: 3
  8: { p50: 2, p99: 1.5 },
  32: { p50: 1.5, p99: 1.5 }
}
for (const [cores, { p50, p99 }] of Object.entries(servers)) {
  t.test(`uses an API server with ${cores} cores, and leaves room for its users`, (t) => {
    const { clock, limit } = aLimit()
    const quiet = simulate({ cores: Number(cores), ms: RUN_MS, users: 10, limits: [] })
    const { perSecond, userQuantile } = simulate({
      cores: Number(cores), ms: RUN_MS, users: 10, limits: [limit], clock
    })
    const settled = { from: 3_000, to: RUN_MS }
    const share = perSecond(settled) / capacity(Number(cores))
    t.ok(share >= 0.9, `${share.toFixed(2)} of its capacity`)
    for (const [quantile, most] of [[0.5, p50], [0.99, p99]] as const) {
      const ratio = userQuantile(quantile, settled) / quiet.userQuantile(quantile)
      t.ok(ratio <= most, `users at ${quantile}: ${ratio.toFixed(2)} × of rest`)
    }
    t.end()
  })
}

t.test('starts low, also after a restart, and needs two seconds to use 32 cores', (t) => {
  for (let restart = 0; restart < 2; restart++) {
    const { clock, limit } = aLimit()
    t.equal(limit.current, 2)
    const run = simulate({ cores: 32, ms: 4_000, limits: [limit], clock })
    t.ok(run.limit({ from: 2_000, to: 4_000 }) > 25)
  }
  t.end()
})

t.test('shrinks when the API server becomes slow, and grows again', (t) => {
  const { clock, limit } = aLimit()
  const slowness = (at: number): number => at >= 10_000 && at < 20_000 ? 4 : 1
  const run = simulate({ cores: 8, ms: 40_000, limits: [limit], clock, slowness })
  const before = run.limit({ from: 5_000, to: 10_000 })
  const during = run.limit({ from: 12_000, to: 20_000 })
  const after = run.limit({ from: 30_000, to: 40_000 })
  t.ok(during < before / 2, `${before} before, ${during} while it is slow`)
  t.ok(after > before * 0.8, `${after} after`)
  t.end()
})

t.test('halves for each round of 429, and recovers after the storm', (t) => {
  const { clock, limit } = aLimit()
  const run = simulate({ cores: 8, ms: 20_000, limits: [limit], clock, storm: { from: 5_000, to: 11_000 } })
  t.ok(run.limit({ from: 4_000, to: 5_000 }) > 6)
  t.ok(run.limit({ from: 9_000, to: 11_000 }) <= 2)
  t.equal(run.perSecond({ from: 6_000, to: 11_000 }), 0)
  t.ok(run.perSecond({ from: 15_000, to: 20_000 }) > 0.9 * capacity(8))
  t.end()
})

t.test('shares an API server with a second rollout', (t) => {
  const { clock, limit } = aLimit()
  const other = new AdaptiveLimit({ clock, max: 64 })
  const run = simulate({ cores: 8, ms: 20_000, limits: [limit, other], clock })
  const settled = { from: 5_000, to: 20_000 }
  t.ok(run.perSecond(settled) > 0.9 * capacity(8))
  const [a, b] = [run.limit(settled, 0), run.limit(settled, 1)]
  t.ok(Math.max(a, b) < 3 * Math.min(a, b), `${a} and ${b}`)
  t.end()
})

t.test('yields to the load of users', (t) => {
  const { clock, limit } = aLimit()
  const users = 1_200 // they need more than half of the cores
  const quiet = simulate({ cores: 8, ms: RUN_MS, users, limits: [] })
  const alone = simulate({ cores: 8, ms: RUN_MS, limits: [limit], clock }).limit({ from: 3_000, to: RUN_MS })
  const run = simulate({ cores: 8, ms: RUN_MS, users, limits: [limit], clock })
  const settled = { from: 3_000, to: RUN_MS }
  const beside = run.limit(settled)
  const ratio = run.userQuantile(0.5, settled) / quiet.userQuantile(0.5)
  t.ok(beside < 0.75 * alone, `${alone} alone, ${beside} beside users`)
  t.ok(ratio < 2, `users at 0.5: ${ratio} × of rest`)
  t.end()
})

/** Windows of writes that took so long, each with all places in use. */
function windows (limit: AdaptiveLimit, count: number, ms: (sample: number) => number): void {
  for (let window = 0; window < count; window++) {
    const taken = Math.max(0, limit.current - limit.running)
    for (let place = 0; place < taken; place++) limit.take('ml')
    for (let sample = 0; sample < Math.max(16, limit.current); sample++) limit.succeeded('applyStatus', ms(sample))
    for (let place = 0; place < taken; place++) limit.release('ml')
  }
}

t.test('does not grow while it is not reached, and never beyond its maximum or below two', (t) => {
  const { limit } = aLimit(5)
  for (let sample = 0; sample < 1_000; sample++) limit.succeeded('applyStatus', 3)
  t.equal(limit.current, 2)
  windows(limit, 100, () => 3)
  t.equal(limit.current, 5)
  windows(limit, 100, () => 300)
  t.equal(limit.current, 2)
  for (let reject = 0; reject < 20; reject++) limit.overloaded()
  t.equal(limit.current, 2)
  t.end()
})

t.test('ignores slow writes of a minority, such as those of a tenant with a slow webhook', (t) => {
  const { limit } = aLimit()
  windows(limit, 60, () => 3)
  const before = limit.current
  windows(limit, 60, (sample) => sample % 3 === 0 ? 9_000 : 3)
  t.ok(limit.current >= before)
  t.strictSame([...limit.floors], [['applyStatus', 3]])
  t.end()
})

t.test('measures a floor at half the limit, not with the queue that the limit causes', (t) => {
  const { limit } = aLimit()
  windows(limit, 60, () => 3)
  for (let place = 0; place < 64; place++) limit.take('ml')
  const send = (): void => { limit.succeeded('triggerAdmission', 2 * limit.current) }
  const before = limit.current
  for (let sample = 0; sample < 64; sample++) send()
  for (let place = 0; place < 64; place++) limit.release('ml') // the writes that ran before the limit was halved
  for (let sample = 0; sample < 64; sample++) send()
  t.equal(limit.floors.get('triggerAdmission'), 2 * Math.floor(before / 2))
  t.end()
})

t.test('has a limit also if writes take no measurable time', (t) => {
  const { limit } = aLimit()
  windows(limit, 100, () => 0)
  t.ok(limit.current > 2)
  t.end()
})

t.test('counts the rejections of writes that ran at the same time once', (t) => {
  const { limit } = aLimit()
  windows(limit, 100, () => 3)
  const before = limit.current
  for (let place = 0; place < 4; place++) limit.take('ml')
  for (let place = 0; place < 4; place++) {
    limit.overloaded()
    limit.release('ml')
  }
  t.equal(limit.current, Math.floor(before / 2))
  t.end()
})

t.test('follows the writes that succeed and those that the API server rejects', async (t) => {
  const { clock, limit } = aLimit()
  const results: Array<WriteResult | Unavailable> = []
  const send = async (): Promise<WriteResult | Unavailable> => {
    clock.elapse(4)
    return await Promise.resolve(results.shift() ?? { kind: 'written', object: {} })
  }
  const writer = measuredWriter({ applyStatus: send, triggerAdmission: send }, limit, clock)
  const key = { namespace: 'ml', name: 'a' }
  const target = { kind: AIM_SERVICE, key, uid: 'u', version: '1' }
  for (const kind of ['gone', 'conflict'] as const) results.push({ kind })
  results.push({ kind: 'unavailable', scope: 'object', reason: 'timeout', retryAfterMs: 0 })
  const samples = 2 * 16 // the second window measures the floor
  for (let write = 0; write < 3 + samples - 1; write++) await writer.applyStatus(target, {})
  t.equal(limit.floors.size, 0, 'failures are no samples')
  await writer.triggerAdmission(key)
  t.strictSame([...limit.floors], [['applyStatus', 4]])
  t.equal(limit.current, 2)
  results.push({ kind: 'unavailable', scope: 'server', reason: 'too many requests', retryAfterMs: 1_000 })
  await writer.triggerAdmission(key)
  t.equal(limit.current, 2)
})
