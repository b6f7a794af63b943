import type { Log, Unavailable } from '../core/ports.ts'
import { backoff, type Clock } from '../platform/clock.ts'
import { FairQueue } from '../platform/fair-queue.ts'
import type { AdaptiveLimit } from './adaptive-limit.ts'
import { Pauses } from './pauses.ts'

/** `high`: a user waits for it. `low`: it is part of a rollout. */
export type Priority = 'high' | 'low'

/**
 * How the work on a key ended. `again` is not a failure. After `retry` the key backs off. After `unavailable` the key,
 * its namespace or all keys do: see `Pauses`.
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
  /** How many keys are processed at a time, in all queues that share it. */
  readonly limit: AdaptiveLimit
  /** How many keys start per second, evenly spaced. Unlimited by default. */
  readonly perSecond?: number
  readonly work: (key: string) => Promise<WorkResult>
  /** Empty for a key of the cluster. */
  readonly namespaceOf: (key: string) => string
  readonly observer: WorkQueueObserver
  readonly clock: Clock
  /** From 0 to 1, as Math.random. */
  readonly random: () => number
  readonly log: Log
}

/** Of one key. */
const BACKOFF_MS = { first: 100, longest: 60_000 }
/** After this many keys of high priority in a row, one of low priority is processed. */
const HIGH_IN_A_ROW = 16
/** The failure in a row that is logged: the first ones are often conflicts with a change of another client. */
const LOGGED_FAILURE = 3

/**
 * A queue of keys. Each key waits once, however often it is added, and is never processed twice at the same time; a key
 * added meanwhile is processed again. A failed key returns after its backoff, or as soon as it is added. Namespaces
 * take turns within a priority; while another waits, a namespace has at most half of the limit. Source: client-go,
 * util/workqueue.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  /** The keys that wait, and since when. */
  readonly #waiting = { high: new FairQueue<string, number>(), low: new FairQueue<string, number>() }
  /** The keys in process: since when, and with which priority. */
  readonly #running = new Map<string, { readonly since: number, readonly priority: Priority }>()
  /** Keys that were added while they were processed. */
  readonly #addedMeanwhile = new Map<string, Priority>()
  /** Cancels the return of a key. */
  readonly #returning = new Map<string, () => void>()
  readonly #failures = new Map<string, number>()
  #state: 'idle' | 'working' | 'stopped' = 'idle'
  #highInARow = 0
  readonly #pauses: Pauses
  #scheduled = false
  /** The earliest time of the next start. */
  #nextStart = -Infinity
  #cancelStart: (() => void) | undefined
  #onIdle: () => void = () => undefined

  constructor (options: WorkQueueOptions) {
    this.#options = options
    this.#pauses = new Pauses({ ...options, onEnd: () => { this.#scheduleNext() } })
    options.limit.onRelease(() => { this.#scheduleNext() })
  }

  /** The number of waiting keys. */
  get depth (): number {
    return this.#waiting.high.size + this.#waiting.low.size
  }

  /** How long each key in process has taken so far, in milliseconds. */
  get ages (): number[] {
    const now = this.#options.clock.now()
    return Array.from(this.#running.values(), ({ since }) => now - since)
  }

  /** Has no effect once stopped. */
  start (): void {
    if (this.#state === 'idle') this.#state = 'working'
    this.#scheduleNext()
  }

  /** Drops waiting keys. Resolves once no key is processed. */
  async stop (): Promise<void> {
    this.#state = 'stopped'
    for (const cancel of this.#returning.values()) cancel()
    this.#pauses.stop()
    this.#cancelStart?.()
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
    const namespace = this.#options.namespaceOf(key)
    const sinceHigh = high.get(namespace, key)
    const since = sinceHigh ?? low.get(namespace, key) ?? this.#options.clock.now()
    if (priority === 'high') low.delete(namespace, key)
    if (sinceHigh === undefined) this.#waiting[priority].set(namespace, key, since)
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
    const { limit, clock, namespaceOf, observer, log } = this.#options
    const isFree = this.#state === 'working' && limit.isFree && this.#isTurn()
    const next = isFree ? this.#take() : undefined
    if (next === undefined) return
    this.#running.set(next.key, { since: clock.now(), priority: next.priority })
    limit.take(namespaceOf(next.key))
    this.#nextStart = Math.max(clock.now(), this.#nextStart) + 1_000 / (this.#options.perSecond ?? Infinity)
    observer.onStart(clock.now() - next.since)
    this.#run(next.key).catch((error: unknown) => { log.error({ error }, 'work queue failed') })
    this.#scheduleNext()
  }

  /** Comes back at the turn of the next key, if that is not now. */
  #isTurn (): boolean {
    const { clock } = this.#options
    const wait = this.#nextStart - clock.now()
    if (wait <= 0) return true
    this.#cancelStart?.()
    this.#cancelStart = clock.setTimeout(wait, () => {
      this.#nextStart = clock.now() // a sum of fractions may differ
      this.#scheduleNext()
    })
    return false
  }

  /** A namespace beyond its share is next only if no other can start. */
  #take (): { key: string, since: number, priority: Priority } | undefined {
    const isLowNext = this.#highInARow >= HIGH_IN_A_ROW && this.#waiting.low.size > 0
    const order: readonly Priority[] = isLowNext ? ['low', 'high'] : ['high', 'low']
    return this.#takeFirst(order, (namespace) => this.#mayStart(namespace) && !this.#hasShare(namespace)) ??
      this.#takeFirst(order, (namespace) => this.#mayStart(namespace) && !this.#pauses.isFailing(namespace))
  }

  #takeFirst (
    order: readonly Priority[], mayStart: (namespace: string) => boolean
  ): { key: string, since: number, priority: Priority } | undefined {
    for (const priority of order) {
      const next = this.#waiting[priority].take(mayStart)
      if (next === undefined) continue
      this.#highInARow = priority === 'low' ? 0 : this.#highInARow + 1
      return { key: next[0], since: next[1], priority }
    }
    return undefined
  }

  #mayStart (namespace: string): boolean {
    return this.#pauses.mayStart(namespace, this.#running.size)
  }

  /** Half of the limit, at least 1. A namespace whose last write failed never has more: it may be slow. */
  #hasShare (namespace: string): boolean {
    const { limit } = this.#options
    return limit.runningIn(namespace) >= Math.max(1, Math.floor(limit.current / 2))
  }

  async #run (key: string): Promise<void> {
    const { name, work, clock, limit, namespaceOf, observer, log } = this.#options
    const since = clock.now()
    let result: WorkResult
    try {
      result = await work(key)
    } catch (error) {
      const stack = error instanceof Error ? error.stack : String(error)
      log.error({ queue: name, namespace: namespaceOf(key), key, stack }, 'work failed because of a defect, retrying')
      result = { kind: 'retry', reason: 'a defect' }
    }
    observer.onEnd(clock.now() - since)
    const priority = this.#running.get(key)?.priority
    this.#running.delete(key)
    this.#settle(key, result, priority)
    if (this.#state === 'stopped' && this.#running.size === 0) this.#onIdle()
    limit.release(namespaceOf(key))
  }

  #settle (key: string, result: WorkResult, previous: Priority = 'low'): void {
    const namespace = this.#options.namespaceOf(key)
    const delay = this.#delayAfter(key, result)
    const added = this.#addedMeanwhile.get(key)
    this.#addedMeanwhile.delete(key)
    if (this.#state === 'stopped') return
    if (result.kind === 'done') this.#pauses.succeeded(namespace)
    const isPaused = result.kind === 'unavailable' && this.#pauses.failed(namespace, result)
    const waits = added ?? (isPaused ? previous : undefined)
    if (waits !== undefined) this.#wait(key, waits)
    else if (delay !== undefined) this.#returnAfter(key, delay, result.kind === 'unavailable' ? previous : 'low')
  }

  /** Milliseconds until the key returns by itself; undefined if it does not. */
  #delayAfter (key: string, result: WorkResult): number | undefined {
    if (result.kind === 'done' || result.kind === 'again') {
      this.#failures.delete(key)
      return result.kind === 'again' ? result.afterMs : undefined
    }
    const { name, namespaceOf, observer, random, log } = this.#options
    observer.onRetry()
    if (result.kind === 'unavailable' && result.scope === 'server') return undefined
    const failures = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, failures)
    if (failures === LOGGED_FAILURE) {
      const keys = { queue: name, namespace: namespaceOf(key), key, reason: result.reason }
      log.warn(keys, 'work failed repeatedly, retrying')
    }
    return backoff(BACKOFF_MS, failures, random())
  }

  #returnAfter (key: string, ms: number, priority: Priority): void {
    this.#returning.set(key, this.#options.clock.setTimeout(ms, () => {
      this.#returning.delete(key)
      this.#wait(key, priority)
      this.#scheduleNext()
    }))
  }
}
