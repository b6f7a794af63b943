import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { hasTimedOut, refuseConnection } from '../../../src/server/overload/refuse-connection.ts'

/** A socket that records what is written to it, and whether it was ended. */
function fakeSocket () {
  const recorded = {
    text: '',
    ended: false,
    writable: true,
    get bytesWritten () { return recorded.text.length },
    write: (text: string) => { recorded.text += text },
    destroySoon: () => { recorded.ended = true }
  }
  return recorded
}

function refuse (code: string, socket: ReturnType<typeof fakeSocket>): void {
  refuseConnection({ code }, socket as unknown as Socket)
}

const TIMED_OUT = 'ERR_HTTP_REQUEST_TIMEOUT'

t.test('refuses connections that time out together a few per turn, each once', async (t) => {
  const sockets = Array.from({ length: 10 }, fakeSocket)
  for (const socket of [...sockets, ...sockets]) refuse(TIMED_OUT, socket)
  const refused = (): number => sockets.filter(({ ended }) => ended).length
  t.equal(refused(), 0)
  t.ok(sockets.every((socket) => hasTimedOut(socket as unknown as Socket)), 'hasTimedOut is true at once')
  await nextTurn()
  t.ok(refused() > 0 && refused() < 10, `${refused()} in the first turn`)
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  for (const { text } of sockets) t.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n(?![^]*HTTP\/1\.1)/)
})

t.test('does not respond to a request twice', async (t) => {
  const socket = fakeSocket()
  refuse(TIMED_OUT, socket)
  socket.write('an answer')
  await nextTurn()
  t.strictSame([socket.text, socket.ended], ['an answer', true])
})

t.test('refuses a malformed request at once', async (t) => {
  const socket = fakeSocket()
  refuse('HPE_INVALID_METHOD', socket)
  t.match(socket.text, /^HTTP\/1\.1 400 /)
})
