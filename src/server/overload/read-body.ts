/** Perf: bytes per turn of the event loop, 100 paused bodies, 1.6 to 0.5 MiB; remove if the gain drops below 10 %. */
import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { ServerLimits } from '../limits.ts'
import { hasTimedOut } from './refuse-connection.ts'

export interface BodyReaderOptions {
  readonly limits: Pick<ServerLimits, 'reviewBytes' | 'arrivingBytes'>
  /** A client disconnected before its body was complete. */
  readonly onGone: () => void
}

/** An error that Fastify turns into this status. */
class BodyRefused extends Error {
  readonly statusCode: 400 | 413 | 503

  constructor (statusCode: BodyRefused['statusCode'], message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

type Done = (error: Error | null, body?: RequestBody) => void

/** Bytes that are read from all bodies per turn of the event loop: other reviews wait for it. */
const TURN_BYTES = 256 * 1024

/** Streams resumed per turn. Each delivers one chunk before it can be paused again: a TLS record of up to 16 KiB. */
const RESUMED_PER_TURN = TURN_BYTES / (16 * 1024)

/** Bodies refused per turn. Hundreds of responses in one turn would delay other reviews. */
const REFUSED_PER_TURN = 2

/**
 * A content type parser of Fastify. All incomplete bodies share one memory budget. Beyond it, the oldest body that
 * keeps at least a quarter of the average is refused, and the other streams pause until there is room. The oldest has
 * the slowest client; smaller ones would free little. A body that arrives in one chunk never waits.
 */
export function bodyReader ({ limits, onGone }: BodyReaderOptions) {
  /** In the order of arrival, with how to refuse each. */
  const arriving = new Map<RequestBody, () => void>()
  let kept = 0
  const pace = readBudget(() => {
    for (let times = 0; times < REFUSED_PER_TURN && kept > limits.arrivingBytes; times++) {
      const least = kept / arriving.size / 4
      const [oldest] = arriving.keys().filter((body) => body.kept >= least)
      if (oldest !== undefined) arriving.get(oldest)?.()
    }
    return kept <= limits.arrivingBytes
  })
  return (request: FastifyRequest, payload: IncomingMessage, done: Done): void => {
    const body = new RequestBody(limits.reviewBytes)
    const declared = Number(payload.headers['content-length'])
    let isSettled = false
    const settle = (error: Error | null, whole?: RequestBody): void => {
      if (isSettled) return
      isSettled = true
      if (arriving.delete(body)) kept -= body.kept
      if (error !== null) payload.off('data', onData)
      done(error, whole)
    }
    const follow = (chunk: Buffer, before: number): void => {
      if (!arriving.has(body)) arriving.set(body, () => { settle(new BodyRefused(503, 'too many incomplete bodies')) })
      kept += body.kept - before
      if (body.length !== declared && (before > 0 || kept > limits.arrivingBytes)) pace(payload, chunk.length)
    }
    const onData = (chunk: Buffer): void => {
      const before = body.kept
      if (!body.add(chunk)) settle(new BodyRefused(413, 'the body is too large'))
      else if (chunk.length !== declared) follow(chunk, before) // otherwise the body is complete
    }
    payload.on('data', onData)
    payload.on('end', () => { settle(null, body) })
    payload.on('error', () => {
      if (!isSettled && !hasTimedOut(request.raw.socket)) onGone()
      settle(new BodyRefused(400, 'the body is incomplete'))
    })
  }
}

/**
 * Pauses streams beyond the bytes of a turn: Node reads up to 2 MiB of one connection before it serves the next. Paused
 * streams resume a few per turn, in turns with room, which `makeRoom` provides and reports.
 */
function readBudget (makeRoom: () => boolean): (payload: IncomingMessage, bytes: number) => void {
  let left = TURN_BYTES
  const paused: IncomingMessage[] = []
  let isScheduled = false
  const schedule = (): void => {
    if (isScheduled) return
    isScheduled = true
    setImmediate(beginTurn)
  }
  const beginTurn = (): void => {
    isScheduled = false
    const hasRoom = makeRoom()
    left = hasRoom ? TURN_BYTES : 0
    const resumed = hasRoom ? paused.splice(0, RESUMED_PER_TURN) : []
    for (const payload of resumed) payload.resume()
    if (paused.length > 0 || !hasRoom) schedule()
  }
  return (payload, bytes) => {
    schedule()
    left -= bytes
    if (left > 0 || payload.isPaused()) return
    payload.pause()
    paused.push(payload)
  }
}

/** Chunks below this size, in bytes, are copied together into tails: tiny chunks would take many times their bytes. */
const SMALL_BYTES = 4 * 1024
/** First and largest size of a tail. */
const FIRST_TAIL_BYTES = 1024
const TAIL_BYTES = 16 * 1024

const EMPTY = Buffer.alloc(0)
const NONE: Buffer[] = []

/** The chunks of a body as they arrive. */
export class RequestBody {
  readonly #limit: number
  #pieces: Buffer[] = NONE
  #tail: Buffer = EMPTY
  #filled = 0
  #nextTail = FIRST_TAIL_BYTES
  #length = 0
  #kept = 0

  constructor (limit: number) { this.#limit = limit }

  /** In bytes. */
  get length (): number { return this.#length }

  /** Bytes of memory that the body takes. */
  get kept (): number { return this.#kept }

  /** False if the body would exceed the limit. */
  add (chunk: Buffer): boolean {
    if (this.#length + chunk.length > this.#limit) return false
    if (this.#length > 0 && chunk.length < SMALL_BYTES) this.#append(chunk)
    else {
      this.#seal()
      if (this.#pieces.length === 0) this.#pieces = [chunk]
      else this.#pieces.push(chunk)
      this.#kept += chunk.buffer.byteLength
    }
    this.#length += chunk.length
    return true
  }

  pieces (): readonly Buffer[] {
    this.#seal()
    return this.#pieces
  }

  whole (): Buffer {
    const pieces = this.pieces()
    const [first] = pieces
    return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces, this.#length)
  }

  #append (chunk: Buffer): void {
    if (this.#filled + chunk.length > this.#tail.length) {
      this.#seal()
      this.#tail = Buffer.allocUnsafeSlow(Math.max(chunk.length, this.#nextTail))
      this.#kept += this.#tail.length
      this.#nextTail = Math.min(2 * this.#nextTail, TAIL_BYTES)
    }
    chunk.copy(this.#tail, this.#filled)
    this.#filled += chunk.length
  }

  #seal (): void {
    if (this.#filled > 0) this.#pieces.push(this.#tail.subarray(0, this.#filled))
    this.#tail = EMPTY
    this.#filled = 0
  }
}
