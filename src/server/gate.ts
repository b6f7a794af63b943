/** Reviews that are on their way at once; beyond it the API server is asked to come back. */
const MAX_IN_FLIGHT = 1_024

/** Whether reviews are taken: it knows why not, how many are on their way, and whether the server is about to end. */
export class Gate {
  readonly #unready: () => string | undefined
  readonly #maxInFlight: number
  #inFlight = 0
  #draining = false
  #shut = false

  /** `unready` says why the server is not ready yet; undefined where it is. */
  constructor (unready: () => string | undefined, maxInFlight = MAX_IN_FLIGHT) {
    this.#unready = unready
    this.#maxInFlight = maxInFlight
  }

  get draining (): boolean {
    return this.#draining
  }

  get inFlight (): number {
    return this.#inFlight
  }

  /** Why no review is taken; undefined where one is. */
  closed (): string | undefined {
    if (this.#shut) return 'the server is shutting down'
    return this.#unready() ?? (this.#inFlight >= this.#maxInFlight ? 'the server is overloaded' : undefined)
  }

  /** Why `/readyz` fails; undefined where it does not. */
  unready (): string | undefined {
    return this.#draining ? 'the server is shutting down' : this.#unready()
  }

  enter (): void { this.#inFlight++ }

  leave (): void { this.#inFlight-- }

  /** From now on readiness fails and each reply closes its connection; reviews are still answered. */
  drain (): void { this.#draining = true }

  /** From now on reviews are turned away. */
  shut (): void { this.#shut = true }
}
