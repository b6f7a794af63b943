import t from 'tap'
import { aReview } from '../../support/builders/a-review.ts'
import { aWebhook, anAdmissionServer } from '../../support/http/admission-server.ts'
import { untilClosed } from '../../support/cluster/api-server-client.ts'
import { until } from '../../support/until.ts'

const TRY_AGAIN = { status: 503, headers: { 'retry-after': '1', connection: 'close' }, body: { error: /try again/ } }

t.test('while the caches are not filled, callers are sent back, and the next connection finds the server open', async (t) => {
  let why: string | undefined = 'AIMService: not listed yet, https://secret.example'
  const { client, metricLines } = await anAdmissionServer(t, { notReady: () => why })
  const before = await client.post(aReview())
  t.match(before, { ...TRY_AGAIN, connection: 1 })
  t.notMatch(JSON.stringify(before.body), /secret/, 'why is for /readyz to say')
  why = undefined
  t.match(await client.post(aReview()), { status: 200, connection: 2 })
  t.match(await metricLines('aim_admission_requests_total'), [
    'aim_admission_requests_total{webhook="mutate-aimservices",operation="UNKNOWN",outcome="unavailable",dry_run="false"} 1', /outcome="allowed"/
  ])
})

t.test('a large review is read to its end before it is sent back, so that no reset swallows the answer', async (t) => {
  const { client } = await anAdmissionServer(t, { notReady: () => 'not yet' })
  for (let at = 0; at < 10; at++) { t.match(await client.post(aReview({ padding: 'x'.repeat(4 * 1024 * 1024) })), TRY_AGAIN) }
})

t.test('beyond as many reviews as the server takes at once, callers are sent back', async (t) => {
  const waits: Array<() => void> = []
  const webhook = aWebhook({ waitForConfig: async () => { await new Promise<void>((resolve) => { waits.push(resolve) }) } })
  const { client, gate } = await anAdmissionServer(t, { webhooks: [webhook], maxInFlight: 1 })
  const socket = await client.connect()
  socket.write(
    `POST /mutate/aimservices HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${aReview().length}\r\n\r\n${aReview()}`
  )
  await until(() => waits.length === 1)
  t.match(await client.post(aReview()), TRY_AGAIN)
  waits[0]?.()
  t.match(await untilClosed(socket), /^HTTP\/1\.1 200 /, 'the one that was in is answered')
  await until(() => gate.inFlight === 0)
})

t.test('while draining, reviews are still answered, each on a connection that is closed afterwards', async (t) => {
  const waits: Array<() => void> = []
  const webhook = aWebhook({
    waitForConfig: async ({ name }) => {
      if (name === 'waits') {
        await new Promise<void>((resolve) => { waits.push(resolve) })
      }
    }
  })
  const { client, gate } = await anAdmissionServer(t, { webhooks: [webhook] })
  const onItsWay = client.post(aReview({ name: 'waits' }))
  await until(() => waits.length === 1)
  gate.drain()
  t.match(gate.notReadyReason(), /shutting down/)
  waits[0]?.()
  t.match(await onItsWay, { status: 200, headers: { connection: 'close' } }, 'also the one that came before')
  t.match(await client.post(aReview()), { status: 200, headers: { connection: 'close' }, connection: 2 })
  t.match(await client.call({ path: '/nowhere' }), { status: 404, headers: { connection: 'close' } })
  gate.close()
  t.match(await client.post(aReview()), TRY_AGAIN)
})
