import t from 'tap'
import { deadlineOf } from '../../../src/server/deadline.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { aWebhook, anAdmissionServer } from '../../support/http/admission-server.ts'
import { headOf, rawRequest } from '../../support/http/raw-request.ts'
import { untilClosed } from '../../support/cluster/api-server-client.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { until } from '../../support/until.ts'

const deadlines: Record<string, { timeout: unknown, respondBy: number, end: number }> = {
  seconds: { timeout: '5s', respondBy: 3_500, end: 5_000 },
  milliseconds: { timeout: '1500ms', respondBy: 1_050, end: 1_500 },
  'more than the API server allows': { timeout: '1m', respondBy: 21_000, end: 30_000 },
  none: { timeout: undefined, respondBy: 7_000, end: 10_000 },
  'not a number': { timeout: 'abc', respondBy: 7_000, end: 10_000 },
  'a negative number': { timeout: '-1s', respondBy: 7_000, end: 10_000 },
  zero: { timeout: '0s', respondBy: 7_000, end: 10_000 },
  'no unit': { timeout: '5', respondBy: 7_000, end: 10_000 },
  'an inherited name as unit': { timeout: '5constructor', respondBy: 7_000, end: 10_000 },
  'two values': { timeout: ['1s', '2s'], respondBy: 7_000, end: 10_000 }
}

for (const [name, { timeout, respondBy, end }] of Object.entries(deadlines)) {
  t.test(`a deadline of ${name}`, async (t) => {
    t.strictSame(deadlineOf(timeout, 100), { respondBy: 100 + respondBy, end: 100 + end })
  })
}

/** A webhook whose reviews wait for the test. */
function waitingWebhook () {
  const waits: Array<{
    readonly signal: AbortSignal
    readonly arrive: () => void
    readonly fail: (error: Error) => void
  }> = []
  return {
    waits,
    webhook: aWebhook({
      waitForConfig: async (_request, signal) => {
        await new Promise<void>((resolve, reject) => {
          waits.push({ signal: signal(), arrive: resolve, fail: reject })
        })
      }
    })
  }
}

t.test('a review waits for its configuration', async (t) => {
  const { waits, webhook } = waitingWebhook()
  const { client, gate, metricLines } = await anAdmissionServer(t, { webhooks: [webhook] })
  const reply = client.post(aReview())
  await until(() => waits.length === 1)
  t.equal(gate.inFlight, 1)
  t.strictSame(await metricLines('aim_admission_requests_in_flight'), ['aim_admission_requests_in_flight 1'])
  waits[0]?.arrive()
  t.match(await reply, { status: 200 })
  await until(() => gate.inFlight === 0)
})

t.test('a wait ends with a 503 well before the deadline, and is aborted', async (t) => {
  const { waits, webhook } = waitingWebhook()
  const clock = new ManualClock()
  const { client, metricLines, logged } = await anAdmissionServer(t, { webhooks: [webhook], clock })
  const reply = client.post(aReview(), '/mutate/aimservices?timeout=1s')
  await until(() => waits.length === 1)
  clock.pass(699)
  t.equal(waits[0]?.signal.aborted, false)
  clock.pass(1)
  t.match(await reply, {
    status: 503,
    headers: { 'retry-after': '1', connection: 'close' },
    body: { error: /deadline/ }
  })
  t.equal(waits[0]?.signal.aborted, true)
  t.strictSame(await metricLines('aim_admission_deadline_exceeded_total'), ['aim_admission_deadline_exceeded_total 1'])
  t.match((await metricLines('aim_admission_requests_total')).join(), /outcome="unavailable",dry_run="false"} 1/)
  t.match(logged(), [{ level: 40, outcome: 'unavailable' }])
})

t.test('a wait that rejects is a defect', async (t) => {
  const { waits, webhook } = waitingWebhook()
  const { client } = await anAdmissionServer(t, { webhooks: [webhook] })
  const reply = client.post(aReview())
  await until(() => waits.length === 1)
  waits[0]?.fail(new Error('broken'))
  t.match(await reply, { status: 500 })
})

t.test('a client that disconnects ends the wait', async (t) => {
  const { waits, webhook } = waitingWebhook()
  const { client, gate, metricLines } = await anAdmissionServer(t, { webhooks: [webhook] })
  const socket = await client.connect()
  socket.write(rawRequest(aReview()))
  await until(() => waits.length === 1)
  socket.destroy()
  await until(() => gate.inFlight === 0 && waits[0]?.signal.aborted === true)
  t.strictSame(await metricLines('aim_admission_deadline_exceeded_total'), ['aim_admission_deadline_exceeded_total 0'])
})

t.test('reviews beyond the limit of waiting ones are judged at once', async (t) => {
  const { waits, webhook } = waitingWebhook()
  const { client, gate } = await anAdmissionServer(t, { webhooks: [webhook], limits: { waitingReviews: 1 } })
  const socket = await client.connect()
  socket.write(rawRequest(aReview()))
  await until(() => waits.length === 1)
  t.match(await client.post(aReview()), { status: 200 })
  t.equal(waits.length, 1)
  waits[0]?.arrive()
  socket.end()
  await until(() => gate.inFlight === 0)
})

const late: Record<string, { timeout: string, want: RegExp }> = {
  'after respondBy gets a 503': { timeout: '600ms', want: /^HTTP\/1\.1 503 [^]*retry-after: 1\r\n/ },
  'after the deadline gets no response': { timeout: '100ms', want: /^$/ }
}

for (const [name, { timeout, want }] of Object.entries(late)) {
  t.test(`a body that is complete ${name}`, async (t) => {
    const clock = new ManualClock()
    const { client, arriving } = await anAdmissionServer(t, { clock })
    const socket = await client.connect()
    socket.write(`${headOf(`/mutate/aimservices?timeout=${timeout}`)}content-length: ${aReview().length}\r\n\r\n`)
    await until(() => arriving() === 1)
    clock.pass(450)
    socket.write(aReview())
    t.match(await untilClosed(socket), want)
  })
}

t.test('sends no response after the deadline', async (t) => {
  const clock = new ManualClock()
  const decide = () => {
    clock.pass(30)
    return { kind: 'admit', warnings: [] } as const
  }
  const { client, metricLines } = await anAdmissionServer(t, { webhooks: [aWebhook({ decide })], clock })
  await t.rejects(client.post(aReview(), '/mutate/aimservices?timeout=20ms'), { code: 'ECONNRESET' })
  t.strictSame(await metricLines('aim_admission_deadline_exceeded_total'), ['aim_admission_deadline_exceeded_total 1'])
})
