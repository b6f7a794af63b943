import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/**
 * A connection that its client has just closed is still on its way out; what is counted is open for longer than that,
 * in milliseconds.
 */
const SETTLE_MS = 50

/** Passes bytes on to a server of 127.0.0.1, as they are. */
export async function startTcpProxy (target: string) {
  const open = new Set<Socket>()
  let most = 0
  let accepted = 0
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: Number(new URL(target).port), host: '127.0.0.1', noDelay: true })
    open.add(client)
    accepted++
    setTimeout(() => { most = Math.max(most, open.size) }, SETTLE_MS).unref()
    const end = (): void => {
      open.delete(client)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
    client.pipe(upstream).pipe(client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on a port
  return {
    url: `https://127.0.0.1:${port}`,
    /** Connections at present, the most that there were at once, and all together. */
    count: () => ({ open: open.size, most, accepted }),
    /** Ends every connection without notice. */
    cut: (): void => { for (const socket of open) socket.resetAndDestroy() },
    stop: async (): Promise<void> => {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    }
  }
}
