import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { throttleHandshakes } from '../../../src/server/overload/throttle-handshakes.ts'
import { listening } from '../../support/processes.ts'
import { until } from '../../support/until.ts'

/** A server that records each started handshake and its turn of the event loop. */
async function aServer (t: Test, limit = 60_000) {
  const started: Array<{ readonly turn: number, readonly bytes: string, readonly socket: Socket }> = []
  const taken = new Set<Socket>()
  let turn = 0
  let counting = setImmediate(function count () {
    turn++
    counting = setImmediate(count)
  })
  const server = createServer((socket) => {
    started.push({ turn, bytes: String(socket.on('error', () => {}).read()), socket })
  })
  throttleHandshakes(server, limit)
  server.on('connection', (socket) => { taken.add(socket) })
  const port = await listening(server)
  t.teardown(() => {
    clearImmediate(counting)
    for (const socket of taken) socket.destroy()
    server.close()
  })
  return {
    started,
    taken,
    connected: async (): Promise<Socket> => {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      await once(socket, 'connect')
      return socket
    }
  }
}

t.test('starts one handshake per turn, and loses no byte', async (t) => {
  const { started, taken, connected } = await aServer(t)
  const clients = await Promise.all(Array.from({ length: 30 }, async () => await connected()))
  await until(() => taken.size === 30)
  t.equal(started.length, 0, 'no client has sent anything')
  for (const [at, client] of clients.entries()) client.write(`hello ${at}`)
  await until(() => started.length === 30)
  t.equal(new Set(started.map(({ turn }) => turn)).size, 30)
  t.strictSame(new Set(started.map(({ bytes }) => bytes)), new Set(clients.map((_, at) => `hello ${at}`)))
})

t.test('drops a client that sends nothing, without a handshake', async (t) => {
  const { started, connected } = await aServer(t, 50)
  const [silent, other] = [await connected(), await connected()]
  other.write('hello')
  await once(silent.resume(), 'close')
  t.strictSame(started.map(({ bytes }) => bytes), ['hello'])
  t.equal(started[0]?.socket.timeout, 0, 'no timeout is left on the socket')
})

t.test('drops a client that sends more than a ClientHello', async (t) => {
  const { started, connected } = await aServer(t)
  const [flood, honest] = [await connected(), await connected()]
  flood.resume().write(Buffer.alloc(1024 * 1024))
  honest.write('hello')
  await new Promise((resolve) => { flood.once('close', resolve) }) // by a reset, which is also an error
  await until(() => started.length === 1)
  t.strictSame(started.map(({ bytes }) => bytes), ['hello'])
})

t.test('forgets clients that disconnect before their turn', async (t) => {
  const { started, taken, connected } = await aServer(t)
  const clients = await Promise.all(Array.from({ length: 20 }, async () => await connected()))
  await until(() => taken.size === 20)
  for (const [at, client] of clients.entries()) {
    if (at % 4 === 0) client.resetAndDestroy()
    else if (at % 4 === 1) client.end()
    else {
      client.write('hello')
      if (at % 4 === 2) client.resetAndDestroy()
    }
  }
  await until(() => [...taken].filter(({ destroyed }) => destroyed).length >= 15)
  await until(() => started.filter(({ socket }) => !socket.destroyed).length === 5)
  t.ok(started.every(({ bytes }) => bytes === 'hello'))
})
