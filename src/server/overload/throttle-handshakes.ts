import type { Server, Socket } from 'node:net'

/** More than any ClientHello has, in bytes. */
const MAX_UNREAD = 32 * 1024

type Listener = (socket: Socket) => void

/**
 * Has a TLS server begin its handshakes one a turn, each once the caller has sent something, in the order in which they
 * came: a handshake takes a millisecond, and a review beside hundreds that come together would wait for all of them.
 * Who sends nothing within the limit, in milliseconds, or more than a handshake begins with, is cut off, and has cost
 * no more than a socket. To be called before anybody else listens to the server's connections; they are told at once.
 */
export function throttleHandshakes (server: Server, limit: number): void {
  const begin = server.listeners('connection') as Listener[] // Node's own
  server.removeAllListeners('connection')
  /** Those that have sent something; and how to hand each of them over. */
  const waiting = new Map<Socket, () => void>()
  let isScheduled = false
  const schedule = (): void => {
    if (isScheduled || waiting.size === 0) return
    isScheduled = true
    setImmediate(goOn)
  }
  const goOn = (): void => {
    isScheduled = false
    for (const [socket, handOver] of waiting) {
      waiting.delete(socket)
      if (socket.destroyed) continue
      schedule()
      handOver()
      return
    }
  }
  server.on('connection', (socket: Socket) => {
    const forget = (): void => { waiting.delete(socket) }
    const hear = (): void => { // the bytes stay where they are, and TLS takes them from there
      if (socket.readableLength === 0 || socket.readableLength > MAX_UNREAD) socket.destroy()
      else if (!waiting.has(socket)) {
        socket.setTimeout(0)
        waiting.set(socket, handOver)
        schedule()
      }
    }
    const handOver = (): void => {
      socket.off('readable', hear).off('close', forget).off('timeout', cutOff).off('error', ignore)
      for (const listener of begin) listener.call(server, socket)
    }
    socket.on('error', ignore) // a caller that hangs up meanwhile
    socket.setTimeout(limit).on('timeout', cutOff).on('close', forget).on('readable', hear)
  })
}

function cutOff (this: Socket): void {
  this.destroy()
}

function ignore (): void {}
