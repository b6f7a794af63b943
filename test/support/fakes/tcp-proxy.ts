import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { listening } from '../processes.ts'

/**
 * A connection that its client has just closed is still on its way out; what is counted is open for longer than that,
 * in milliseconds.
 */
const SETTLE_MS = 50

/** Passes bytes on to a server of 127.0.0.1, as they are; if it is held, from its release on. */
export async function startTcpProxy (target: string, { held = false }: { readonly held?: boolean } = {}) {
  const open = new Set<Socket>()
  let most = 0
  let accepted = 0
  const { promise: released, resolve } = Promise.withResolvers<undefined>()
  const release = (): void => { resolve(undefined) }
  if (!held) release()
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
    released.then(() => { client.pipe(upstream).pipe(client) }, end)
  })
  return {
    url: `https://127.0.0.1:${await listening(server)}`,
    release,
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
