import type { Clock } from '../platform/clock.ts'

export interface RepeatedProbeOptions {
  /** Between the end of one probe and the next, in milliseconds. */
  readonly interval: number
  readonly clock: Clock
  /** Never rejects. */
  readonly probe: () => Promise<void>
}

/** Probes at once and then again and again, one probe at a time. */
export class RepeatedProbe {
  readonly #options: RepeatedProbeOptions
  #cancel: () => void = () => undefined
  #stopped = false
  #running: Promise<void> = Promise.resolve()

  constructor (options: RepeatedProbeOptions) {
    this.#options = options
  }

  start (): void {
    this.#running = this.#run()
  }

  /** Once settled, nothing is sent any more. */
  async stop (): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#running
  }

  async #run (): Promise<void> {
    const { interval, clock, probe } = this.#options
    await probe()
    if (!this.#stopped) this.#cancel = clock.setTimeout(interval, () => { this.start() })
  }
}
