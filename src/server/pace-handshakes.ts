import type { Server, Socket } from 'node:net'

type Listener = (socket: Socket) => void

/**
 * Has a TLS server begin its handshakes one a turn, each once the caller has sent something, in the order in which they came: a handshake takes a
 * millisecond, and a review beside hundreds that come together would wait for all of them. Who sends nothing within the limit, in milliseconds, is cut off,
 * and has cost no more than a socket. To be called before anybody else listens to the server's connections; they are told at once.
 */
export function paceHandshakes (server: Server, limit: number): void {
  const begin = server.listeners('connection') as Listener[] // Node's own
  server.removeAllListeners('connection')
  const waiting: Socket[] = []
  const goOn = (): void => {
    const socket = waiting.shift()
    if (socket?.destroyed === false) {
      socket.setTimeout(0).off('timeout', cutOff).off('error', ignore)
      for (const listener of begin) listener.call(server, socket)
    }
    if (waiting.length > 0) setImmediate(goOn)
  }
  server.on('connection', (socket: Socket) => {
    socket.on('error', ignore) // a caller that hangs up meanwhile
    socket.setTimeout(limit).on('timeout', cutOff)
    socket.once('readable', () => { // the bytes stay where they are, and TLS takes them from there
      if (socket.readableLength === 0) socket.destroy()
      else if (waiting.push(socket) === 1) setImmediate(goOn)
    })
  })
}

function cutOff (this: Socket): void {
  this.destroy()
}

function ignore (): void {}
