import type { Log, Unavailable } from '../core/ports.ts'
import type { Clock } from '../platform/clock.ts'

/** What a person waits for goes before what a roll-out waits for. */
export type Lane = 'urgent' | 'routine'

/**
 * How the work on a key ended. `again` is no failure; `retry` is, and the key backs off; with `unavailable` every key
 * does, since none would fare better.
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
  /** How many keys are worked on at once. */
  readonly concurrency: number
  readonly work: (key: string) => Promise<WorkResult>
  readonly observer: WorkQueueObserver
  readonly clock: Clock
  /** From 0 to 1, as Math.random. */
  readonly random: () => number
  readonly log: Log
}

/** The wait after the first failure of a key, doubled by each further one up to the cap, in milliseconds. */
const FIRST_BACKOFF_MS = 100
const LONGEST_BACKOFF_MS = 60_000
/**
 * The same for all keys together, so that they go on at once when the trouble is over. A longer wait that was asked for
 * is kept, up to the third.
 */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000
const LONGEST_ASKED_PAUSE_MS = 30_000
/** After so many urgent keys in a row a routine one has its turn. */
const URGENT_IN_A_ROW = 16

/**
 * Keys that are to be worked on: each waits once, however often it is added, and is never worked on twice at the same
 * time; what is added meanwhile is worked on again afterwards. A key that failed comes back by itself, ever later, or
 * as soon as it is added anew. Source: client-go, util/workqueue.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  /** Keys by the time since which they wait, in the order of arrival. */
  readonly #waiting: Readonly<Record<Lane, Map<string, number>>> = { urgent: new Map(), routine: new Map() }
  /** Keys that are worked on, by the time since which they are, and the lane that they came in. */
  readonly #running = new Map<string, { readonly since: number, readonly lane: Lane }>()
  /** Keys that were added while they were worked on. */
  readonly #addedMeanwhile = new Map<string, Lane>()
  /** Calls off the return of a key. */
  readonly #returning = new Map<string, () => void>()
  readonly #failures = new Map<string, number>()
  #state: 'idle' | 'working' | 'stopped' = 'idle'
  #urgentInARow = 0
  /** Ends the pause of all keys; undefined where there is none. */
  #callOffPause: (() => void) | undefined
  #pausesInARow = 0
  #scheduled = false
  #idle: () => void = () => undefined

  constructor (options: WorkQueueOptions) {
    this.#options = options
  }

  /** Keys that wait for their turn. */
  get depth (): number {
    return this.#waiting.urgent.size + this.#waiting.routine.size
  }

  /** How long the keys that are worked on have been so, in milliseconds each. */
  get ages (): number[] {
    const now = this.#options.clock.now()
    return Array.from(this.#running.values(), ({ since }) => now - since)
  }

  start (): void {
    this.#state = 'working'
    this.#schedule()
  }

  /** Resolves when nothing is worked on any more. What waits is forgotten. */
  async stop (): Promise<void> {
    this.#state = 'stopped'
    for (const cancel of this.#returning.values()) cancel()
    this.#callOffPause?.()
    if (this.#running.size > 0) await new Promise<void>((resolve) => { this.#idle = resolve })
  }

  add (key: string, lane: Lane): void {
    if (this.#state === 'stopped') return
    this.#options.observer.onAdd()
    if (this.#running.has(key)) {
      if (lane === 'urgent' || !this.#addedMeanwhile.has(key)) this.#addedMeanwhile.set(key, lane)
      return
    }
    this.#returning.get(key)?.()
    this.#returning.delete(key)
    this.#wait(key, lane)
    this.#schedule()
  }

  #wait (key: string, lane: Lane): void {
    const { urgent, routine } = this.#waiting
    const since = urgent.get(key) ?? routine.get(key) ?? this.#options.clock.now()
    if (lane === 'urgent') routine.delete(key)
    if (!urgent.has(key)) this.#waiting[lane].set(key, since)
  }

  /** Work starts from the event loop, so that thousands of keys in a row hold no timer up. */
  #schedule (): void {
    if (this.#scheduled || this.#state !== 'working') return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#startNext()
    })
  }

  #startNext (): void {
    if (
      this.#state !== 'working' ||
      this.#callOffPause !== undefined ||
      this.#running.size >= this.#options.concurrency
    ) { return }
    const next = this.#take()
    if (next === undefined) return
    const { clock, observer } = this.#options
    this.#running.set(next.key, { since: clock.now(), lane: next.lane })
    observer.onStart(clock.now() - next.since)
    this.#run(next.key).catch((error: unknown) => {
      this.#options.log.error({ error }, 'the work queue failed because of a defect')
    })
    this.#schedule()
  }

  #take (): { key: string, since: number, lane: Lane } | undefined {
    const { urgent, routine } = this.#waiting
    const isRoutine = urgent.size === 0 || (this.#urgentInARow >= URGENT_IN_A_ROW && routine.size > 0)
    const lane: Lane = isRoutine ? 'routine' : 'urgent'
    const [first] = this.#waiting[lane]
    if (first === undefined) return undefined
    this.#urgentInARow = isRoutine ? 0 : this.#urgentInARow + 1
    this.#waiting[lane].delete(first[0])
    return { key: first[0], since: first[1], lane }
  }

  async #run (key: string): Promise<void> {
    const { name, work, clock, observer, log } = this.#options
    const since = clock.now()
    let result: WorkResult
    try {
      result = await work(key)
    } catch (error) {
      const stack = error instanceof Error ? error.stack : String(error)
      log.error({ queue: name, key, stack }, 'work failed because of a defect, and is tried again')
      result = { kind: 'retry', reason: 'a defect' }
    }
    observer.onEnd(clock.now() - since)
    const lane = this.#running.get(key)?.lane
    this.#running.delete(key)
    this.#settle(key, result, lane)
    if (this.#state === 'stopped' && this.#running.size === 0) this.#idle()
    this.#schedule()
  }

  #settle (key: string, result: WorkResult, cameIn: Lane = 'routine'): void {
    const delay = this.#delayAfter(key, result)
    const lane = this.#addedMeanwhile.get(key) ?? (result.kind === 'unavailable' ? cameIn : undefined)
    this.#addedMeanwhile.delete(key)
    if (this.#state === 'stopped') return
    if (result.kind === 'unavailable') this.#pause(result)
    else this.#pausesInARow = 0
    if (lane !== undefined) this.#wait(key, lane)
    else if (delay !== undefined) this.#returnAfter(key, delay)
  }

  /** Keys that were worked on at the same time fail for the same trouble, which counts once. */
  #pause ({ reason, retryAfterMs }: Unavailable): void {
    const { name, clock, observer, random, log } = this.#options
    observer.onRetry()
    if (this.#callOffPause !== undefined) return
    const pauses = ++this.#pausesInARow
    if (pauses === LOGGED_FAILURE) { log.warn({ queue: name, reason }, 'no work can be done at the moment, and is tried again') }
    const backoff = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (pauses - 1)) * (0.5 + random() / 2)
    this.#callOffPause = clock.setTimeout(Math.max(backoff, Math.min(LONGEST_ASKED_PAUSE_MS, retryAfterMs)), () => {
      this.#callOffPause = undefined
      this.#schedule()
    })
  }

  /** Milliseconds until the key comes back by itself; undefined where it does not. */
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
    if (failures === LOGGED_FAILURE) { log.warn({ queue: name, key, reason: result.reason }, 'work keeps failing and is tried again') }
    return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (failures - 1)) * (0.5 + random() / 2)
  }

  #returnAfter (key: string, ms: number): void {
    this.#returning.set(key, this.#options.clock.setTimeout(ms, () => {
      this.#returning.delete(key)
      this.#wait(key, 'routine')
      this.#schedule()
    }))
  }
}

/** Which failure in a row is told of: the first ones are often only a change that overtook this program. */
const LOGGED_FAILURE = 3
