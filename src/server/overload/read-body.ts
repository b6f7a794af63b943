import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { AdmissionGate } from '../lifecycle/admission-gate.ts'
import type { ServerLimits } from '../limits.ts'
import { hasTimedOut } from './refuse-connection.ts'
import { NOWHERE, SwapRemoveList, type Transient } from './swap-remove-list.ts'

export interface BodyReaderOptions {
  readonly limits: Pick<ServerLimits, 'reviewBytes' | 'arrivingBytes'>
  readonly gate: AdmissionGate
  /** A caller went away before its body was whole. */
  readonly onGone: () => void
}

/** An error that Fastify answers with this status. */
class BodyRefused extends Error {
  readonly statusCode: 400 | 413 | 503

  constructor (statusCode: BodyRefused['statusCode'], message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

/** As Fastify calls back. */
type Done = (error: Error | null, body?: RequestBody) => void

/**
 * Of all bodies in one turn; those that bring more go on in another, so that a review beside them need not wait for
 * what the network holds of them.
 */
const TURN_BYTES = 256 * 1024

/**
 * Streams that go on in one turn: each brings a chunk before it can be paused again, which is of one TLS record, and so
 * of up to 16 KiB.
 */
const RESUMED_AT_ONCE = TURN_BYTES / (16 * 1024)

/** Bodies that are given up in one turn. Few: to answer hundreds in one would hold reviews up. */
const GIVEN_UP_AT_ONCE = 2

/** Chunks below this are put together, in pieces of how many bytes at first and at most. */
const SMALL_BYTES = 4 * 1024
const FIRST_TAIL_BYTES = 1024
const TAIL_BYTES = 16 * 1024

/**
 * Reads bodies as a content type parser of Fastify. All that are on their way share one budget of memory. Beyond it the
 * oldest is given up of those that keep at least a quarter of what all keep on average, and the others wait until there
 * is room. The oldest is the one whose sender takes its time; what keeps less would make no room. Who comes in one
 * chunk neither waits nor makes others wait.
 */
export function bodyReader ({ limits, gate, onGone }: BodyReaderOptions) {
  const arriving = new SwapRemoveList<RequestBody>()
  let kept = 0
  const paced = readBudget(() => {
    for (let times = 0; times < GIVEN_UP_AT_ONCE && kept > limits.arrivingBytes; times++) {
      const least = kept / arriving.size / 4
      arriving.oldest((body) => body.kept >= least)?.giveUp()
    }
    return kept <= limits.arrivingBytes
  })
  return (request: FastifyRequest, payload: IncomingMessage, done: Done): void => {
    const body = new RequestBody(limits.reviewBytes)
    const declared = Number(payload.headers['content-length'])
    let isSettled = false
    gate.bodyStarted()
    const settle = (error: Error | null, whole?: RequestBody): void => {
      if (isSettled) return
      isSettled = true
      if (arriving.delete(body)) kept -= body.kept
      gate.bodyEnded()
      if (error !== null) payload.off('data', onData)
      done(error, whole)
    }
    // by its name: a function written where it is assigned to a field is old to V8 from its birth, and keeps the
    // request until a major collection
    const giveUp = (): void => { settle(new BodyRefused(503, 'too many bodies are on their way')) }
    const follow = (chunk: Buffer, before: number): void => {
      if (body.place === NOWHERE) {
        body.since = performance.now()
        body.giveUp = giveUp
        arriving.add(body)
      }
      kept += body.kept - before
      if (body.length !== declared && (before > 0 || kept > limits.arrivingBytes)) paced(payload, chunk.length)
    }
    const onData = (chunk: Buffer): void => {
      const before = body.kept
      if (!body.add(chunk)) settle(new BodyRefused(413, 'the body is too large'))
      else if (chunk.length !== declared) follow(chunk, before) // else all of it is here, and on its way no longer
    }
    payload.on('data', onData)
    payload.on('end', () => { settle(null, body) })
    payload.on('error', () => {
      if (!isSettled && !hasTimedOut(request.raw.socket)) onGone()
      settle(new BodyRefused(400, 'the body has come to an early end'))
    })
  }
}

/**
 * Pauses a stream whose bytes are more than what is left of this turn. Node otherwise reads up to 2 MiB of each
 * connection before it looks at the next. Those that are paused go on a few at a time, in turns in which there is room,
 * which each turn makes some of.
 */
function readBudget (makeRoom: () => boolean): (payload: IncomingMessage, bytes: number) => void {
  let left = TURN_BYTES
  const paused: IncomingMessage[] = []
  let isScheduled = false
  const schedule = (): void => {
    if (isScheduled) return
    isScheduled = true
    setImmediate(begin)
  }
  const begin = (): void => {
    isScheduled = false
    const hasRoom = makeRoom()
    left = hasRoom ? TURN_BYTES : 0
    const resumed = hasRoom ? paused.splice(0, RESUMED_AT_ONCE) : []
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

/**
 * The pieces of a body as they come; small ones are put together, since tiny ones would take many times their bytes.
 */
export class RequestBody implements Transient {
  place = NOWHERE
  since = 0
  readonly #limit: number
  #pieces: Buffer[] = NONE
  /** Where small chunks are put together, and how far it is filled. */
  #tail: Buffer = EMPTY
  #filled = 0
  #nextTail = FIRST_TAIL_BYTES
  #length = 0
  #kept = 0
  giveUp: () => void = () => undefined

  constructor (limit: number) {
    this.#limit = limit
  }

  /** Bytes of memory that it takes. */
  get kept (): number {
    return this.#kept
  }

  /** False where it would become longer than it may. */
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

  /** In bytes. */
  get length (): number {
    return this.#length
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

const EMPTY = Buffer.alloc(0)
const NONE: Buffer[] = []
