import type { OwnServiceStatus } from '../core/status/service.ts'
import type { Clock } from '../platform/clock.ts'
import { sameJson } from '../platform/json.ts'

interface LastWrite {
  readonly status: unknown
  readonly at: number
  /** How many times in a row another writer changed the status that was written. */
  readonly contests: number
}

/** In milliseconds. */
const FIRST_INTERVAL_MS = 1_000
const LONGEST_INTERVAL_MS = 5 * 60_000
/** Without a contest for so long, the next one starts with the first interval. */
const PEACE_MS = 10 * 60_000

/** Slows down the writes of a status whose fields another writer keeps changing. */
export class StatusBrake {
  readonly #clock: Clock
  readonly #writes = new Map<string, LastWrite>()

  constructor (clock: Clock) {
    this.#clock = clock
  }

  /** Milliseconds until a status that differs from the stored one may be written. A new status does not wait. */
  delay (id: string, status: OwnServiceStatus): number {
    const last = this.#contested(id, status)
    if (last === undefined) return 0
    const interval = Math.min(LONGEST_INTERVAL_MS, FIRST_INTERVAL_MS * 2 ** last.contests)
    return Math.max(0, last.at + interval - this.#clock.now())
  }

  written (id: string, status: OwnServiceStatus): void {
    const last = this.#contested(id, status)
    const contests = last === undefined ? 0 : last.contests + 1
    this.#writes.set(id, { status: withoutTimes(status), at: this.#clock.now(), contests })
  }

  forget (id: string): void {
    this.#writes.delete(id)
  }

  /** The last write, if it wrote the same status: then another writer has changed it since. */
  #contested (id: string, status: OwnServiceStatus): LastWrite | undefined {
    const last = this.#writes.get(id)
    if (last === undefined || this.#clock.now() - last.at >= PEACE_MS) return undefined
    return sameJson(last.status, withoutTimes(status)) ? last : undefined
  }
}

function withoutTimes ({ conditions, ...status }: OwnServiceStatus): object {
  return { ...status, conditions: conditions.map(({ lastTransitionTime, ...condition }) => condition) }
}
