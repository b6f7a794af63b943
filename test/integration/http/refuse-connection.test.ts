import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { hasTimedOut, refuseConnection } from '../../../src/server/overload/refuse-connection.ts'

/** A socket as far as it is used, which notes what is written to it, and whether it was ended. */
function notingSocket () {
  const noted = {
    text: '',
    ended: false,
    writable: true,
    get bytesWritten () { return noted.text.length },
    write: (text: string) => { noted.text += text },
    destroySoon: () => { noted.ended = true }
  }
  return noted
}

function refuse (code: string, socket: ReturnType<typeof notingSocket>): void {
  refuseConnection({ code }, socket as unknown as Socket)
}

const TIMED_OUT = 'ERR_HTTP_REQUEST_TIMEOUT'

t.test('connections that run out of time together are refused a few in each turn, each once', async (t) => {
  const sockets = Array.from({ length: 10 }, notingSocket)
  for (const socket of [...sockets, ...sockets]) refuse(TIMED_OUT, socket)
  const refused = (): number => sockets.filter(({ ended }) => ended).length
  t.equal(refused(), 0)
  t.ok(sockets.every((socket) => hasTimedOut(socket as unknown as Socket)), 'which is known at once')
  await nextTurn()
  t.ok(refused() > 0 && refused() < 10, `${refused()} in the first turn`)
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  for (const { text } of sockets) t.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n(?![^]*HTTP\/1\.1)/)
})

t.test('a request that is answered before its turn comes is not answered twice', async (t) => {
  const socket = notingSocket()
  refuse(TIMED_OUT, socket)
  socket.write('an answer')
  await nextTurn()
  t.strictSame([socket.text, socket.ended], ['an answer', true])
})

t.test('what is no request is refused at once', async (t) => {
  const socket = notingSocket()
  refuse('HPE_INVALID_METHOD', socket)
  t.match(socket.text, /^HTTP\/1\.1 400 /)
})
