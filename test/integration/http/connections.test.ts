import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import t from 'tap'
import { ADMIT } from '../../../src/admission/verdict.ts'
import { shutdownGracefully } from '../../../src/server/lifecycle/shutdown.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { anAdmissionServer, aWebhook, testPair } from '../../support/http/admission-server.ts'
import { untilClosed } from '../../support/cluster/api-server-client.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { until } from '../../support/until.ts'

const HEAD = 'POST /mutate/aimservices HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n'
const whole = (body: string): string => `${HEAD}content-length: ${body.length}\r\n\r\n${body}`

/** A connection from another address of this computer. */
async function connectFrom (localAddress: string, url: string): Promise<TLSSocket> {
  const socket = connect({
    socket: connectTcp({ host: '127.0.0.1', port: Number(new URL(url).port), localAddress }),
    host: '127.0.0.1',
    ca: testPair.caPem
  })
  socket.on('error', () => {}) // being cut off is what is looked for
  await once(socket, 'secureConnect')
  return socket
}

async function answerOf (socket: TLSSocket, body: string): Promise<string> {
  socket.write(whole(body))
  const [chunk] = await once(socket, 'data') as [Buffer] // what the event carries
  return chunk.toString()
}

function countBytes (socket: TLSSocket): () => number {
  let bytes = 0
  socket.on('data', ({ length }: Buffer) => { bytes += length }).resume()
  return () => bytes
}

t.test('a caller with too many connections loses those on which nothing was ever answered, and no other caller does', async (t) => {
  const { url } = await anAdmissionServer(t, { limits: { peerConnections: 2 } })
  const useful = await connectFrom('127.0.0.1', url)
  t.match(await answerOf(useful, aReview()), /^HTTP\/1\.1 200 /)
  const [first, second, third] = [
    await connectFrom('127.0.0.2', url),
    await connectFrom('127.0.0.2', url),
    await connectFrom('127.0.0.2', url)
  ]
  t.equal(await untilClosed(first), '', 'the oldest makes room')
  t.match(await answerOf(third, aReview()), /^HTTP\/1\.1 200 /)
  await connectFrom('127.0.0.2', url)
  t.equal(await untilClosed(second), '')
  t.match(await answerOf(useful, aReview()), /^HTTP\/1\.1 200 /)
  t.match(await answerOf(third, aReview()), /^HTTP\/1\.1 200 /, 'one that was of use stays')
})

t.test('where all connections are taken, one that has shown nothing makes room for whoever comes', async (t) => {
  const { url } = await anAdmissionServer(t, { limits: { connections: 3 } })
  const useful = await connectFrom('127.0.0.1', url)
  await answerOf(useful, aReview())
  const mute = [await connectFrom('127.0.0.2', url), await connectFrom('127.0.0.3', url)]
  t.match(await answerOf(await connectFrom('127.0.0.4', url), aReview()), /^HTTP\/1\.1 200 /)
  t.equal(await untilClosed(mute[0] ?? useful), '')
  t.match(await answerOf(useful, aReview()), /^HTTP\/1\.1 200 /)
})

t.test('where all of them were of use, the one that is idle for the longest makes room', async (t) => {
  const { url } = await anAdmissionServer(t, { limits: { connections: 2 } })
  const [first, second] = [await connectFrom('127.0.0.1', url), await connectFrom('127.0.0.1', url)]
  for (const socket of [first, second, first]) await answerOf(socket, aReview())
  await connectFrom('127.0.0.1', url)
  t.equal(await untilClosed(second), '')
  t.match(await answerOf(first, aReview()), /^HTTP\/1\.1 200 /)
})

t.test('a handshake that is not finished is given up', async (t) => {
  const { url } = await anAdmissionServer(t, { limits: { handshake: 100 } })
  const socket = connectTcp({ host: '127.0.0.1', port: Number(new URL(url).port) })
  socket.write(Buffer.from([0x16, 0x03, 0x01])) // how a ClientHello begins
  await once(socket.resume(), 'close')
})

t.test('bodies that come slowly close nothing: reviews that come whole are judged all the while', async (t) => {
  const { client, gate } = await anAdmissionServer(t, { maxInFlight: 1 })
  const slow = await Promise.all(Array.from({ length: 5 }, async () => await client.connect()))
  for (const socket of slow) socket.write(`${HEAD}content-length: 999\r\n\r\n{`)
  await until(() => gate.arriving === 5)
  t.match(await client.post(aReview()), { status: 200 })
  for (const socket of slow) socket.destroy()
  await until(() => gate.arriving === 0)
})

t.test('bodies that are on their way share a bounded memory: beyond it the oldest is given up', async (t) => {
  const { client, gate } = await anAdmissionServer(t, { limits: { arrivingBytes: 256 * 1024 } })
  const [first, second] = [await client.connect(), await client.connect()]
  first.write(`${HEAD}content-length: 999999\r\n\r\n${' '.repeat(100_000)}`)
  await until(() => gate.arriving === 1)
  second.write(`${HEAD}content-length: 999999\r\n\r\n${' '.repeat(180_000)}`)
  t.match(await client.post(aReview()), { status: 200 }, 'one that comes at once')
  t.match(await untilClosed(first), /^HTTP\/1\.1 503 [^]*retry-after: 1\r\n/)
  t.equal(gate.arriving, 1)
  t.match(await client.post(aReview({ padding: 'x'.repeat(50_000) })), { status: 200 }, 'and one that comes in pieces')
  second.destroy()
  await until(() => gate.arriving === 0)
})

t.test('bodies that hold next to nothing are not given up, however old: they would make no room', async (t) => {
  const { client, gate } = await anAdmissionServer(t, { limits: { arrivingBytes: 256 * 1024 } })
  const [first, second] = [await client.connect(), await client.connect()]
  const tiny = await Promise.all(Array.from({ length: 50 }, async () => await client.connect()))
  for (const socket of tiny) socket.write(`${HEAD}content-length: 999999\r\n\r\n{`)
  await until(() => gate.arriving === 50)
  for (const socket of tiny) socket.write(' ')
  await client.post(aReview())
  first.write(`${HEAD}content-length: 999999\r\n\r\n${' '.repeat(100_000)}`)
  await until(() => gate.arriving === 51)
  second.write(`${HEAD}content-length: 999999\r\n\r\n${' '.repeat(180_000)}`)
  t.match(await untilClosed(first), /^HTTP\/1\.1 503 /)
  t.equal(gate.arriving, 51, 'the fifty, and the one that came last')
  for (const socket of [...tiny, second]) socket.destroy()
  await until(() => gate.arriving === 0)
})

t.test('where a large body needs the room of many slow ones, they are given up a few at a time, and it is answered', async (t) => {
  const { client, gate } = await anAdmissionServer(t, { limits: { arrivingBytes: 4 * 1024 * 1024 } })
  const slow = await Promise.all(Array.from({ length: 60 }, async () => await client.connect()))
  for (const socket of slow) socket.write(`${HEAD}content-length: 999999\r\n\r\n${' '.repeat(60_000)}`)
  await until(() => gate.arriving === 60)
  await client.post(aReview()) // when all of them have been read
  const largest: number[] = []
  let before = gate.arriving
  let turns = setImmediate(function count () {
    largest.push(before - gate.arriving)
    before = gate.arriving
    turns = setImmediate(count)
  })
  t.match(await client.post(aReview({ padding: 'x'.repeat(2_000_000) })), { status: 200 })
  clearImmediate(turns)
  t.ok(largest.reduce((sum, one) => sum + one, 0) > 15, 'many made room')
  t.ok(
    Math.max(...largest) <= 3,
    `at most ${Math.max(...largest)} in one turn: two that make room, and the large one once it is whole`
  )
  for (const socket of slow) socket.destroy()
  await until(() => gate.arriving === 0)
})

t.test('a body in a million tiny chunks is one body', async (t) => {
  const { client } = await anAdmissionServer(t)
  const body = aReview({ padding: 'x'.repeat(200_000) })
  const chunks = Array.from(body, (byte) => `1\r\n${byte}\r\n`).join('')
  const socket = await client.connect()
  socket.write(`${HEAD}connection: close\r\ntransfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`)
  t.match(await untilClosed(socket), /^HTTP\/1\.1 200 /)
})

t.test('answers that were in line on a connection that is reset are forgotten with it', async (t) => {
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
    socket.write(whole(aReview({ name: 'large' })).repeat(3))
    await until(() => gate.admitted === 1 + 4 * (round - 1) + 3)
    t.ok(connections.unackedBytes > 16 * 1024 * 1024)
    socket.destroy()
    await until(() => connections.open === 1)
    t.equal(connections.unackedBytes, 0)
    t.match(await client.post(aReview()), { status: 200, connection: 1 }, 'and nobody else is cut off for them')
  }
})

t.test('callers that have not finished their handshakes do not hold up the end', async (t) => {
  const clock = new ManualClock()
  const { server, app, client, connections, gate, url } = await anAdmissionServer(t, { clock, limits: { handshake: 60_000 } })
  await client.post(aReview())
  const unfinished = [
    connectTcp({ host: '127.0.0.1', port: Number(new URL(url).port) }),
    connectTcp({ host: '127.0.0.1', port: Number(new URL(url).port) })
  ]
  const gone = unfinished.map(async (socket) => { await once(socket.on('error', () => {}).resume(), 'close') })
  unfinished[0]?.write(Buffer.from([0x16, 0x03, 0x01])) // how a ClientHello begins
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

t.test('who comes once all connections were ended is not let in', async (t) => {
  const { connections, url } = await anAdmissionServer(t, { limits: { handshake: 600_000 } })
  connections.closeAll()
  const late = connectTcp({ host: '127.0.0.1', port: Number(new URL(url).port) }).on('error', () => {}).resume()
  await once(late, 'close')
  t.equal(connections.open, 0)
})

t.test('who does not take its answers is cut off', async (t) => {
  const clock = new ManualClock()
  // more than the buffers of a connection hold
  const large = { op: 'add', path: '/spec', value: 'x'.repeat(16 * 1024 * 1024) } as const
  const webhook = aWebhook({
    decide: ({ name }) => (name === 'large' ? { kind: 'patch', operations: [large], warnings: [] } : ADMIT)
  })
  const { app, client, connections } = await anAdmissionServer(t, {
    webhooks: [webhook],
    limits: { sweep: 10, reading: 30_000 },
    clock
  })
  const socket = (await client.connect()).pause()
  const gone = once(socket, 'close')
  socket.write(whole(aReview({ name: 'large' })))
  await until(() => socket.readableLength > 0)
  t.equal(connections.open, 1)
  clock.pass(29_000)
  t.match(await client.post(aReview()), { status: 200 })
  clock.pass(2_000)
  await until(() => connections.open === 1) // that of the client
  socket.resume()
  await gone
  t.ok(app.server.listening)
})

t.test('answers that are not taken share a bounded memory: beyond it the oldest caller is cut off', async (t) => {
  // 16 MiB as it is sent, more than the buffers of a connection hold
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
    socket.write(whole(aReview({ name: 'large' })))
    await until(() => socket.readableLength > 0 && connections.open === (at === 0 ? 2 : 1))
  }
  t.match(await client.post(aReview()), { status: 200 }, 'what is taken at once is not held up')
  const answers = await Promise.all(slow.map(async (socket) => {
    const [bytes, closed] = [countBytes(socket), once(socket, 'close')]
    await Promise.race([closed, until(() => bytes() > 16 * 1024 * 1024)])
    return bytes() > 16 * 1024 * 1024
  }))
  t.strictSame(answers, [false, true], 'the first is cut off, the second has its answer whole')
})

t.test('callers that go away are counted, and fill no log', async (t) => {
  const webhook = aWebhook({ waitForConfig: async () => { await new Promise(() => {}) } })
  const { client, gate, logged, metricLines } = await anAdmissionServer(t, { webhooks: [webhook] })
  for (const sent of [`${HEAD}content-length: 999\r\n\r\n{`, whole(aReview())]) {
    for (let at = 0; at < 50; at++) {
      const socket = await client.connect()
      socket.write(sent)
      await until(() => gate.arriving + gate.inFlight === 1)
      if (at % 2 === 0) socket.destroy()
      else socket.end()
      if (at % 2 === 0) await until(() => gate.arriving + gate.inFlight === 0)
      else {
        socket.destroy()
        await until(() => gate.arriving + gate.inFlight === 0)
      }
    }
  }
  t.strictSame(await metricLines('aim_admission_client_gone_total'), ['aim_admission_client_gone_total 100'])
  t.strictSame((logged() as Array<{ level: number }>).filter(({ level }) => level > 20), [])
})

t.test('a body that takes too long is no caller that went away', async (t) => {
  const { client, metricLines } = await anAdmissionServer(t, { limits: { headers: 100, request: 100, sweep: 10 } })
  const socket = await client.connect()
  socket.write(`${HEAD}content-length: 999\r\n\r\n{`)
  t.match(await untilClosed(socket), /^HTTP\/1\.1 408 /)
  t.strictSame(await metricLines('aim_admission_client_gone_total'), ['aim_admission_client_gone_total 0'])
})

t.test('what whoever reaches the port can have written is written a few times, and counted', async (t) => {
  const clock = new ManualClock()
  const { client, logged } = await anAdmissionServer(t, { clock })
  for (let at = 0; at < 100; at++) await client.post('[]')
  t.equal(logged().length, 20)
  clock.pass(10_000)
  await client.post('[]')
  t.match(logged().at(-1), { msg: 'rejected malformed AdmissionReview', leftOut: 80 })
})

t.test('an idle connection is used again shortly before the server would close it, and is closed no sooner', async (t) => {
  const { client, url } = await anAdmissionServer(t, { limits: { keepAlive: 4_000 } })
  t.match(await client.post(aReview()), { status: 200, connection: 1 })
  await delay(2_500) // in place of 85 to 95 s of 120 s
  t.match(await client.post(aReview()), { status: 200, connection: 1 }, 'the same one')
  const socket = await connectFrom('127.0.0.1', url)
  await answerOf(socket, aReview())
  const since = performance.now()
  socket.resume()
  await once(socket, 'close')
  t.ok(performance.now() - since >= 3_990)
})

t.test('callers that reset their connections in the middle of a review are counted, fill no log, and hold nothing back', async (t) => {
  const webhook = aWebhook({ waitForConfig: async () => { await new Promise(() => {}) } })
  const { client, gate, connections, url, logged, metricLines } = await anAdmissionServer(t, { webhooks: [webhook] })
  const [before, memory] = [connections.open, process.memoryUsage().rss]
  for (const sent of [`${HEAD}content-length: 999\r\n\r\n{`, whole(aReview())]) {
    for (let at = 0; at < 50; at++) {
      const tcp = connectTcp({ host: '127.0.0.1', port: Number(new URL(url).port) })
      const socket = connect({ socket: tcp, host: '127.0.0.1', ca: testPair.caPem }).on('error', () => {})
      await once(socket, 'secureConnect')
      socket.write(sent)
      await until(() => gate.arriving + gate.inFlight === 1)
      tcp.resetAndDestroy()
      await until(() => gate.arriving + gate.inFlight === 0)
    }
  }
  t.strictSame(await metricLines('aim_admission_client_gone_total'), ['aim_admission_client_gone_total 100'])
  t.strictSame((logged() as Array<{ level: number }>).filter(({ level }) => level > 20), [])
  await until(() => connections.open === before)
  t.ok(process.memoryUsage().rss - memory < 64 * 1024 * 1024)
  t.match(await client.call({ path: '/nowhere' }), { status: 404 }, 'it still answers')
})
