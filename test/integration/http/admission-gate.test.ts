import t from 'tap'
import { aReview } from '../../support/builders/a-review.ts'
import { aWebhook, anAdmissionServer } from '../../support/http/admission-server.ts'
import { headOf, rawRequest } from '../../support/http/raw-request.ts'
import { untilClosed } from '../../support/cluster/api-server-client.ts'
import { until } from '../../support/until.ts'

const TRY_AGAIN = { status: 503, headers: { 'retry-after': '1', connection: 'close' }, body: { error: /try again/ } }

t.test('sheds requests until the caches are filled', async (t) => {
  let why: string | undefined = 'AIMService: not listed yet, https://secret.example'
  const { client, metricLines } = await anAdmissionServer(t, { notReady: () => why })
  const before = await client.post(aReview())
  t.match(before, { ...TRY_AGAIN, connection: 1 })
  t.notMatch(JSON.stringify(before.body), /secret/, 'only /readyz says why')
  why = undefined
  t.match(await client.post(aReview()), { status: 200, connection: 2 })
  t.match(await metricLines('aim_admission_requests_total'), [
    'aim_admission_requests_total{webhook="mutate-aimservices",operation="UNKNOWN",outcome="unavailable",dry_run="false"} 1', /outcome="allowed"/
  ])
})

t.test('reads a large review to its end before the 503, so that no reset loses the response', async (t) => {
  const { client } = await anAdmissionServer(t, { notReady: () => 'not yet' })
  for (let at = 0; at < 10; at++) {
    t.match(await client.post(aReview({ padding: 'x'.repeat(4 * 1024 * 1024) })), TRY_AGAIN)
  }
})

t.test('sheds reviews beyond the limit in flight', async (t) => {
  const waits: Array<() => void> = []
  const webhook = aWebhook({
    waitForConfig: async () => {
      await new Promise<void>((resolve) => {
        waits.push(resolve)
      })
    }
  })
  const { client, gate } = await anAdmissionServer(t, { webhooks: [webhook], maxInFlight: 1 })
  const socket = await client.connect()
  socket.write(rawRequest(aReview(), `${headOf()}connection: close\r\n`))
  await until(() => waits.length === 1)
  t.match(await client.post(aReview()), TRY_AGAIN)
  waits[0]?.()
  t.match(await untilClosed(socket), /^HTTP\/1\.1 200 /, 'the review in flight gets its response')
  await until(() => gate.inFlight === 0)
})

t.test('while draining, judges reviews and closes each connection', async (t) => {
  const waits: Array<() => void> = []
  const webhook = aWebhook({
    waitForConfig: async ({ name }) => {
      if (name === 'waits') {
        await new Promise<void>((resolve) => { waits.push(resolve) })
      }
    }
  })
  const { client, gate } = await anAdmissionServer(t, { webhooks: [webhook] })
  const inFlight = client.post(aReview({ name: 'waits' }))
  await until(() => waits.length === 1)
  gate.drain()
  t.match(gate.notReadyReason(), /shutting down/)
  waits[0]?.()
  t.match(await inFlight, { status: 200, headers: { connection: 'close' } }, 'also for the earlier review')
  t.match(await client.post(aReview()), { status: 200, headers: { connection: 'close' }, connection: 2 })
  t.match(await client.call({ path: '/nowhere' }), { status: 404, headers: { connection: 'close' } })
  gate.close()
  t.match(await client.post(aReview()), TRY_AGAIN)
})
