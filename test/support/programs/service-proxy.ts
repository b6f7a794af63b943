import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { listening } from '../processes.ts'

/** A server behind the address, and its probe address. */
export interface Endpoint { readonly url: string, readonly probeUrl: string }

export interface ServiceProxyOptions {
  /** Delay between a change of readiness and its effect on new connections, in milliseconds. */
  readonly delay?: { readonly min: number, readonly max: number }
}

interface Followed { readonly port: number, listed: boolean, ready: boolean, readonly stop: () => void }

/** Interval and timeout of readiness probes, in milliseconds. */
const PROBE_MS = 250
const PROBE_TIMEOUT_MS = 1_000

/**
 * A stand-in for a Kubernetes Service: one address in front of the ready servers. Like kube-proxy, it reacts to a
 * change with a delay, selects a server per new connection without a second attempt, and keeps open connections. It
 * passes bytes on at once: Nagle's algorithm would delay the second part of each message by up to 40 ms.
 */
export async function startServiceProxy ({ delay = { min: 1_000, max: 3_000 } }: ServiceProxyOptions = {}) {
  const followed = new Set<Followed>()
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (client) => {
    const listed = [...followed].filter((endpoint) => endpoint.listed)
    const chosen = listed[Math.floor(Math.random() * listed.length)]
    if (chosen === undefined) client.resetAndDestroy()
    else relay(client, connect({ port: chosen.port, host: '127.0.0.1', noDelay: true }), sockets)
  })
  return {
    url: `https://127.0.0.1:${await listening(server)}`,
    /** Probes a server until its removal. */
    add: ({ url, probeUrl }: Endpoint): { isListed: () => boolean, remove: () => void } => {
      const endpoint = follow({ port: Number(new URL(url).port), probeUrl, delay })
      followed.add(endpoint)
      return {
        isListed: () => endpoint.listed,
        remove: () => {
          endpoint.stop()
          followed.delete(endpoint)
        }
      }
    },
    close: async () => {
      for (const endpoint of followed) endpoint.stop()
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    }
  }
}

/** Relays bytes, ends and resets. */
function relay (client: Socket, upstream: Socket, sockets: Set<Socket>): void {
  for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
    sockets.add(from)
    from.on('error', () => { reset(to) })
    from.on('close', () => {
      sockets.delete(from)
      if (!to.writableEnded) to.end()
    })
    from.pipe(to)
  }
}

/** Node never closes a socket that is reset during its end, so the reset waits for that. */
function reset (socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.once('finish', () => { socket.resetAndDestroy() })
  else socket.resetAndDestroy()
}

interface FollowOptions extends Required<ServiceProxyOptions> { readonly port: number, readonly probeUrl: string }

function follow ({ port, probeUrl, delay }: FollowOptions): Followed {
  const timers = new Set<NodeJS.Timeout>()
  const endpoint: Followed = {
    port,
    listed: false,
    ready: false,
    stop: () => {
      clearInterval(probing)
      for (const timer of timers) clearTimeout(timer)
    }
  }
  const look = async (): Promise<void> => {
    const probe = fetch(`${probeUrl}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })
    const ready = await probe.then(({ ok }) => ok, () => false)
    if (ready === endpoint.ready) return
    endpoint.ready = ready
    const timer = setTimeout(() => {
      endpoint.listed = endpoint.ready // the current value: an older change must not undo a newer one
      timers.delete(timer)
    }, delay.min + Math.random() * (delay.max - delay.min))
    timers.add(timer)
  }
  const probing = setInterval(() => { look().catch(() => {}) }, PROBE_MS)
  return endpoint
}
