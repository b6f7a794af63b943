/**
 * Values of which equal ones are kept once. Forgets them all where they are too many: what is kept elsewhere stays, and
 * is then shared anew.
 */
export class Interner<Value> {
  readonly #textOf: (value: Value) => string
  readonly #values = new Map<string, Value>()
  /** Of their texts, in UTF-16 code units. */
  #length = 0

  /** `textOf` tells values apart. */
  constructor (textOf: (value: Value) => string) {
    this.#textOf = textOf
  }

  of (value: Value): Value {
    return this.byText(this.#textOf(value), () => value)
  }

  /** The value of this text, made where it is not known. */
  byText (text: string, make: () => Value): Value {
    const known = this.#values.get(text)
    if (known !== undefined) return known
    const value = make()
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

/** Blocks of twenty thousand configurations. */
const MAX_LENGTH = 8 * 1024 * 1024

/** Texts of which equal ones are kept once. */
export function textInterner (): Interner<string> {
  return new Interner((text) => text)
}
