import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ServerLimits } from '../limits.ts'
import type { Clock } from '../../platform/clock.ts'

export interface ConnectionsOptions {
  readonly server: Server
  readonly limits: Pick<ServerLimits, 'connections' | 'peerConnections' | 'reading' | 'unackedBytes' | 'sweep'>
  readonly clock: Clock
}

interface Connection {
  readonly raw: Socket
  /** Address of the caller. */
  readonly peer: string
  /** Once the handshake is done. */
  tls: TLSSocket | undefined
  /** Whether a call on it has ever been answered with success. */
  hasServed: boolean
  /** Calls on it that are on their way. */
  calls: number
  /** Grows with every use: of two connections the one with the lower number was of use longer ago. */
  used: number
  /** Bytes of answers that were given and not yet taken, and since when, in milliseconds, the first of them waits. */
  unackedBytes: number
  unackedSince: number
  /** Closed, or cut off: no answer on it leaves any more. */
  isGone: boolean
}

/**
 * A call, by which its answer is found again: nothing is kept anywhere else of what comes and goes with every review.
 */
interface Call { readonly connection: Connection, bytes: number }

const CALL = Symbol('call')

interface TrackedResponse extends ServerResponse { [CALL]?: Call }

/**
 * The connections of one server. Where there are too many, in all or of one caller, the one that has shown nothing for
 * the longest time makes room: first those on which no call has ever succeeded, then those that are idle. So nobody who
 * merely holds connections keeps others out.
 *
 * A connection whose caller does not take an answer in its time is cut off. All answers that were given and not yet
 * taken share one budget of memory; beyond it the connection of the oldest is cut off, which is that of the slowest
 * reader.
 */
export class Connections {
  readonly #limits: ConnectionsOptions['limits']
  readonly #clock: Clock
  /** By address and port of the caller. Nothing is moved with a call: see `TransientSet`. */
  readonly #connections = new Map<string, Connection>()
  #uses = 0
  #isClosing = false
  /** The same once their handshake is done. */
  readonly #secured = new Map<Socket, Connection>()
  readonly #ofPeer = new Map<string, number>()
  /** Bytes of answers, of all connections. */
  #leaving = 0

  constructor ({ server, limits, clock }: ConnectionsOptions) {
    this.#limits = limits
    this.#clock = clock
    server.on('connection', (socket: Socket) => { this.#take(socket) })
    server.on('secureConnection', (socket: TLSSocket) => {
      const connection = this.#connections.get(keyOf(socket))
      if (connection === undefined) return
      connection.tls = socket
      this.#secured.set(socket, connection)
    })
    server.on('request', (request: IncomingMessage, response: ServerResponse) => { this.#follow(request, response) })
    const sweep = setInterval(() => { this.#cutSlowReaders() }, limits.sweep)
    sweep.unref()
    server.once('close', () => { clearInterval(sweep) })
  }

  get open (): number {
    return this.#connections.size
  }

  /** Bytes of answers that their callers have not taken yet. */
  get unackedBytes (): number {
    return this.#leaving
  }

  /**
   * Has the callers of idle connections close them. A call that is just on its way finds the 503 as its answer, and is
   * tried again on another; a caller that finds it unasked closes the connection. A connection that was simply closed
   * would lose that call.
   */
  closeIdleWith503 (): void {
    for (const { tls, calls } of this.#connections.values()) {
      if (calls === 0 && tls?.writable === true) tls.write(DISMISSAL)
    }
  }

  /** Ends all of them, those in the middle of their handshake, too, and any that come from now on. */
  closeAll (): void {
    this.#isClosing = true
    for (const entry of [...this.#connections]) this.#drop(...entry)
  }

  /** To be told of every answer when it is given, with its bytes. */
  answered (response: TrackedResponse, bytes: number): void {
    const call = response[CALL]
    if (call === undefined || call.connection.isGone) return
    const { connection } = call
    if (connection.unackedBytes === 0) connection.unackedSince = this.#clock.now()
    call.bytes = bytes
    connection.unackedBytes += bytes
    this.#leaving += bytes
    for (let slowest; this.#leaving > this.#limits.unackedBytes && (slowest = this.#slowestReader()) !== undefined;) { this.#cut(slowest) }
  }

  #take (raw: Socket): void {
    const key = keyOf(raw)
    const peer = raw.remoteAddress ?? ''
    if (this.#isClosing || !this.#hasRoom(peer)) {
      raw.destroy()
      return
    }
    this.#connections.set(key, {
      raw,
      peer,
      tls: undefined,
      hasServed: false,
      calls: 0,
      used: ++this.#uses,
      unackedBytes: 0,
      unackedSince: 0,
      isGone: false
    })
    this.#ofPeer.set(peer, this.#countOf(peer) + 1)
    raw.once('close', () => { this.#forget(key, raw) })
  }

  #hasRoom (peer: string): boolean {
    const { connections, peerConnections } = this.#limits
    if (this.#countOf(peer) >= peerConnections) return this.#dropOne((connection) => connection.peer === peer)
    return this.#connections.size < connections || this.#dropOne(() => true)
  }

  #dropOne (isMeant: (connection: Connection) => boolean): boolean {
    let worst: [string, Connection] | undefined
    for (const entry of this.#connections) {
      const [, connection] = entry
      const isIdle = !connection.hasServed || connection.calls === 0
      if (isIdle && isMeant(connection) && (worst === undefined || isWorse(connection, worst[1]))) worst = entry
    }
    if (worst !== undefined) this.#drop(...worst)
    return worst !== undefined
  }

  #drop (key: string, { raw, tls }: Connection): void {
    this.#forget(key, raw)
    tls?.destroy()
    raw.destroy()
  }

  #forget (key: string, raw: Socket): void {
    const connection = this.#connections.get(key)
    if (connection?.raw !== raw) return
    this.#connections.delete(key)
    this.#giveUpAnswers(connection)
    if (connection.tls !== undefined) this.#secured.delete(connection.tls)
    const left = this.#countOf(connection.peer) - 1
    if (left > 0) this.#ofPeer.set(connection.peer, left)
    else this.#ofPeer.delete(connection.peer)
  }

  #countOf (peer: string): number {
    return this.#ofPeer.get(peer) ?? 0
  }

  #follow ({ socket }: IncomingMessage, response: TrackedResponse): void {
    const connection = this.#secured.get(socket)
    if (connection === undefined) return
    const call: Call = { connection, bytes: 0 }
    response[CALL] = call
    connection.calls++
    response.on('close', () => {
      connection.calls--
      this.#taken(call)
      if (response.statusCode !== 200 || !response.writableFinished) return
      connection.hasServed = true
      connection.used = ++this.#uses
    })
  }

  #taken ({ connection, bytes }: Call): void {
    if (connection.isGone) return
    connection.unackedBytes -= bytes
    this.#leaving -= bytes
    if (connection.unackedBytes > 0) connection.unackedSince = this.#clock.now()
  }

  #cutSlowReaders (): void {
    const now = this.#clock.now()
    for (const connection of this.#secured.values()) {
      if (connection.unackedBytes > 0 && now - connection.unackedSince >= this.#limits.reading) this.#cut(connection)
    }
  }

  #slowestReader (): Connection | undefined {
    let slowest: Connection | undefined
    for (const connection of this.#secured.values()) {
      if (connection.unackedBytes > 0 && (slowest === undefined || connection.unackedSince < slowest.unackedSince)) { slowest = connection }
    }
    return slowest
  }

  #cut (connection: Connection): void {
    this.#giveUpAnswers(connection)
    connection.tls?.destroy()
  }

  #giveUpAnswers (connection: Connection): void {
    this.#leaving -= connection.unackedBytes
    connection.unackedBytes = 0
    connection.isGone = true
  }
}

/** One that has shown nothing before one that is idle, and of two alike the one that was of use longer ago. */
function isWorse (one: Connection, other: Connection): boolean {
  return one.hasServed === other.hasServed ? one.used < other.used : other.hasServed
}

/** Tells a connection from any other that is open, before and after its handshake. */
function keyOf ({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? ''} ${remotePort ?? ''}`
}

const MESSAGE = JSON.stringify({ error: 'the server is shutting down; try again' })
const DISMISSAL = `HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${MESSAGE.length}\r\n\r\n${MESSAGE}`
