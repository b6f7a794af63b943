import t from 'tap'
import { ADMIT } from '../../../src/admission/verdict.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { anAdmissionServer, aWebhook, testPair } from '../../support/http/admission-server.ts'
import { attack, type Hostility } from '../../support/http/hostile-sockets.ts'
import { reviewLoad } from '../../support/http/review-load.ts'
import { until } from '../../support/until.ts'

const COUNTS = { handshake: 60, headers: 60, body: 60, answer: 10 }
const LIMITS = {
  handshakeMs: 1_000,
  headersMs: 1_500,
  requestMs: 2_000,
  responseMs: 2_000,
  sweepMs: 100,
  unackedBytes: 16 * 1024 * 1024
}
/** Time limits, in milliseconds. */
const TIME_LIMITS: Readonly<Record<Exclude<Hostility, 'answer'>, number>> = {
  handshake: LIMITS.handshakeMs,
  headers: LIMITS.headersMs,
  body: LIMITS.requestMs
}
const MIB = 1024 * 1024
const largeAnswers = aWebhook({
  decide: ({ name }) =>
    name === 'large'
      ? { kind: 'patch', operations: [{ op: 'add', path: '/spec', value: 'x'.repeat(6 * MIB) }], warnings: [] }
      : ADMIT
})

t.test('closes 190 stalling connections in time, and still serves reviews in bounded memory', async (t) => {
  const { url, connections } = await anAdmissionServer(t, { webhooks: [largeAnswers], limits: LIMITS })
  const ca = testPair.caPem
  const before = process.memoryUsage().rss
  let most = 0
  const sampling = setInterval(() => { most = Math.max(most, process.memoryUsage().rss) }, 20)
  t.teardown(() => { clearInterval(sampling) })
  const honest = reviewLoad({ url, ca, rate: 40 })
  const sockets = await attack({ url, ca, counts: COUNTS, largeReview: aReview({ name: 'large' }), gap: 50 })
  t.teardown(() => { for (const { destroy } of sockets) destroy() })
  for (const [hostility, limit] of Object.entries(TIME_LIMITS)) {
    const held = await Promise.all(
      sockets.filter((socket) => socket.hostility === hostility).map(async ({ ended }) => await ended)
    )
    t.equal(held.length, 60)
    t.ok(Math.min(...held) > limit - LIMITS.sweepMs, `${hostility}: not before its time (${Math.min(...held)} ms)`)
  }
  const { sent, failed } = await honest.end()
  await until(() => connections.open === 0)
  t.ok(sent >= 20, `${sent} reviews at a fixed rate during the attack`)
  t.strictSame(failed, [])
  for (const { hostility, takeAnswer } of sockets) if (hostility === 'answer') takeAnswer()
  for (const { hostility, ended, received } of sockets) {
    await ended
    if (hostility === 'answer') t.ok(received() < 8 * MIB, 'no response was sent to its end')
  }
  t.comment(`memory grew by ${Math.round((most - before) / MIB)} MiB at most`)
  t.ok(most - before < 400 * MIB)
})
