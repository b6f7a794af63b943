/** Keeps one of several equal values. Clears itself when full: values in use stay valid and are shared again later. */
export class Interner<Value> {
  readonly #textOf: (value: Value) => string
  readonly #values = new Map<string, Value>()
  /** Sum of the keys' lengths, in UTF-16 code units. */
  #length = 0

  /** Values with the same text are equal. */
  constructor (textOf: (value: Value) => string) {
    this.#textOf = textOf
  }

  intern (value: Value): Value {
    const text = this.#textOf(value)
    const known = this.#values.get(text)
    if (known !== undefined) return known
    if (text.length > MAX_LENGTH) return value
    this.#length += text.length
    if (this.#length > MAX_LENGTH) {
      this.#values.clear()
      this.#length = text.length
    }
    this.#values.set(text, value)
    return value
  }
}

/** Room for the blocks of 20,000 configurations. */
const MAX_LENGTH = 8 * 1024 * 1024

export function textInterner (): Interner<string> {
  return new Interner((text) => text)
}
