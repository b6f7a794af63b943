import type { Socket } from 'node:net'

/**
 * Refused in one turn: hundreds may run out of time in the same moment, and reviews would have to wait for all of them.
 */
const AT_ONCE = 4

/**
 * Answers what is no HTTP request, or took too long to become one, and closes its connection. A failed TLS handshake
 * gets no answer.
 */
export function refuseConnection ({ code }: { readonly code: string }, socket: Socket): void {
  if (code !== TIMED_OUT) refuse(code, socket)
  else if (!timedOut.has(socket)) {
    timedOut.add(socket)
    if (overdue.push({ socket, written: socket.bytesWritten }) === 1) setImmediate(refuseOverdue)
  }
}

/** Those whose turn has not come yet, and what had been written to them by then. */
const overdue: Array<{ readonly socket: Socket, readonly written: number }> = []

function refuseOverdue (): void {
  for (const { socket, written } of overdue.splice(0, AT_ONCE)) {
    if (socket.bytesWritten === written) refuse(TIMED_OUT, socket)
    else socket.destroySoon() // its request has been answered after all
  }
  if (overdue.length > 0) setImmediate(refuseOverdue)
}

function refuse (code: string, socket: Socket): void {
  const status = STATUS[code] ?? (code.startsWith('HPE_') ? '400 Bad Request' : undefined)
  if (status === undefined || !socket.writable) {
    socket.destroy()
    return
  }
  const body = JSON.stringify({ error: 'the request cannot be read' })
  socket.write(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  )
  socket.destroySoon()
}

/** Whether this connection was refused because its request took too long. */
export function hasTimedOut (socket: Socket): boolean {
  return timedOut.has(socket)
}

const timedOut = new WeakSet<Socket>()

const TIMED_OUT = 'ERR_HTTP_REQUEST_TIMEOUT'

const STATUS: Readonly<Record<string, string>> = {
  [TIMED_OUT]: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large'
}
