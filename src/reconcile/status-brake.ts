import { conditionsOf, contestedDraft, contestIn, withoutContest, type OwnStatus } from '../core/status/conditions.ts'
import { backoff, type Clock } from '../platform/clock.ts'
import { sameJson } from '../platform/json.ts'
import { DONE } from './reconciled.ts'
import type { WorkResult } from './work-queue.ts'
import type { Observed } from './world.ts'

interface LastWrite {
  /** Without transition times. */
  readonly status: object
  readonly at: number
  /** How many times in a row another writer changed the status that was written. */
  readonly contests: number
}

/** What to do about a status. */
export type StatusStep = Extract<WorkResult, { kind: 'done' | 'again' }> | StatusWriteStep

export interface StatusWriteStep {
  readonly kind: 'write'
  readonly status: OwnStatus
  readonly write: LastWrite
  /** The field manager that changed the status that was written last. */
  readonly manager: string | undefined
}

/** In milliseconds. */
const INTERVAL_MS = { first: 1_000, longest: 5 * 60_000 }
/** If no contest occurs for this time, the next one starts with the first interval. */
const FORGET_CONTEST_MS = 10 * 60_000
/** A contest is reported for two intervals without changes, and for this time at least. */
const MIN_REPORT_MS = 60_000
/** Changes in a row before a status is reported as contested. A single one is an accident. */
const REPORTED_CONTESTS = 2
/** Failed writes in a row, because the status changed after it was read, that count as a contest. */
const CONTEST_FAILURES = 3

/** Slows down and reports the writes of a status whose fields another writer keeps changing. */
export class StatusBrake {
  readonly #clock: Clock
  readonly #onContest: (manager: string) => void
  readonly #writes = new Map<string, LastWrite>()
  /** Failed tries in a row. */
  readonly #conflicts = new Map<string, number>()
  /** Statuses that the definition of their kind does not allow, without transition times. */
  readonly #refused = new Map<string, object>()

  /** `onContest`: called for each write of a status that another field manager changed. */
  constructor (clock: Clock, onContest: (manager: string) => void = () => {}) {
    this.#clock = clock
    this.#onContest = onContest
  }

  /** `now`: RFC 3339. A status with new content does not wait. */
  next (id: string, { wanted, observed, now }: {
    readonly wanted: OwnStatus, readonly observed: Observed<OwnStatus>, readonly now: string
  }): StatusStep {
    const { status: known, ownership: { lastWriter } } = observed
    if (sameJson(this.#refused.get(id), withoutTimes(wanted))) return { kind: 'done' }
    if (sameJson(wanted, withoutContest(known))) return this.#kept(id, wanted, known)
    const last = this.#contested(id, wanted, known)
    const contests = last === undefined ? 0 : last.contests + 1
    const left = last === undefined ? 0 : last.at + intervalAfter(last) - this.#clock.now()
    if (left > 0) return { kind: 'again', afterMs: left }
    const report = contests < REPORTED_CONTESTS
      ? contestIn(known) // it may have begun before the content changed
      : conditionsOf([contestedDraft(wanted, known, lastWriter)], {
        known: known.conditions, generation: wanted.observedGeneration ?? 0, now
      })[0]
    return {
      kind: 'write',
      status: report === undefined ? wanted : { ...wanted, conditions: [...wanted.conditions, report] },
      write: { status: withoutTimes(wanted), at: this.#clock.now(), contests },
      manager: contests === 0 ? undefined : lastWriter
    }
  }

  /** How the work ends after the write, which the API server stored. */
  written (id: string, { status, write, manager }: StatusWriteStep): WorkResult {
    this.#writes.set(id, write)
    this.#conflicts.delete(id)
    if (manager !== undefined) this.#onContest(manager)
    return contestIn(status) === undefined ? DONE : { kind: 'again', afterMs: calmAfter(write) }
  }

  /** The other writer was faster: in a contest, and after several times in a row, a failed try counts like a write. */
  conflicted (id: string, { write }: StatusWriteStep): void {
    const inARow = (this.#conflicts.get(id) ?? 0) + 1
    this.#conflicts.set(id, inARow)
    if (write.contests > 0 || inARow >= CONTEST_FAILURES) this.#writes.set(id, write)
  }

  /** The definition does not allow this status: it is not written again until either changes. */
  refused (id: string, { write }: StatusWriteStep): void {
    this.#refused.set(id, write.status)
  }

  /** After a change of the definitions. */
  forgetRefusals (): void {
    this.#refused.clear()
  }

  forget (id: string): void {
    this.#writes.delete(id)
    this.#conflicts.delete(id)
    this.#refused.delete(id)
  }

  /** The report ends some time after the last contest. A new leader takes it over. */
  #kept (id: string, wanted: OwnStatus, known: OwnStatus): StatusStep {
    if (contestIn(known) === undefined) return { kind: 'done' }
    const adopted = { status: withoutTimes(wanted), at: this.#clock.now(), contests: REPORTED_CONTESTS }
    const write = this.#writes.get(id) ?? adopted
    this.#writes.set(id, write)
    const left = write.at + calmAfter(write) - this.#clock.now()
    if (left > 0) return { kind: 'again', afterMs: left }
    return { kind: 'write', status: wanted, write, manager: undefined }
  }

  /** The last write, if it wrote the same content: then another writer has changed it since. */
  #contested (id: string, wanted: OwnStatus, known: OwnStatus): LastWrite | undefined {
    const last = this.#writes.get(id)
    if (last === undefined || this.#clock.now() - last.at >= FORGET_CONTEST_MS) return undefined
    const next = withoutTimes(wanted)
    if (sameJson(last.status, next)) return last
    // counters move by themselves, also during a contest about something else
    const isSame = sameJson(withoutCounters(last.status), withoutCounters(next))
    const isChanged = !sameJson(withoutCounters(withoutTimes(withoutContest(known))), withoutCounters(next))
    return isSame && isChanged ? last : undefined
  }
}

function intervalAfter ({ contests }: LastWrite): number {
  return backoff(INTERVAL_MS, contests + 1)
}

function calmAfter (write: LastWrite): number {
  return Math.max(MIN_REPORT_MS, 2 * intervalAfter(write))
}

function withoutTimes ({ conditions, ...status }: OwnStatus): object {
  return { ...status, conditions: conditions.map(({ lastTransitionTime, ...condition }) => condition) }
}

/** A configuration's status without the counts of its services. */
export function withoutCounters (status: object): object {
  return { ...status, services: undefined }
}
