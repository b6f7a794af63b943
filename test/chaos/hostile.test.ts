import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { leaveServerCore, startServer } from '../../bench/support/measured-server.ts'
import { aWorkplace, shippedProgram } from '../../bench/support/product.ts'
import { percentile } from '../../bench/support/statistics.ts'
import type { Order } from '../support/http/attacker.ts'
import type { Hostility } from '../support/http/hostile-sockets.ts'
import type { LoadOrder } from '../support/http/load-process.ts'
import { endWithUs } from '../support/processes.ts'
import type { ReviewsAnswered } from '../support/http/review-load.ts'

/** 2,000 in all; with the honest ones, just fewer than one address may have. */
const COUNTS: Readonly<Record<Hostility, number>> = { handshake: 660, headers: 660, body: 660, answer: 20 }
const NONE: typeof COUNTS = { handshake: 0, headers: 0, body: 0, answer: 0 }
/** Honest reviews a second. */
const RATE = 100
/** Node flags of the load: short garbage collections, which do not count as the server's. */
const LOAD_FLAGS = ['--single-threaded-gc', '--max-semi-space-size=1'] as const
/** Until everything that is used at all has been used and compiled. */
const WARM_UP_MS = 10_000
const IDLE_MS = 20_000
/** The time in which the sockets of one kind connect. */
const COMING_MS = 5_000
/** Longer than any of them is borne. */
const HELD_MS = 35_000
const MOST_TIMES_IDLE = 3
/** While those of one kind come, which are a few seconds. */
const MOST_TIMES_IDLE_AT_ONCE = 10
/**
 * MiB: bodies and answers hold 64 each, twice over where they are encrypted; the rest is connections, and what is not
 * yet collected.
 */
const MOST_MEMORY = 768

t.test('2,000 connections that finish nothing keep no review from being answered, and the memory is bounded', { timeout: 240_000 }, async (t) => {
  const workplace = await aWorkplace()
  t.teardown(workplace.remove)
  const pair = ['--cert-file', workplace.certFile, '--key-file', workplace.keyFile]
  await leaveServerCore()
  const server = await startServer({
    name: 'product',
    args: [
      ...(await shippedProgram()),
      'serve',
      '--manifests',
      'deploy/examples',
      '--port',
      '0',
      '--probe-port',
      '0',
      ...pair
    ]
  })
  t.teardown(server.stop)
  const attacker = fork(path.join(import.meta.dirname, '../support/http/attacker.ts'))
  endWithUs(attacker)
  const load = fork(path.join(import.meta.dirname, '../support/http/load-process.ts'), { execArgv: [...LOAD_FLAGS] })
  endWithUs(load)
  const answered = async (order: LoadOrder): Promise<ReviewsAnswered> => {
    load.send(order)
    const [reviews] = await once(load, 'message') as [ReviewsAnswered] // as the process sends it
    return reviews
  }
  load.send({ url: server.url.href, ca: workplace.ca, rate: RATE } satisfies LoadOrder)
  await delay(WARM_UP_MS)
  await answered('take')
  await delay(IDLE_MS)
  const idle = await answered('take')
  t.comment(report('idle', idle))
  const before = server.resident()
  let most = before
  const sampling = setInterval(() => { most = Math.max(most, server.resident()) }, 100)
  t.teardown(() => { clearInterval(sampling) })

  const timesIdle = ({ latencies }: ReviewsAnswered): number =>
    percentile(latencies, 0.99) / percentile(idle.latencies, 0.99)
  const latencies: number[] = []
  const look = async (what: string): Promise<void> => {
    const reviews = await answered('take')
    t.strictSame(reviews.failed, [], what)
    t.comment(report(what, reviews))
    t.ok(
      timesIdle(reviews) < MOST_TIMES_IDLE_AT_ONCE,
      `p99 ${timesIdle(reviews).toFixed(1)} times that of idle ${what}`
    )
    latencies.push(...reviews.latencies)
  }
  for (const hostility of Object.keys(COUNTS) as Hostility[]) { // as its type says
    const coming = delay(COMING_MS)
    attacker.send({
      url: server.url.href,
      ca: workplace.ca,
      counts: { ...NONE, [hostility]: COUNTS[hostility] },
      gap: 1_000
    } satisfies Order)
    t.equal((await once(attacker, 'message'))[0], COUNTS[hostility], 'every socket was admitted')
    await coming
    await look(`while ${COUNTS[hostility]} that finish no ${hostility} come`)
  }
  await delay(HELD_MS)
  await look('while they are held')
  t.strictSame((await answered('end')).failed, [])
  const all: ReviewsAnswered = {
    sent: latencies.length,
    failed: [],
    latencies: latencies.sort((one, other) => one - other)
  }
  t.comment(report('in all', all))
  t.ok(timesIdle(all) < MOST_TIMES_IDLE, `p99 ${timesIdle(all).toFixed(1)} times that of idle in all`)
  t.comment(`memory: ${Math.round(before)} MiB before, ${Math.round(most)} MiB at most`)
  t.ok(most < MOST_MEMORY)
  for (const each of [attacker, load]) each.kill('SIGKILL')
})

function report (when: string, { sent, latencies }: ReviewsAnswered): string {
  const quantile = (share: number): string => percentile(latencies, share).toFixed(1)
  return `${when}: ${sent} reviews, p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms, at most ${quantile(1)} ms`
}
