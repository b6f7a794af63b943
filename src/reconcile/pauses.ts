import type { Log, Unavailable } from '../core/ports.ts'
import { backoff, type Clock } from '../platform/clock.ts'

export interface PausesOptions {
  /** Of the queue. */
  readonly name: string
  readonly clock: Clock
  /** From 0 to 1, as Math.random. */
  readonly random: () => number
  readonly log: Log
  readonly onEnd: () => void
}

/** Failures in a row without a success between, and the pauses that they caused. */
interface Streak {
  failures: number
  pauses: number
  /** Ends the pause; undefined outside a pause. */
  cancel: (() => void) | undefined
}

/** In milliseconds; the short limit lets keys resume soon after the API server recovers. */
const PAUSE_MS = { first: 100, longest: 2_000 }
/** The longest honored Retry-After. */
const LONGEST_RETRY_AFTER_MS = 30_000
/** Failures in a row that pause a namespace or, if they are of several namespaces, the queue. */
const FAILURES_BEFORE_PAUSE = 3
/** The pause in a row that is logged. */
const LOGGED_PAUSE = 3

/**
 * Pauses of a namespace or of the whole queue. Failures of single objects pause their namespace. Failures in several
 * namespaces, or of the API server itself, pause the queue. A success ends the pauses it disproves.
 */
export class Pauses {
  readonly #options: PausesOptions
  /** Namespaces whose last write failed. */
  readonly #namespaces = new Map<string, Streak>()
  readonly #queue = newStreak()
  /** The namespaces of the queue's streak. */
  readonly #failing = new Set<string>()
  /** Whether the API server itself caused the queue's pause, which then lasts to its end. */
  #isServerDown = false

  constructor (options: PausesOptions) { this.#options = options }

  /**
   * While failures of objects pause the queue, namespaces without a failure are tried one key at a time. A tenant with
   * several namespaces cannot delay others. `running`: the number of keys in process.
   */
  mayStart (namespace: string, running: number): boolean {
    if (this.#namespaces.get(namespace)?.cancel !== undefined) return false
    if (this.#queue.cancel === undefined) return true
    return !this.#isServerDown && running === 0 && !this.#failing.has(namespace)
  }

  isFailing (namespace: string): boolean {
    return this.#namespaces.has(namespace)
  }

  succeeded (namespace: string): void {
    const streak = this.#namespaces.get(namespace)
    if (streak !== undefined) cancelPause(streak)
    this.#namespaces.delete(namespace)
    this.#failing.clear()
    this.#queue.failures = 0
    this.#queue.pauses = 0
    if (!this.#isServerDown) cancelPause(this.#queue)
  }

  /** Whether the key keeps its place, because its namespace or the queue pauses. */
  failed (namespace: string, failure: Unavailable): boolean {
    if (failure.scope === 'server') {
      if (!this.#isServerDown) cancelPause(this.#queue)
      this.#isServerDown = true
      this.#pause(failure, this.#queue)
      return true
    }
    const own = this.#namespaces.get(namespace) ?? newStreak()
    this.#namespaces.set(namespace, own)
    this.#failing.add(namespace)
    own.failures++
    this.#queue.failures++
    if (this.#queue.cancel !== undefined) return true
    if (this.#failing.size > 1 && this.#queue.failures >= FAILURES_BEFORE_PAUSE) this.#pause(failure, this.#queue)
    else if (own.failures >= FAILURES_BEFORE_PAUSE) this.#pause(failure, own, namespace)
    else return false
    return true
  }

  stop (): void {
    for (const streak of [this.#queue, ...this.#namespaces.values()]) cancelPause(streak)
  }

  /** Keys that were processed at the same time fail for the same reason, which counts once. */
  #pause ({ reason, retryAfterMs }: Unavailable, streak: Streak, namespace = ''): void {
    const { name, clock, random, log } = this.#options
    if (streak.cancel !== undefined) return
    const pauses = ++streak.pauses
    if (pauses === LOGGED_PAUSE) {
      if (streak === this.#queue) log.warn({ queue: name, reason }, 'API server unavailable, retrying')
      else log.warn({ queue: name, namespace, reason }, 'writes in a namespace failed repeatedly, retrying')
    }
    const wait = Math.max(backoff(PAUSE_MS, pauses, random()), Math.min(LONGEST_RETRY_AFTER_MS, retryAfterMs))
    streak.cancel = clock.setTimeout(wait, () => {
      streak.cancel = undefined
      if (streak === this.#queue) this.#isServerDown = false
      this.#options.onEnd()
    })
  }
}

function cancelPause (streak: Streak): void {
  streak.cancel?.()
  streak.cancel = undefined
}

function newStreak (): Streak {
  return { failures: 0, pauses: 0, cancel: undefined }
}
