import type { Clock } from '../platform/clock.ts'

/**
 * Spaces work out evenly: turns come in the order in which they were asked for, at most so many a second, and none is
 * saved up.
 */
export class RateLimiter {
  readonly #clock: Clock
  readonly #gap: number
  /** When the next turn is due, in milliseconds of the clock. */
  #next = -Infinity

  constructor (clock: Clock, perSecond: number) {
    this.#clock = clock
    this.#gap = 1_000 / perSecond
  }

  /** Resolves when it is the caller's turn. */
  async turn (): Promise<void> {
    const now = this.#clock.now()
    const due = Math.max(now, this.#next)
    this.#next = due + this.#gap
    if (due > now) await new Promise<void>((resolve) => { this.#clock.setTimeout(due - now, resolve) })
  }
}
