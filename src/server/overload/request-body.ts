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
