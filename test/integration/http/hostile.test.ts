import t from 'tap'
import { ADMIT } from '../../../src/admission/verdict.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { anAdmissionServer, aWebhook, testPair } from '../../support/http/admission-server.ts'
import { attack, type Hostility } from '../../support/http/hostile-sockets.ts'
import { reviewLoad } from '../../support/http/review-load.ts'
import { until } from '../../support/until.ts'

const COUNTS = { handshake: 60, headers: 60, body: 60, answer: 10 }
const LIMITS = {
  handshake: 1_000,
  headers: 1_500,
  request: 2_000,
  reading: 2_000,
  sweep: 100,
  unackedBytes: 16 * 1024 * 1024
}
/** In milliseconds; a machine that is busy is late. */
const BORNE: Readonly<Record<Exclude<Hostility, 'answer'>, number>> = {
  handshake: LIMITS.handshake,
  headers: LIMITS.headers,
  body: LIMITS.request
}
const LATE_MS = 8_000

const MIB = 1024 * 1024
const largeAnswers = aWebhook({
  decide: ({ name }) =>
    name === 'large'
      ? { kind: 'patch', operations: [{ op: 'add', path: '/spec', value: 'x'.repeat(6 * MIB) }], warnings: [] }
      : ADMIT
})

t.test('190 connections that finish nothing are each closed in their time, and hold up no review and no memory', async (t) => {
  const { url, connections } = await anAdmissionServer(t, { webhooks: [largeAnswers], limits: LIMITS })
  const ca = testPair.caPem
  const before = process.memoryUsage().rss
  let most = 0
  const sampling = setInterval(() => { most = Math.max(most, process.memoryUsage().rss) }, 20)
  t.teardown(() => { clearInterval(sampling) })
  const honest = reviewLoad({ url, ca, rate: 40 })
  const sockets = await attack({ url, ca, counts: COUNTS, largeReview: aReview({ name: 'large' }), gap: 50 })
  t.teardown(() => { for (const { destroy } of sockets) destroy() })
  for (const [hostility, limit] of Object.entries(BORNE)) {
    const held = await Promise.all(
      sockets.filter((socket) => socket.hostility === hostility).map(async ({ ended }) => await ended)
    )
    t.equal(held.length, 60)
    t.ok(Math.min(...held) > limit - LIMITS.sweep, `${hostility}: not before its time (${Math.min(...held)} ms)`)
    t.ok(Math.max(...held) < limit + LATE_MS, `${hostility}: not long after it (${Math.max(...held)} ms)`)
  }
  const { sent, failed } = await honest.end()
  await until(() => connections.open === 0)
  t.ok(sent >= 20, `${sent} reviews, sent at a fixed rate for as long as the attack lasted`)
  t.strictSame(failed, [])
  for (const { hostility, takeAnswer } of sockets) if (hostility === 'answer') takeAnswer()
  for (const { hostility, ended, received } of sockets) {
    await ended
    if (hostility === 'answer') t.ok(received() < 8 * MIB, 'no answer went out whole')
  }
  t.comment(`memory grew by ${Math.round((most - before) / MIB)} MiB at most`)
  t.ok(most - before < 400 * MIB)
})
