/** Reviews that are on their way at once; beyond it the API server is asked to come back. */
const MAX_IN_FLIGHT = 1_024

/** Whether reviews are taken: it knows why not, how many are on their way, and whether the server is about to end. */
export class AdmissionGate {
  readonly #unready: () => string | undefined
  readonly #maxInFlight: number
  #arriving = 0
  #inFlight = 0
  #taken = 0
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

  /** Calls of which the body is still to come. Whoever sends it slowly is in nobody's way. */
  get arriving (): number {
    return this.#arriving
  }

  /** Reviews that came whole, and are being judged. */
  get inFlight (): number {
    return this.#inFlight
  }

  /** How many reviews were taken in since the start. */
  get admitted (): number {
    return this.#taken
  }

  /** Why no call is taken; undefined where one is. */
  shedReason (): string | undefined {
    if (this.#shut) return 'the server is shutting down'
    return this.#unready() ?? (this.#inFlight >= this.#maxInFlight ? 'the server is overloaded' : undefined)
  }

  /** Why `/readyz` fails; undefined where it does not. */
  notReadyReason (): string | undefined {
    return this.#draining ? 'the server is shutting down' : this.#unready()
  }

  /** The headers of a call have come, and its body is on its way. */
  bodyStarted (): void { this.#arriving++ }

  /** Once for each that was: it is there, or will never be. */
  bodyEnded (): void { this.#arriving-- }

  enter (): void {
    this.#inFlight++
    this.#taken++
  }

  leave (): void { this.#inFlight-- }

  /** From now on readiness fails and each reply closes its connection; reviews are still answered. */
  drain (): void { this.#draining = true }

  /** From now on reviews are turned away. */
  close (): void { this.#shut = true }
}
