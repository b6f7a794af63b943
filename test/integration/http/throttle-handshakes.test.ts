import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { throttleHandshakes } from '../../../src/server/overload/throttle-handshakes.ts'
import { until } from '../../support/until.ts'

/** A server that notes what is begun on it, and in which turn. */
async function aServer (t: Test, limit = 60_000) {
  const begun: Array<{ readonly turn: number, readonly bytes: string, readonly socket: Socket }> = []
  const taken = new Set<Socket>()
  let turn = 0
  let counting = setImmediate(function count () {
    turn++
    counting = setImmediate(count)
  })
  const server = createServer((socket) => {
    begun.push({ turn, bytes: String(socket.on('error', () => {}).read()), socket })
  })
  throttleHandshakes(server, limit)
  server.on('connection', (socket) => { taken.add(socket) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    clearImmediate(counting)
    for (const socket of taken) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo // it listens on a port
  return {
    begun,
    taken,
    connected: async (): Promise<Socket> => {
      const socket = connect(port, '127.0.0.1').on('error', () => {})
      await once(socket, 'connect')
      return socket
    }
  }
}

t.test('of callers that come together one is begun with in each turn, in their order, and no byte is lost', async (t) => {
  const { begun, taken, connected } = await aServer(t)
  const callers = await Promise.all(Array.from({ length: 30 }, async () => await connected()))
  await until(() => taken.size === 30)
  t.equal(begun.length, 0, 'nobody has said anything')
  for (const [at, caller] of callers.entries()) caller.write(`hello ${at}`)
  await until(() => begun.length === 30)
  t.equal(new Set(begun.map(({ turn }) => turn)).size, 30)
  t.strictSame(new Set(begun.map(({ bytes }) => bytes)), new Set(callers.map((_, at) => `hello ${at}`)))
})

t.test('who sends nothing is cut off in time, and never begun with', async (t) => {
  const { begun, connected } = await aServer(t, 50)
  const [silent, other] = [await connected(), await connected()]
  other.write('hello')
  await once(silent.resume(), 'close')
  t.strictSame(begun.map(({ bytes }) => bytes), ['hello'])
  t.equal(begun[0]?.socket.timeout, 0, 'whoever goes on with it sets its limits')
})

t.test('who sends more than a handshake begins with is cut off, and keeps no memory taken', async (t) => {
  const { begun, connected } = await aServer(t)
  const [flood, honest] = [await connected(), await connected()]
  flood.resume().write(Buffer.alloc(1024 * 1024))
  honest.write('hello')
  await new Promise((resolve) => { flood.once('close', resolve) }) // by a reset, which is an error, too
  await until(() => begun.length === 1)
  t.strictSame(begun.map(({ bytes }) => bytes), ['hello'])
})

t.test('callers that hang up before their turn, by a reset or in good order, are forgotten', async (t) => {
  const { begun, taken, connected } = await aServer(t)
  const callers = await Promise.all(Array.from({ length: 20 }, async () => await connected()))
  await until(() => taken.size === 20)
  for (const [at, caller] of callers.entries()) {
    if (at % 4 === 0) caller.resetAndDestroy()
    else if (at % 4 === 1) caller.end()
    else {
      caller.write('hello')
      if (at % 4 === 2) caller.resetAndDestroy()
    }
  }
  await until(() => [...taken].filter(({ destroyed }) => destroyed).length >= 15)
  await until(() => begun.filter(({ socket }) => !socket.destroyed).length === 5)
  t.ok(begun.every(({ bytes }) => bytes === 'hello'))
})
