import type { Log, Unavailable } from '../core/ports.ts'
import type { Clock } from '../platform/clock.ts'

/** `high`: a user waits for it. `low`: it is part of a rollout. */
export type Priority = 'high' | 'low'

/**
 * How the work on a key ended. `again` is not a failure. After `retry` the key backs off; after `unavailable` all keys
 * do, because none would succeed.
 */
export type WorkResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'again', readonly afterMs: number }
  | { readonly kind: 'retry', readonly reason: string }
  | Unavailable

/** Times in milliseconds. */
export interface WorkQueueObserver {
  onAdd (): void
  onStart (waitedMs: number): void
  onEnd (ranMs: number): void
  onRetry (): void
}

export interface WorkQueueOptions {
  readonly name: string
  /** How many keys are processed at a time. */
  readonly concurrency: number
  readonly work: (key: string) => Promise<WorkResult>
  readonly observer: WorkQueueObserver
  readonly clock: Clock
  /** From 0 to 1, as Math.random. */
  readonly random: () => number
  readonly log: Log
}

/** The backoff of one key, in milliseconds: doubled by each failure, up to the cap. */
const FIRST_BACKOFF_MS = 100
const LONGEST_BACKOFF_MS = 60_000
/** The pause of all keys, in milliseconds; the short cap lets them resume soon after the API server recovers. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000
/** The longest honored Retry-After. */
const LONGEST_RETRY_AFTER_MS = 30_000
/** After this many keys of high priority in a row, one of low priority is processed. */
const HIGH_IN_A_ROW = 16
/** The failure in a row that is logged: the first ones are often conflicts with a change of another client. */
const LOGGED_FAILURE = 3

/**
 * A queue of keys. Each key waits once, however often it is added, and is never processed twice at the same time; a key
 * added meanwhile is processed again. A failed key returns after its backoff, or as soon as it is added. Source:
 * client-go, util/workqueue.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  /** Keys and the times since which they wait, in the order of arrival. */
  readonly #waiting: Readonly<Record<Priority, Map<string, number>>> = { high: new Map(), low: new Map() }
  /** Keys that are processed, the times since which they are, and their priorities. */
  readonly #running = new Map<string, { readonly since: number, readonly priority: Priority }>()
  /** Keys that were added while they were processed. */
  readonly #addedMeanwhile = new Map<string, Priority>()
  /** Cancels the return of a key. */
  readonly #returning = new Map<string, () => void>()
  readonly #failures = new Map<string, number>()
  #state: 'idle' | 'working' | 'stopped' = 'idle'
  #highInARow = 0
  /** Ends the pause of all keys; undefined outside a pause. */
  #cancelPause: (() => void) | undefined
  #pausesInARow = 0
  #scheduled = false
  #onIdle: () => void = () => undefined

  constructor (options: WorkQueueOptions) {
    this.#options = options
  }

  /** The number of waiting keys. */
  get depth (): number {
    return this.#waiting.high.size + this.#waiting.low.size
  }

  /** How long each key that is processed has been so, in milliseconds. */
  get ages (): number[] {
    const now = this.#options.clock.now()
    return Array.from(this.#running.values(), ({ since }) => now - since)
  }

  start (): void {
    this.#state = 'working'
    this.#scheduleNext()
  }

  /** Drops waiting keys. Resolves once no key is processed. */
  async stop (): Promise<void> {
    this.#state = 'stopped'
    for (const cancel of this.#returning.values()) cancel()
    this.#cancelPause?.()
    if (this.#running.size > 0) await new Promise<void>((resolve) => { this.#onIdle = resolve })
  }

  add (key: string, priority: Priority): void {
    if (this.#state === 'stopped') return
    this.#options.observer.onAdd()
    if (this.#running.has(key)) {
      if (priority === 'high' || !this.#addedMeanwhile.has(key)) this.#addedMeanwhile.set(key, priority)
      return
    }
    this.#returning.get(key)?.()
    this.#returning.delete(key)
    this.#wait(key, priority)
    this.#scheduleNext()
  }

  #wait (key: string, priority: Priority): void {
    const { high, low } = this.#waiting
    const since = high.get(key) ?? low.get(key) ?? this.#options.clock.now()
    if (priority === 'high') low.delete(key)
    if (!high.has(key)) this.#waiting[priority].set(key, since)
  }

  /** Each key starts in its own turn of the event loop, so that thousands in a row delay no timer. */
  #scheduleNext (): void {
    if (this.#scheduled || this.#state !== 'working') return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#startNext()
    })
  }

  #startNext (): void {
    const { concurrency, clock, observer, log } = this.#options
    const isFree = this.#state === 'working' && this.#cancelPause === undefined && this.#running.size < concurrency
    const next = isFree ? this.#take() : undefined
    if (next === undefined) return
    this.#running.set(next.key, { since: clock.now(), priority: next.priority })
    observer.onStart(clock.now() - next.since)
    this.#run(next.key).catch((error: unknown) => { log.error({ error }, 'work queue failed') })
    this.#scheduleNext()
  }

  #take (): { key: string, since: number, priority: Priority } | undefined {
    const { high, low } = this.#waiting
    const isLow = high.size === 0 || (this.#highInARow >= HIGH_IN_A_ROW && low.size > 0)
    const priority: Priority = isLow ? 'low' : 'high'
    const [first] = this.#waiting[priority]
    if (first === undefined) return undefined
    this.#highInARow = isLow ? 0 : this.#highInARow + 1
    this.#waiting[priority].delete(first[0])
    return { key: first[0], since: first[1], priority }
  }

  async #run (key: string): Promise<void> {
    const { name, work, clock, observer, log } = this.#options
    const since = clock.now()
    let result: WorkResult
    try {
      result = await work(key)
    } catch (error) {
      const stack = error instanceof Error ? error.stack : String(error)
      log.error({ queue: name, key, stack }, 'work failed because of a defect, retrying')
      result = { kind: 'retry', reason: 'a defect' }
    }
    observer.onEnd(clock.now() - since)
    const priority = this.#running.get(key)?.priority
    this.#running.delete(key)
    this.#settle(key, result, priority)
    if (this.#state === 'stopped' && this.#running.size === 0) this.#onIdle()
    this.#scheduleNext()
  }

  #settle (key: string, result: WorkResult, previous: Priority = 'low'): void {
    const delay = this.#delayAfter(key, result)
    const priority = this.#addedMeanwhile.get(key) ?? (result.kind === 'unavailable' ? previous : undefined)
    this.#addedMeanwhile.delete(key)
    if (this.#state === 'stopped') return
    if (result.kind === 'unavailable') this.#pause(result)
    else this.#pausesInARow = 0
    if (priority !== undefined) this.#wait(key, priority)
    else if (delay !== undefined) this.#returnAfter(key, delay)
  }

  /** Keys that were processed at the same time fail for the same reason, which counts once. */
  #pause ({ reason, retryAfterMs }: Unavailable): void {
    const { name, clock, observer, random, log } = this.#options
    observer.onRetry()
    if (this.#cancelPause !== undefined) return
    const pauses = ++this.#pausesInARow
    if (pauses === LOGGED_FAILURE) log.warn({ queue: name, reason }, 'API server unavailable, retrying')
    const backoff = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (pauses - 1)) * (0.5 + random() / 2)
    const wait = Math.max(backoff, Math.min(LONGEST_RETRY_AFTER_MS, retryAfterMs))
    this.#cancelPause = clock.setTimeout(wait, () => {
      this.#cancelPause = undefined
      this.#scheduleNext()
    })
  }

  /** Milliseconds until the key returns by itself; undefined if it does not. */
  #delayAfter (key: string, result: WorkResult): number | undefined {
    if (result.kind === 'unavailable') return undefined
    if (result.kind !== 'retry') {
      this.#failures.delete(key)
      return result.kind === 'again' ? result.afterMs : undefined
    }
    const { name, observer, random, log } = this.#options
    const failures = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, failures)
    observer.onRetry()
    if (failures === LOGGED_FAILURE) {
      log.warn(
        { queue: name, key, reason: result.reason }, 'work failed repeatedly, retrying'
      )
    }
    return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (failures - 1)) * (0.5 + random() / 2)
  }

  #returnAfter (key: string, ms: number): void {
    this.#returning.set(key, this.#options.clock.setTimeout(ms, () => {
      this.#returning.delete(key)
      this.#wait(key, 'low')
      this.#scheduleNext()
    }))
  }
}
