/** Keys that wait, in the order of arrival within their namespace. Namespaces take turns. */
export class FairLine {
  /** Per namespace: its keys and the times since which they wait. The next namespace comes first. */
  readonly #namespaces = new Map<string, Map<string, number>>()
  readonly #namespaceOf: (key: string) => string
  #size = 0

  constructor (namespaceOf: (key: string) => string) {
    this.#namespaceOf = namespaceOf
  }

  get size (): number {
    return this.#size
  }

  /** Since when the key waits; undefined if it does not. */
  since (key: string): number | undefined {
    return this.#namespaces.get(this.#namespaceOf(key))?.get(key)
  }

  /** Appends a key, unless it waits already. */
  add (key: string, since: number): void {
    const namespace = this.#namespaceOf(key)
    const keys = this.#namespaces.get(namespace) ?? new Map<string, number>()
    if (keys.has(key)) return
    keys.set(key, since)
    this.#namespaces.set(namespace, keys)
    this.#size++
  }

  delete (key: string): void {
    const namespace = this.#namespaceOf(key)
    const keys = this.#namespaces.get(namespace)
    if (keys?.delete(key) !== true) return
    this.#size--
    if (keys.size === 0) this.#namespaces.delete(namespace)
  }

  /** The first namespace in turn that satisfies the condition. */
  find (mayStart: (namespace: string) => boolean): string | undefined {
    for (const namespace of this.#namespaces.keys()) if (mayStart(namespace)) return namespace
    return undefined
  }

  /** Removes and returns the first key of a namespace, whose next turn comes after all others. */
  take (namespace: string): { readonly key: string, readonly since: number } | undefined {
    const keys = this.#namespaces.get(namespace)
    const [first] = keys ?? []
    if (keys === undefined || first === undefined) return undefined
    const [key, since] = first
    this.delete(key)
    this.#namespaces.delete(namespace)
    if (keys.size > 0) this.#namespaces.set(namespace, keys)
    return { key, since }
  }
}
