/** Where an object stands that is in no set. */
export const NOWHERE = -1

/** An object that is in one such set at most, which writes here where; it knows since when, in milliseconds. */
export interface Transient {
  place: number
  readonly since: number
}

/**
 * Objects that come and go with every request, in no order. A Map or Set makes itself a new table every few of them. A
 * table that has outlived two collections of young objects keeps the table that followed it, and so every object that
 * came after, until a major collection: most of what the server would collect.
 */
export class SwapRemoveList<T extends Transient> {
  readonly #items: T[] = []

  /** Only of an object that is in no set. */
  add (item: T): void {
    item.place = this.#items.length
    this.#items.push(item)
  }

  /** False where it is not here. */
  delete (item: T): boolean {
    const { place } = item
    if (this.#items[place] !== item) return false
    const last = this.#items.pop()
    if (last !== undefined && last !== item) {
      this.#items[place] = last
      last.place = place
    }
    item.place = NOWHERE
    return true
  }

  get size (): number {
    return this.#items.length
  }

  /** Of those that are meant; undefined where there is none. Looks at all of them. */
  oldest (isMeant: (item: T) => boolean): T | undefined {
    let oldest: T | undefined
    for (const item of this.#items) { if (isMeant(item) && (oldest === undefined || item.since < oldest.since)) oldest = item }
    return oldest
  }

  [Symbol.iterator] (): Iterator<T> {
    return this.#items.values()
  }
}
