/**
 * Entries in the order of arrival within their namespace. Namespaces take turns. Beyond the limit, the namespace with
 * the most entries loses its oldest one.
 */
export class FairQueue<K, V> {
  /** No inner map is empty; the next namespace comes first. */
  readonly #namespaces = new Map<string, Map<K, V>>()
  readonly #limit: number
  #size = 0

  constructor (limit = Infinity) { this.#limit = limit }

  get size (): number { return this.#size }

  get (namespace: string, key: K): V | undefined {
    return this.#namespaces.get(namespace)?.get(key)
  }

  /** Replaces an entry with the same key, in its place. */
  set (namespace: string, key: K, value: V): void {
    const entries = this.#namespaces.get(namespace) ?? new Map<K, V>()
    if (!entries.has(key)) this.#size++
    this.#namespaces.set(namespace, entries.set(key, value))
    if (this.#size <= this.#limit) return
    const [largest] = Array.from(this.#namespaces).reduce((most, each) => each[1].size > most[1].size ? each : most)
    this.#takeFrom(largest)
  }

  delete (namespace: string, key: K): void {
    const entries = this.#namespaces.get(namespace)
    if (entries?.delete(key) !== true) return
    this.#size--
    if (entries.size === 0) this.#namespaces.delete(namespace)
  }

  /** Removes and returns the oldest entry of the first namespace that satisfies the condition. */
  take (mayTake: (namespace: string) => boolean = () => true): readonly [K, V] | undefined {
    for (const [namespace, entries] of this.#namespaces) {
      if (!mayTake(namespace)) continue
      const taken = this.#takeFrom(namespace)
      this.#namespaces.delete(namespace)
      if (entries.size > 0) this.#namespaces.set(namespace, entries) // now the last in the round
      return taken
    }
    return undefined
  }

  clear (): void {
    this.#namespaces.clear()
    this.#size = 0
  }

  #takeFrom (namespace: string): readonly [K, V] | undefined {
    const [oldest] = this.#namespaces.get(namespace) ?? []
    if (oldest !== undefined) this.delete(namespace, oldest[0])
    return oldest
  }
}
