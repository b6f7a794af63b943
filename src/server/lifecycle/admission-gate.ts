/** Reviews in flight at most; further reviews are shed. */
const MAX_IN_FLIGHT = 1_024

/** Whether reviews are admitted to this server, and how many are on their way. */
export class AdmissionGate {
  readonly #sourceNotReady: () => string | undefined
  readonly #maxInFlight: number
  #arriving = 0
  #inFlight = 0
  #admitted = 0
  #draining = false
  #closed = false

  /** `notReady`: why the caches or certificates are not ready; undefined if they are. */
  constructor (notReady: () => string | undefined, maxInFlight = MAX_IN_FLIGHT) {
    this.#sourceNotReady = notReady
    this.#maxInFlight = maxInFlight
  }

  get draining (): boolean { return this.#draining }

  /** Requests with an incomplete body. They never count as in flight, so slow clients take no place. */
  get arriving (): number { return this.#arriving }

  /** Complete reviews without a response. */
  get inFlight (): number { return this.#inFlight }

  /** Reviews since the start. */
  get admitted (): number { return this.#admitted }

  /** Why a request is shed; undefined if it is admitted. */
  shedReason (): string | undefined {
    if (this.#closed) return SHUTTING_DOWN
    return this.#sourceNotReady() ?? (this.#inFlight >= this.#maxInFlight ? 'the server is overloaded' : undefined)
  }

  /** Why `/readyz` fails; undefined if it succeeds. */
  notReadyReason (): string | undefined {
    return this.#draining ? SHUTTING_DOWN : this.#sourceNotReady()
  }

  bodyStarted (): void { this.#arriving++ }

  /** Once per started body, complete or not. */
  bodyEnded (): void { this.#arriving-- }

  enter (): void {
    this.#inFlight++
    this.#admitted++
  }

  leave (): void { this.#inFlight-- }

  /** Fails readiness and closes connections with their next response; reviews are still judged. */
  drain (): void { this.#draining = true }

  /** Sheds all requests. */
  close (): void { this.#closed = true }
}

const SHUTTING_DOWN = 'the server is shutting down'
