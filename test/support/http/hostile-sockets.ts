import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/**
 * What is never finished: the handshake, the headers or the body, of which a byte comes now and then, or the taking of
 * the answer.
 */
export type Hostility = 'handshake' | 'headers' | 'body' | 'answer'

export interface Attack {
  readonly url: string
  /** PEM. */
  readonly ca: string
  /** How many connections of each kind. */
  readonly counts: Readonly<Record<Hostility, number>>
  /** The answer to it must be more than the buffers of a connection hold. */
  readonly largeReview: string
  /** Between two bytes, in milliseconds. */
  readonly gap: number
}

export interface HostileSocket {
  readonly hostility: Hostility
  /** For how long the server bore it, in milliseconds, once it has ended it. */
  readonly ended: Promise<number>
  /** Bytes that the server sent. */
  readonly received: () => number
  /** Takes what has come until now, and whatever still comes. */
  readonly takeAnswer: () => void
  readonly destroy: () => void
}

/** At once; more would have handshakes wait for each other. */
const OPENED_TOGETHER = 25

/** Opens them all, and has each do as it does. */
export async function attack (attack: Attack): Promise<HostileSocket[]> {
  // as the keys are
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
  socket.on('error', () => {}) // being cut off is what is looked for, and may come before it has begun
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
