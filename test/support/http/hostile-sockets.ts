import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** The stage that a socket never finishes: it sends a byte from time to time, or does not read the response. */
export type Hostility = 'handshake' | 'headers' | 'body' | 'answer'

export interface Attack {
  readonly url: string
  /** PEM. */
  readonly ca: string
  /** Connections per kind. */
  readonly counts: Readonly<Record<Hostility, number>>
  /** Its response must exceed the buffers of a connection. */
  readonly largeReview: string
  /** Between two bytes, in milliseconds. */
  readonly gap: number
}

export interface HostileSocket {
  readonly hostility: Hostility
  /** Resolves when the server closes the connection, with its duration in milliseconds. */
  readonly ended: Promise<number>
  /** Bytes that the server sent. */
  readonly received: () => number
  /** Starts to read the response. */
  readonly takeAnswer: () => void
  readonly destroy: () => void
}

/** Sockets opened at once; with more, handshakes would delay each other. */
const OPENED_TOGETHER = 25

/** Opens all sockets of an attack. */
export async function attack (attack: Attack): Promise<HostileSocket[]> {
  // the keys are hostilities
  const due = Object.entries(attack.counts).flatMap(([hostility, count]) =>
    Array.from({ length: count }, () => hostility as Hostility)
  )
  const opened: HostileSocket[] = []
  while (due.length > 0) {
    opened.push(
      ...(await Promise.all(due.splice(0, OPENED_TOGETHER).map(async (hostility) => await hold(hostility, attack))))
    )
  }
  return opened
}

async function hold (hostility: Hostility, attack: Attack): Promise<HostileSocket> {
  const socket = await open(hostility, attack)
  const began = performance.now()
  let [received, dripping]: [number, NodeJS.Timeout | undefined] = [0, undefined]
  const ended = new Promise<number>((resolve) => {
    if (socket.closed) resolve(0)
    socket.once('close', () => {
      clearInterval(dripping)
      resolve(performance.now() - began)
    })
  })
  const takeAnswer = (): void => { socket.on('data', ({ length }: Buffer) => { received += length }) }
  socket.write(BEGINNINGS[hostility](attack))
  if (hostility !== 'answer') {
    takeAnswer()
    if (!socket.closed) dripping = setInterval(() => { socket.write(DROPS[hostility]) }, attack.gap)
  }
  return { hostility, ended, received: () => received, takeAnswer, destroy: () => { socket.destroy() } }
}

async function open (hostility: Hostility, { url, ca }: Attack): Promise<Socket> {
  const address = { host: '127.0.0.1', port: Number(new URL(url).port) }
  const [socket, event] =
    hostility === 'handshake' ? [connectTcp(address), 'connect'] : [connectTls({ ...address, ca }), 'secureConnect']
  socket.on('error', () => {}) // the server disconnects it, maybe before it is open
  await new Promise((resolve) => { socket.once(event, resolve).once('close', resolve) })
  return socket
}

const HEAD = 'POST /mutate/aimservices HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n'

const BEGINNINGS: Readonly<Record<Hostility, (attack: Attack) => string | Uint8Array>> = {
  handshake: () => Uint8Array.of(0x16, 0x03, 0x01, 0x3f, 0xff, 0x01), // a ClientHello of 16 KiB
  headers: () => `${HEAD}x-slow: `,
  body: () => `${HEAD}content-length: 1000000\r\n\r\n{`,
  answer: ({ largeReview }) => `${HEAD}content-length: ${largeReview.length}\r\n\r\n${largeReview}`
}

const DROPS = { handshake: Uint8Array.of(0), headers: 'x', body: ' ' }
