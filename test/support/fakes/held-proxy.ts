import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** Stands before an API server: takes connections at once, and passes nothing on until it is released. */
export async function startHeldProxy (url: string) {
  const sockets = new Set<Socket>()
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>()
  const server = createServer({ noDelay: true }, (client) => {
    const ends = [client, connect({ port: Number(new URL(url).port), host: '127.0.0.1', noDelay: true })] as const
    for (const [from, to] of [ends, ends.toReversed() as [Socket, Socket]]) { // the same two
      sockets.add(from)
      from.on('error', () => { to.destroy() })
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      released.then(() => { from.pipe(to) }, () => {})
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on a port
  return {
    url: `https://127.0.0.1:${port}`,
    release: () => { release(undefined) },
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}
