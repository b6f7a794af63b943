import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../../platform/clock.ts'
import type { ServerLimits } from '../limits.ts'

export interface ConnectionsOptions {
  readonly server: Server
  readonly limits: Pick<ServerLimits, 'connections' | 'peerConnections' | 'responseMs' | 'unackedBytes' | 'sweepMs'>
  readonly clock: Clock
}

interface Connection {
  readonly raw: Socket
  /** Address of the client. */
  readonly peer: string
  /** Set after the handshake. */
  tls: TLSSocket | undefined
  /** Whether any request on it has succeeded. */
  hasServed: boolean
  requests: number
  /** Grows with each use: the lower of two numbers was used earlier. */
  used: number
  /** Bytes of responses that the client has not received, and since when, in milliseconds. */
  unackedBytes: number
  unackedSince: number
  /** Closed: no response on it counts any more. */
  isGone: boolean
}

interface TrackedRequest { readonly connection: Connection, bytes: number }

/** On the response, so that no table changes with each review. */
const TRACKED = Symbol('tracked request')

interface TrackedResponse extends ServerResponse { [TRACKED]?: TrackedRequest }

/**
 * The connections of one server. Beyond the limits, in total or per address, one is dropped for the newcomer: first
 * those without a successful request, then idle ones, the least recently used first. A client that only holds
 * connections cannot lock others out.
 *
 * A connection whose client does not read a response in time is dropped. All unread responses share one memory budget;
 * beyond it, the connection with the oldest one is dropped.
 */
export class Connections {
  readonly #limits: ConnectionsOptions['limits']
  readonly #clock: Clock
  /** By address and port of the client. */
  readonly #connections = new Map<string, Connection>()
  /** The same after their handshakes. */
  readonly #secured = new Map<Socket, Connection>()
  readonly #countByPeer = new Map<string, number>()
  #uses = 0
  #unackedBytes = 0
  #isClosing = false

  constructor ({ server, limits, clock }: ConnectionsOptions) {
    this.#limits = limits
    this.#clock = clock
    server.on('connection', (socket: Socket) => { this.#accept(socket) })
    server.on('secureConnection', (socket: TLSSocket) => {
      const connection = this.#connections.get(connectionKey(socket))
      if (connection === undefined) return
      connection.tls = socket
      this.#secured.set(socket, connection)
    })
    server.on('request', (request: IncomingMessage, response: ServerResponse) => { this.#track(request, response) })
    const sweep = setInterval(() => { this.#dropSlowReaders() }, limits.sweepMs)
    sweep.unref()
    server.once('close', () => { clearInterval(sweep) })
  }

  get open (): number { return this.#connections.size }

  /** Bytes of all responses that clients have not received. */
  get unackedBytes (): number { return this.#unackedBytes }

  /**
   * Sends a 503 on idle connections, so that clients close them. A request that is already on its way takes the 503 as
   * its response, and is retried elsewhere; closing the connection would lose it.
   */
  closeIdleWith503 (): void {
    for (const { tls, requests } of this.#connections.values()) {
      if (requests === 0 && tls?.writable === true) tls.write(SHUTDOWN_RESPONSE)
    }
  }

  /** Closes all connections, also those in a handshake, and any later one. */
  closeAll (): void {
    this.#isClosing = true
    for (const entry of [...this.#connections]) this.#drop(...entry)
  }

  /** Counts a response until the client has received it. */
  responseStarted (response: TrackedResponse, bytes: number): void {
    const request = response[TRACKED]
    if (request === undefined || request.connection.isGone) return
    const { connection } = request
    if (connection.unackedBytes === 0) connection.unackedSince = this.#clock.now()
    request.bytes = bytes
    connection.unackedBytes += bytes
    this.#unackedBytes += bytes
    while (this.#unackedBytes > this.#limits.unackedBytes) {
      const slowest = this.#slowestReader()
      if (slowest === undefined) return
      this.#cut(slowest)
    }
  }

  #accept (raw: Socket): void {
    const key = connectionKey(raw)
    const peer = raw.remoteAddress ?? ''
    if (this.#isClosing || !this.#makeRoom(peer)) {
      raw.destroy()
      return
    }
    this.#connections.set(key, {
      raw,
      peer,
      tls: undefined,
      hasServed: false,
      requests: 0,
      used: ++this.#uses,
      unackedBytes: 0,
      unackedSince: 0,
      isGone: false
    })
    this.#countByPeer.set(peer, this.#countOf(peer) + 1)
    raw.once('close', () => { this.#forget(key, raw) })
  }

  #makeRoom (peer: string): boolean {
    const { connections, peerConnections } = this.#limits
    if (this.#countOf(peer) >= peerConnections) return this.#dropOne((connection) => connection.peer === peer)
    return this.#connections.size < connections || this.#dropOne(() => true)
  }

  #dropOne (isCandidate: (connection: Connection) => boolean): boolean {
    let worst: [string, Connection] | undefined
    for (const entry of this.#connections) {
      const [, connection] = entry
      const isIdle = !connection.hasServed || connection.requests === 0
      if (isIdle && isCandidate(connection) && (worst === undefined || isWorse(connection, worst[1]))) worst = entry
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
    this.#discardResponses(connection)
    if (connection.tls !== undefined) this.#secured.delete(connection.tls)
    const left = this.#countOf(connection.peer) - 1
    if (left > 0) this.#countByPeer.set(connection.peer, left)
    else this.#countByPeer.delete(connection.peer)
  }

  #countOf (peer: string): number {
    return this.#countByPeer.get(peer) ?? 0
  }

  #track ({ socket }: IncomingMessage, response: TrackedResponse): void {
    const connection = this.#secured.get(socket)
    if (connection === undefined) return
    const request: TrackedRequest = { connection, bytes: 0 }
    response[TRACKED] = request
    connection.requests++
    response.on('close', () => {
      connection.requests--
      this.#received(request)
      if (response.statusCode !== 200 || !response.writableFinished) return
      connection.hasServed = true
      connection.used = ++this.#uses
    })
  }

  #received ({ connection, bytes }: TrackedRequest): void {
    if (connection.isGone) return
    connection.unackedBytes -= bytes
    this.#unackedBytes -= bytes
    if (connection.unackedBytes > 0) connection.unackedSince = this.#clock.now()
  }

  #dropSlowReaders (): void {
    const now = this.#clock.now()
    for (const connection of this.#secured.values()) {
      if (connection.unackedBytes > 0 && now - connection.unackedSince >= this.#limits.responseMs) this.#cut(connection)
    }
  }

  #slowestReader (): Connection | undefined {
    let slowest: Connection | undefined
    for (const connection of this.#secured.values()) {
      if (connection.unackedBytes > 0 && (slowest === undefined || connection.unackedSince < slowest.unackedSince)) {
        slowest = connection
      }
    }
    return slowest
  }

  #cut (connection: Connection): void {
    this.#discardResponses(connection)
    connection.tls?.destroy()
  }

  #discardResponses (connection: Connection): void {
    this.#unackedBytes -= connection.unackedBytes
    connection.unackedBytes = 0
    connection.isGone = true
  }
}

/** Whether to drop `one` first: without a successful request first, then the least recently used. */
function isWorse (one: Connection, other: Connection): boolean {
  return one.hasServed === other.hasServed ? one.used < other.used : other.hasServed
}

/** Identifies an open connection, before and after its handshake. */
function connectionKey ({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? ''} ${remotePort ?? ''}`
}

const SHUTDOWN_BODY = JSON.stringify({ error: 'the server is shutting down; try again' })
const SHUTDOWN_RESPONSE = 'HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n' +
  `content-type: application/json\r\ncontent-length: ${SHUTDOWN_BODY.length}\r\n\r\n${SHUTDOWN_BODY}`
