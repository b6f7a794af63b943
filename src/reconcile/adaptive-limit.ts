import type { ObjectWriter } from '../core/ports.ts'
import type { Clock } from '../platform/clock.ts'

/** The two kinds of writes, each with a latency of its own. */
export type Write = keyof ObjectWriter

const WRITES: readonly Write[] = ['triggerAdmission', 'applyStatus']

/** Times in milliseconds. */
export interface AdaptiveLimitOptions {
  readonly clock: Clock
  /** The highest limit. */
  readonly max: number
  /** The limit before anything is measured; 2 by default. */
  readonly first?: number
}

const FIRST_LIMIT = 2
/** The lowest limit, so that a slow write of one namespace does not delay the others. */
const SMALLEST_LIMIT = 2
/** Samples of a window; as many as the limit, if that is more. */
const WINDOW_SAMPLES = 16
/** A window of fewer samples of a kind does not change the floor of that kind. */
const FLOOR_SAMPLES = 4
/** The lowest floor. */
const SHORTEST_MS = 0.1
/** How many times the floor a latency may be. */
const TOLERANCE = 1.15
/** The accepted queue, in square roots of the limit. */
const ACCEPTED_QUEUE = 0.25
/** The share of a change that one window makes. Source: GradientLimit, `smoothing`. */
const SMOOTHING = 0.2
/** The strongest reduction that latency causes in one window. Source: GradientLimit. */
const STRONGEST_GRADIENT = 0.5
/**
 * A window at half the limit measures the floors: as soon as one is missing, and each time after twice as long. At the
 * full limit, the floor would include the queue that the writes themselves cause.
 */
const FIRST_PROBE_MS = 500
const LONGEST_PROBE_MS = 10_000
/** How far one probe raises a floor, at most: the load of users must not become the norm. */
const FLOOR_RISE = 1.1

/**
 * How many work items of all queues are processed at a time. The limit follows the latency of writes: it approaches
 * `limit × tolerance × floor ÷ latency + √limit ÷ 4`, and a rejection for overload (429) halves it. Source: Netflix
 * concurrency-limits, GradientLimit. Unlike there, latency is the median of a window, so that a tenant's slow webhook
 * does not slow others down, and a window at half the limit measures the floor. Users' load on the API server makes
 * these writes slower too, and so lowers the limit: their requests need no other signal.
 */
export class AdaptiveLimit {
  readonly #clock: Clock
  readonly #max: number
  readonly #smallest: number
  #limit: number
  #running = 0
  readonly #runningIn = new Map<string, number>()
  /** The queues' callbacks; the first is called first when a place is released. */
  readonly #onRelease: Array<() => void> = []
  readonly #floors = new Map<Write, number>()
  #samples: Array<readonly [Write, number]> = []
  /** Items still running that started before the last change of the limit; their latencies do not count. */
  #unmeasured = 0
  #wasReached = false
  #isProbing = false
  #probeAfter = FIRST_PROBE_MS
  #nextProbe: number

  constructor ({ clock, max, first = FIRST_LIMIT }: AdaptiveLimitOptions) {
    this.#clock = clock
    this.#max = max
    this.#smallest = Math.min(SMALLEST_LIMIT, max)
    this.#limit = Math.min(first, max)
    this.#nextProbe = clock.now() + FIRST_PROBE_MS
  }

  /** The number of items that may be in process now. */
  get current (): number {
    return Math.max(this.#smallest, Math.floor(this.#isProbing ? this.#limit / 2 : this.#limit))
  }

  get running (): number {
    return this.#running
  }

  get isFree (): boolean {
    return this.#running < this.current
  }

  /** The latency of writes without queueing, by kind, in milliseconds. */
  get floors (): ReadonlyMap<Write, number> {
    return this.#floors
  }

  runningIn (namespace: string): number {
    return this.#runningIn.get(namespace) ?? 0
  }

  /** Queues take turns: each release calls another one first. */
  onRelease (callback: () => void): void {
    this.#onRelease.push(callback)
  }

  take (namespace: string): void {
    this.#running++
    this.#wasReached ||= this.#running >= this.current
    this.#runningIn.set(namespace, this.runningIn(namespace) + 1)
  }

  release (namespace: string): void {
    this.#running--
    if (this.#unmeasured > 0) this.#unmeasured--
    const left = this.runningIn(namespace) - 1
    if (left > 0) this.#runningIn.set(namespace, left)
    else this.#runningIn.delete(namespace)
    this.#onRelease.push(...this.#onRelease.splice(0, 1))
    for (const callback of this.#onRelease) callback()
  }

  /** A write succeeded. */
  succeeded (write: Write, ms: number): void {
    if (this.#unmeasured > 0) return
    this.#samples.push([write, ms])
    if (this.#samples.length >= Math.max(WINDOW_SAMPLES, this.current)) this.#endWindow()
  }

  /** The API server rejected a write because of overload. Writes that ran at the same time count once. */
  overloaded (): void {
    if (this.#unmeasured > 0) return
    this.#limit = Math.max(this.#smallest, this.#limit / 2)
    this.#startWindow()
    this.#unmeasured = this.#running
  }

  #endWindow (): void {
    if (this.#isProbing) this.#updateFloors()
    const ratio = median(this.#samples.map(([write, ms]) => {
      return ms / (this.#floors.get(write) ?? Math.max(SHORTEST_MS, ms))
    }))
    const gradient = Math.min(1, Math.max(STRONGEST_GRADIENT, TOLERANCE / ratio))
    const wanted = this.#limit * gradient + ACCEPTED_QUEUE * Math.sqrt(this.#limit)
    if (!this.#isProbing && (wanted < this.#limit || this.#wasReached)) {
      this.#limit = Math.min(this.#max, Math.max(this.#smallest, this.#limit + SMOOTHING * (wanted - this.#limit)))
    }
    const isDue = this.#clock.now() >= this.#nextProbe || this.#isFloorMissing
    if (isDue) {
      this.#probeAfter = Math.min(LONGEST_PROBE_MS, this.#probeAfter * 2)
      this.#nextProbe = this.#clock.now() + this.#probeAfter
    }
    if (isDue || this.#isProbing) this.#unmeasured = this.#running
    this.#isProbing = isDue
    this.#startWindow()
  }

  #startWindow (): void {
    this.#samples = []
    this.#wasReached = false
  }

  get #isFloorMissing (): boolean {
    return WRITES.some((write) => !this.#floors.has(write) && this.#latencies(write).length >= FLOOR_SAMPLES)
  }

  #updateFloors (): void {
    for (const write of WRITES) {
      const latencies = this.#latencies(write)
      if (latencies.length < FLOOR_SAMPLES) continue
      const latency = Math.max(SHORTEST_MS, median(latencies))
      const floor = this.#floors.get(write) ?? latency
      this.#floors.set(write, Math.min((latency + floor) / 2, floor * FLOOR_RISE))
    }
  }

  #latencies (write: Write): number[] {
    return this.#samples.filter((sample) => sample[0] === write).map(([, ms]) => ms)
  }
}

/** A writer whose latency the limit follows. */
export function measuredWriter (writer: ObjectWriter, limit: AdaptiveLimit, clock: Clock): ObjectWriter {
  const measured = async <T extends { readonly kind: string, readonly scope?: string }>(
    write: Write, send: () => Promise<T>
  ): Promise<T> => {
    const from = clock.now()
    const result = await send()
    if (result.kind === 'written') limit.succeeded(write, clock.now() - from)
    else if (result.kind === 'unavailable' && result.scope === 'server') limit.overloaded()
    return result
  }
  return {
    applyStatus: async (target, status) =>
      await measured('applyStatus', async () => await writer.applyStatus(target, status)),
    triggerAdmission: async (key) => await measured('triggerAdmission', async () => await writer.triggerAdmission(key))
  }
}

function median (values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
