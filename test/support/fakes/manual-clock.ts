import type { Clock } from '../../../src/platform/clock.ts'

interface Timer { readonly at: number, readonly callback: () => void }

/** A clock that stands still until a test lets time pass. */
export class ManualClock implements Clock {
  #now = 0
  readonly #timers = new Set<Timer>()

  now (): number { return this.#now }

  setTimeout (ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback }
    this.#timers.add(timer)
    return () => { this.#timers.delete(timer) }
  }

  /** How many callbacks are still to come. */
  get pending (): number { return this.#timers.size }

  /** Milliseconds until the next callback; Infinity without one. */
  get untilNext (): number { return Math.min(...[...this.#timers].map(({ at }) => at)) - this.#now }

  /** Lets time pass; callbacks that fall due are made in their order. */
  pass (ms: number): void {
    const end = this.#now + ms
    while (this.#now + this.untilNext <= end) {
      this.#now += Math.max(0, this.untilNext)
      for (const timer of [...this.#timers].filter(({ at }) => at <= this.#now)) {
        this.#timers.delete(timer)
        timer.callback()
      }
    }
    this.#now = Math.max(end, this.#now)
  }

  /** Lets time pass without callbacks, as while code runs. */
  elapse (ms: number): void {
    this.#now += ms
  }
}
