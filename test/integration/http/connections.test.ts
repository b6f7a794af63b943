import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import t from 'tap'
import { ADMIT } from '../../../src/admission/verdict.ts'
import { shutdownGracefully } from '../../../src/server/lifecycle.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { anAdmissionServer, aWebhook, testPair } from '../../support/http/admission-server.ts'
import { headOf, rawRequest } from '../../support/http/raw-request.ts'
import { untilClosed } from '../../support/cluster/api-server-client.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { until } from '../../support/until.ts'

const HEAD = headOf()

/** A connection from another local address. */
async function connectFrom (localAddress: string, url: string): Promise<TLSSocket> {
  const socket = connect({
    socket: connectTcp({ host: '127.0.0.1', port: Number(new URL(url).port), localAddress }),
    host: '127.0.0.1',
    ca: testPair.caPem
  })
  socket.on('error', () => {}) // the tests expect to be disconnected
  await once(socket, 'secureConnect')
  return socket
}

async function responseOf (socket: TLSSocket, body: string): Promise<string> {
  socket.write(rawRequest(body))
  const [chunk] = await once(socket, 'data') as [Buffer] // as the event delivers it
  return chunk.toString()
}

function countBytes (socket: TLSSocket): () => number {
  let bytes = 0
  socket.on('data', ({ length }: Buffer) => { bytes += length }).resume()
  return () => bytes
}

t.test('an address with too many connections loses its unused ones, and other addresses lose none', async (t) => {
  const { url } = await anAdmissionServer(t, { limits: { peerConnections: 2 } })
  const useful = await connectFrom('127.0.0.1', url)
  t.match(await responseOf(useful, aReview()), /^HTTP\/1\.1 200 /)
  const [first, second, third] = [
    await connectFrom('127.0.0.2', url),
    await connectFrom('127.0.0.2', url),
    await connectFrom('127.0.0.2', url)
  ]
  t.equal(await untilClosed(first), '', 'the oldest is dropped')
  t.match(await responseOf(third, aReview()), /^HTTP\/1\.1 200 /)
  await connectFrom('127.0.0.2', url)
  t.equal(await untilClosed(second), '')
  t.match(await responseOf(useful, aReview()), /^HTTP\/1\.1 200 /)
  t.match(await responseOf(third, aReview()), /^HTTP\/1\.1 200 /, 'a connection that has served stays')
})

t.test('beyond the limit, a connection that has not served is dropped for a new one', async (t) => {
  const { url } = await anAdmissionServer(t, { limits: { connections: 3 } })
  const useful = await connectFrom('127.0.0.1', url)
  await responseOf(useful, aReview())
  const mute = [await connectFrom('127.0.0.2', url), await connectFrom('127.0.0.3', url)]
  t.match(await responseOf(await connectFrom('127.0.0.4', url), aReview()), /^HTTP\/1\.1 200 /)
  t.equal(await untilClosed(mute[0] ?? useful), '')
  t.match(await responseOf(useful, aReview()), /^HTTP\/1\.1 200 /)
})

t.test('beyond the limit, the longest idle connection is dropped if all have served', async (t) => {
  const { url } = await anAdmissionServer(t, { limits: { connections: 2 } })
  const [first, second] = [await connectFrom('127.0.0.1', url), await connectFrom('127.0.0.1', url)]
  for (const socket of [first, second, first]) await responseOf(socket, aReview())
  await connectFrom('127.0.0.1', url)
  t.equal(await untilClosed(second), '')
  t.match(await responseOf(first, aReview()), /^HTTP\/1\.1 200 /)
})

t.test('drops an unfinished handshake', async (t) => {
  const { url } = await anAdmissionServer(t, { limits: { handshakeMs: 100 } })
  const socket = connectTcp({ host: '127.0.0.1', port: Number(new URL(url).port) })
  socket.write(Buffer.from([0x16, 0x03, 0x01])) // the start of a ClientHello
  await t.resolves(once(socket.resume(), 'close'))
})

t.test('slow bodies do not count as in flight', async (t) => {
  const { client, arriving } = await anAdmissionServer(t, { maxInFlight: 1 })
  const slow = await Promise.all(Array.from({ length: 5 }, async () => await client.connect()))
  for (const socket of slow) socket.write(`${HEAD}content-length: 999\r\n\r\n{`)
  await until(() => arriving() === 5)
  t.match(await client.post(aReview()), { status: 200 })
  for (const socket of slow) socket.destroy()
  await until(() => arriving() === 0)
})

t.test('beyond the memory for incomplete bodies, the oldest is refused', async (t) => {
  const { client, arriving } = await anAdmissionServer(t, { limits: { arrivingBytes: 256 * 1024 } })
  const [first, second] = [await client.connect(), await client.connect()]
  first.write(`${HEAD}content-length: 999999\r\n\r\n${' '.repeat(100_000)}`)
  await until(() => arriving() === 1)
  second.write(`${HEAD}content-length: 999999\r\n\r\n${' '.repeat(180_000)}`)
  t.match(await client.post(aReview()), { status: 200 }, 'a body in one chunk')
  t.match(await untilClosed(first), /^HTTP\/1\.1 503 [^]*retry-after: 1\r\n/)
  t.equal(arriving(), 1)
  t.match(await client.post(aReview({ padding: 'x'.repeat(50_000) })), { status: 200 }, 'a body in several chunks')
  second.destroy()
  await until(() => arriving() === 0)
})

t.test('bodies that keep little memory are not refused, however old', async (t) => {
  const { client, arriving } = await anAdmissionServer(t, { limits: { arrivingBytes: 256 * 1024 } })
  const [first, second] = [await client.connect(), await client.connect()]
  const tiny = await Promise.all(Array.from({ length: 50 }, async () => await client.connect()))
  for (const socket of tiny) socket.write(`${HEAD}content-length: 999999\r\n\r\n{`)
  await until(() => arriving() === 50)
  for (const socket of tiny) socket.write(' ')
  await client.post(aReview())
  first.write(`${HEAD}content-length: 999999\r\n\r\n${' '.repeat(100_000)}`)
  await until(() => arriving() === 51)
  second.write(`${HEAD}content-length: 999999\r\n\r\n${' '.repeat(180_000)}`)
  t.match(await untilClosed(first), /^HTTP\/1\.1 503 /)
  t.equal(arriving(), 51, 'the fifty, and the last one')
  for (const socket of [...tiny, second]) socket.destroy()
  await until(() => arriving() === 0)
})

t.test('a large body displaces slow ones a few per turn, and gets its response', async (t) => {
  const { client, arriving } = await anAdmissionServer(t, { limits: { arrivingBytes: 4 * 1024 * 1024 } })
  const slow = await Promise.all(Array.from({ length: 60 }, async () => await client.connect()))
  for (const socket of slow) socket.write(`${HEAD}content-length: 999999\r\n\r\n${' '.repeat(60_000)}`)
  await until(() => arriving() === 60)
  await client.post(aReview()) // by then, all have been read
  const largest: number[] = []
  let before = arriving()
  let turns = setImmediate(function count () {
    largest.push(before - arriving())
    before = arriving()
    turns = setImmediate(count)
  })
  t.match(await client.post(aReview({ padding: 'x'.repeat(2_000_000) })), { status: 200 })
  clearImmediate(turns)
  t.ok(largest.reduce((sum, one) => sum + one, 0) > 15, 'many were refused')
  t.ok(
    Math.max(...largest) <= 3,
    `at most ${Math.max(...largest)} in one turn: two refused, and the large one when complete`
  )
  for (const socket of slow) socket.destroy()
  await until(() => arriving() === 0)
})

t.test('accepts a body in many tiny chunks', async (t) => {
  const { client } = await anAdmissionServer(t)
  const body = aReview({ padding: 'x'.repeat(200_000) })
  const chunks = Array.from(body, (byte) => `1\r\n${byte}\r\n`).join('')
  const socket = await client.connect()
  socket.write(`${HEAD}connection: close\r\ntransfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`)
  t.match(await untilClosed(socket), /^HTTP\/1\.1 200 /)
})

t.test('responses on a reset connection no longer count', async (t) => {
  const large = { op: 'add', path: '/spec', value: 'x'.repeat(8 * 1024 * 1024) } as const
  const webhook = aWebhook({
    decide: ({ name }) => (name === 'large' ? { kind: 'patch', operations: [large], warnings: [] } : ADMIT)
  })
  const { client, connections, gate } = await anAdmissionServer(t, {
    webhooks: [webhook],
    limits: { unackedBytes: 48 * 1024 * 1024 }
  })
  await client.post(aReview())
  for (let round = 1; round <= 4; round++) {
    const socket = (await client.connect()).pause()
    socket.write(rawRequest(aReview({ name: 'large' })).repeat(3))
    await until(() => gate.entered === 1 + 4 * (round - 1) + 3)
    t.ok(connections.unackedBytes > 16 * 1024 * 1024)
    socket.destroy()
    await until(() => connections.open === 1)
    t.equal(connections.unackedBytes, 0)
    t.match(await client.post(aReview()), { status: 200, connection: 1 }, 'no other connection is dropped')
  }
})

t.test('unfinished handshakes do not delay the shutdown', async (t) => {
  const clock = new ManualClock()
  const { server, app, client, connections, gate, url } = await anAdmissionServer(t, {
    clock,
    limits: { handshakeMs: 60_000 }
  })
  await client.post(aReview())
  const unfinished = [
    connectTcp({ host: '127.0.0.1', port: Number(new URL(url).port) }),
    connectTcp({ host: '127.0.0.1', port: Number(new URL(url).port) })
  ]
  const gone = unfinished.map(async (socket) => { await once(socket.on('error', () => {}).resume(), 'close') })
  unfinished[0]?.write(Buffer.from([0x16, 0x03, 0x01])) // the start of a ClientHello
  await until(() => connections.open === 3)
  const closed = shutdownGracefully(server, gate, clock)
  while (connections.open > 0) {
    clock.pass(20)
    await delay(1)
  }
  await Promise.all([closed, ...gone])
  t.equal(connections.open, 0)
  t.equal(app.server.listening, false)
})

t.test('rejects new connections after closeAll', async (t) => {
  const { connections, url } = await anAdmissionServer(t, { limits: { handshakeMs: 600_000 } })
  connections.closeAll()
  const late = connectTcp({ host: '127.0.0.1', port: Number(new URL(url).port) }).on('error', () => {}).resume()
  await once(late, 'close')
  t.equal(connections.open, 0)
})

t.test('drops a connection whose client does not read its response', async (t) => {
  const clock = new ManualClock()
  // exceeds the buffers of a connection
  const large = { op: 'add', path: '/spec', value: 'x'.repeat(16 * 1024 * 1024) } as const
  const webhook = aWebhook({
    decide: ({ name }) => (name === 'large' ? { kind: 'patch', operations: [large], warnings: [] } : ADMIT)
  })
  const { app, client, connections } = await anAdmissionServer(t, {
    webhooks: [webhook],
    limits: { sweepMs: 10, responseMs: 30_000 },
    clock
  })
  const socket = (await client.connect()).pause()
  const gone = once(socket, 'close')
  socket.write(rawRequest(aReview({ name: 'large' })))
  await until(() => socket.readableLength > 0)
  t.equal(connections.open, 1)
  clock.pass(29_000)
  t.match(await client.post(aReview()), { status: 200 })
  clock.pass(2_000)
  await until(() => connections.open === 1) // the client's
  socket.resume()
  await gone
  t.ok(app.server.listening)
})

t.test('beyond the memory for unread responses, the connection with the oldest is dropped', async (t) => {
  // 16 MiB in base64, which exceeds the buffers of a connection
  const large = { op: 'add', path: '/spec', value: 'x'.repeat(12 * 1024 * 1024) } as const
  const webhook = aWebhook({
    decide: ({ name }) => (name === 'large' ? { kind: 'patch', operations: [large], warnings: [] } : ADMIT)
  })
  const { client, connections } = await anAdmissionServer(t, {
    webhooks: [webhook],
    limits: { unackedBytes: 24 * 1024 * 1024 }
  })
  const slow = await Promise.all(['first', 'second'].map(async () => (await client.connect()).pause()))
  for (const [at, socket] of slow.entries()) {
    socket.write(rawRequest(aReview({ name: 'large' })))
    await until(() => socket.readableLength > 0 && connections.open === (at === 0 ? 2 : 1))
  }
  t.match(await client.post(aReview()), { status: 200 }, 'other responses are not delayed')
  const received = await Promise.all(slow.map(async (socket) => {
    const bytes = countBytes(socket)
    await until(() => socket.closed || bytes() > 16 * 1024 * 1024)
    return bytes() > 16 * 1024 * 1024
  }))
  t.strictSame(received, [false, true], 'the first is dropped, the second receives its whole response')
})

t.test('clients that disconnect are counted, and not logged', async (t) => {
  const webhook = aWebhook({ waitForConfig: async () => { await new Promise(() => {}) } })
  const { client, arriving, gate, logged, metricLines } = await anAdmissionServer(t, { webhooks: [webhook] })
  for (const sent of [`${HEAD}content-length: 999\r\n\r\n{`, rawRequest(aReview())]) {
    for (let at = 0; at < 50; at++) {
      const socket = await client.connect()
      socket.write(sent)
      await until(() => arriving() + gate.inFlight === 1)
      if (at % 2 === 0) socket.destroy()
      else socket.end()
      if (at % 2 === 0) await until(() => arriving() + gate.inFlight === 0)
      else {
        socket.destroy()
        await until(() => arriving() + gate.inFlight === 0)
      }
    }
  }
  t.strictSame(await metricLines('aim_admission_client_gone_total'), ['aim_admission_client_gone_total 100'])
  t.strictSame((logged() as Array<{ level: number }>).filter(({ level }) => level > 20), [])
})

t.test('a body that times out does not count as a disconnected client', async (t) => {
  const limits = { headersMs: 100, requestMs: 100, sweepMs: 10 }
  const { client, metricLines } = await anAdmissionServer(t, { limits })
  const socket = await client.connect()
  socket.write(`${HEAD}content-length: 999\r\n\r\n{`)
  t.match(await untilClosed(socket), /^HTTP\/1\.1 408 /)
  t.strictSame(await metricLines('aim_admission_client_gone_total'), ['aim_admission_client_gone_total 0'])
})

t.test('limits log lines that any client can cause, and counts the rest', async (t) => {
  const clock = new ManualClock()
  const { client, logged } = await anAdmissionServer(t, { clock })
  for (let at = 0; at < 100; at++) await client.post('[]')
  t.equal(logged().length, 20)
  clock.pass(10_000)
  await client.post('[]')
  t.match(logged().at(-1), { msg: 'rejected malformed AdmissionReview', leftOut: 80 })
})

t.test('an idle connection stays usable until its keep-alive time ends', async (t) => {
  const { client, url } = await anAdmissionServer(t, { limits: { keepAliveMs: 4_000 } })
  t.match(await client.post(aReview()), { status: 200, connection: 1 })
  await delay(2_500) // stands for 85 to 95 s of 120 s
  t.match(await client.post(aReview()), { status: 200, connection: 1 }, 'the same connection')
  const socket = await connectFrom('127.0.0.1', url)
  await responseOf(socket, aReview())
  socket.resume()
  await once(socket, 'close')
})

t.test('clients that reset their connections are counted, not logged, and leave nothing behind', async (t) => {
  const webhook = aWebhook({ waitForConfig: async () => { await new Promise(() => {}) } })
  const { client, arriving, gate, connections, url, logged, metricLines } =
    await anAdmissionServer(t, { webhooks: [webhook] })
  const [before, memory] = [connections.open, process.memoryUsage().rss]
  for (const sent of [`${HEAD}content-length: 999\r\n\r\n{`, rawRequest(aReview())]) {
    for (let at = 0; at < 50; at++) {
      const tcp = connectTcp({ host: '127.0.0.1', port: Number(new URL(url).port) })
      const socket = connect({ socket: tcp, host: '127.0.0.1', ca: testPair.caPem }).on('error', () => {})
      await once(socket, 'secureConnect')
      socket.write(sent)
      await until(() => arriving() + gate.inFlight === 1)
      tcp.resetAndDestroy()
      await until(() => arriving() + gate.inFlight === 0)
    }
  }
  t.strictSame(await metricLines('aim_admission_client_gone_total'), ['aim_admission_client_gone_total 100'])
  t.strictSame((logged() as Array<{ level: number }>).filter(({ level }) => level > 20), [])
  await until(() => connections.open === before)
  t.ok(process.memoryUsage().rss - memory < 64 * 1024 * 1024)
  t.match(await client.call({ path: '/nowhere' }), { status: 404 }, 'the server still responds')
})
