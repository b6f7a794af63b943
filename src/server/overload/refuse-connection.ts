/** Perf: longest turn of the event loop when 600 requests time out, 48 to 7 ms; remove if the gain drops below 10 %. */
import type { Socket } from 'node:net'

/** Timed-out connections refused per turn of the event loop: hundreds may time out at once and delay reviews. */
const REFUSED_PER_TURN = 4

/** Responds to a malformed or incomplete request and closes its connection; a failed TLS handshake gets no response. */
export function refuseConnection ({ code }: { readonly code: string }, socket: Socket): void {
  if (code !== TIMED_OUT) refuse(code, socket)
  else if (!timedOut.has(socket)) {
    timedOut.add(socket)
    if (overdue.push({ socket, written: socket.bytesWritten }) === 1) setImmediate(refuseOverdue)
  }
}

/** Timed-out connections in line, with the bytes written to each at its timeout. */
const overdue: Array<{ readonly socket: Socket, readonly written: number }> = []

function refuseOverdue (): void {
  for (const { socket, written } of overdue.splice(0, REFUSED_PER_TURN)) {
    if (socket.bytesWritten === written) refuse(TIMED_OUT, socket)
    else socket.destroySoon() // its request has a response by now
  }
  if (overdue.length > 0) setImmediate(refuseOverdue)
}

function refuse (code: string, socket: Socket): void {
  const refusal = REFUSALS[code] ?? (code.startsWith('HPE_') ? MALFORMED : undefined)
  if (refusal === undefined || !socket.writable) {
    socket.destroy()
    return
  }
  const { status, error } = refusal
  const body = JSON.stringify({ error })
  socket.write(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
    `content-length: ${body.length}\r\n\r\n${body}`
  )
  socket.destroySoon()
}

/** Whether a connection was refused because its request timed out. */
export function hasTimedOut (socket: Socket): boolean {
  return timedOut.has(socket)
}

const timedOut = new WeakSet<Socket>()

const TIMED_OUT = 'ERR_HTTP_REQUEST_TIMEOUT'

const MALFORMED = { status: '400 Bad Request', error: 'the request is malformed' }
const REFUSALS: Readonly<Record<string, typeof MALFORMED>> = {
  [TIMED_OUT]: { status: '408 Request Timeout', error: 'the request was not complete in time' },
  HPE_HEADER_OVERFLOW: { status: '431 Request Header Fields Too Large', error: 'the headers are too large' }
}
