import { randomBytes } from 'node:crypto'
import { API_VERSION, GROUP } from '../../api/meta.ts'
import type { EventSink, Log, TransitionEvent } from '../../core/ports.ts'
import { errorMessage } from '../../platform/error-message.ts'
import type { SendRequest } from '../client/api-connection.ts'
import { microTime } from '../lease/micro-time.ts'
import { statusOf } from '../client/status.ts'
import type { Clock } from '../../platform/clock.ts'

export interface EventRecorderOptions {
  readonly request: SendRequest
  /** Of this process. */
  readonly instance: string
  readonly clock: Clock
  readonly wallTime: () => Date
  /** Asked right before each request: whether this replica still leads. */
  readonly mayWrite: () => boolean
  readonly log: Log
}

/** An event that was sent, and how often it has come since. */
interface Sent { readonly path: string, count: number, at: number }

/** The count of an event that came a second time. */
const FIRST_REPEAT = 2
/**
 * In milliseconds: equal events within the first are one series, which is written at its first repeat and then at most
 * once in the second.
 */
const SERIES_MS = 6 * 60_000
const REWRITE_MS = 60_000
/** Between two requests, in milliseconds. */
const GAP_MS = 20
/**
 * After an event of a roll-out, of which there may be thousands: they trail behind, so that the roll-out itself has the
 * API server.
 */
const ROLLOUT_GAP_MS = 100
const SEND_LIMIT_MS = 5_000
/** Events that wait, and events that are remembered; beyond these the oldest are forgotten. */
const MAX_WAITING = 1_000
const MAX_REMEMBERED = 4_096
/** Bounds of an Event's note and of its name. Source: Kubernetes, pkg/apis/core/validation/events.go. */
const MAX_NOTE_BYTES = 1_024
const MAX_NAME = 253

/**
 * Tells of transitions by Events of events.k8s.io/v1: best effort, one request at a time and slowly, so that they are
 * never in the way of a status. What cannot be told is dropped.
 */
export class EventRecorder implements EventSink {
  readonly #options: EventRecorderOptions
  readonly #waiting = new Map<string, TransitionEvent>()
  /** Told only while none of the others waits. */
  readonly #waitingOfRollouts = new Map<string, TransitionEvent>()
  readonly #sent = new Map<string, Sent>()
  #sending: Promise<void> | undefined
  #stopped = false
  #troubled = false

  constructor (options: EventRecorderOptions) {
    this.#options = options
  }

  record (event: TransitionEvent): void {
    if (this.#stopped) return
    const key = JSON.stringify([event.regarding.uid, event.type, event.reason, event.note])
    const waiting = isOfRollout(event) ? this.#waitingOfRollouts : this.#waiting
    waiting.set(key, event)
    forgetOldest(waiting, MAX_WAITING)
    this.#sending ??= this.#send()
  }

  /** Once settled, nothing is sent any more; what waits is dropped. */
  async stop (): Promise<void> {
    this.#stopped = true
    this.#waiting.clear()
    this.#waitingOfRollouts.clear()
    await this.#sending
  }

  async #send (): Promise<void> {
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      const [key, event] = next
      await this.#tell(key, event)
      await new Promise<void>((resolve) => {
        this.#options.clock.setTimeout(isOfRollout(event) ? ROLLOUT_GAP_MS : GAP_MS, resolve)
      })
    }
    this.#sending = undefined
  }

  #take (): [string, TransitionEvent] | undefined {
    const waiting = this.#waiting.size > 0 ? this.#waiting : this.#waitingOfRollouts
    const [next] = waiting
    if (next !== undefined) waiting.delete(next[0])
    return next
  }

  async #tell (key: string, event: TransitionEvent): Promise<void> {
    const now = this.#options.clock.now()
    const known = this.#sent.get(key)
    if (known !== undefined && now - known.at < SERIES_MS) {
      known.count++
      if (known.count > FIRST_REPEAT && now - known.at < REWRITE_MS) return
      known.at = now
      await this.#request(known.path, {
        series: { count: known.count, lastObservedTime: microTime(this.#options.wallTime()) }
      })
      return
    }
    const { collection, name, body } = this.#eventOf(event)
    this.#sent.delete(key)
    this.#sent.set(key, { path: `${collection}/${name}`, count: 1, at: now })
    forgetOldest(this.#sent, MAX_REMEMBERED)
    if (!await this.#request(collection, body)) this.#sent.delete(key)
  }

  #eventOf ({ regarding, type, reason, action, note }: TransitionEvent): { collection: string, name: string, body: object } {
    const { instance, wallTime } = this.#options
    const suffix = `.${randomBytes(8).toString('hex')}`
    const name = regarding.name.slice(0, MAX_NAME - suffix.length).replace(/[.-]+$/, '') + suffix
    const namespace = regarding.namespace === '' ? 'default' : regarding.namespace
    return {
      collection: `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
      name,
      body: {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { namespace, name },
        eventTime: microTime(wallTime()),
        reportingController: `${GROUP}/aim-admission`,
        reportingInstance: instance.slice(0, 128),
        action,
        reason,
        regarding: { apiVersion: API_VERSION, ...regarding },
        note: cut(note),
        type
      }
    }
  }

  /** POST for a whole event, PATCH for a series. Answers whether it was accepted. */
  async #request (path: string, body: object): Promise<boolean> {
    const { request, clock, mayWrite, log } = this.#options
    const attempt = new AbortController()
    const cancel = clock.setTimeout(SEND_LIMIT_MS, () => {
      attempt.abort(new Error(`the API server did not answer within ${SEND_LIMIT_MS / 1_000} s`))
    })
    const how =
      'series' in body
        ? ({ method: 'PATCH', contentType: 'application/merge-patch+json' } as const)
        : ({ method: 'POST', contentType: 'application/json' } as const)
    try {
      const response = await request(path, {
        method: how.method, headers: { 'content-type': how.contentType }, body: JSON.stringify(body), signal: attempt.signal, mayLeave: mayWrite
      })
      if (response.statusCode >= 300) throw new Error((await statusOf(response)).message)
      await response.body.dump()
      this.#troubled = false
      return true
    } catch (error) {
      if (!this.#troubled && !this.#stopped) { log.warn({ reason: errorMessage(error) }, 'events cannot be told at the moment') }
      this.#troubled = true
      return false
    } finally {
      cancel()
    }
  }
}

function isOfRollout ({ reason }: TransitionEvent): boolean {
  return reason === 'RolledForward'
}

function forgetOldest (map: Map<string, unknown>, limit: number): void {
  const [oldest] = map.keys()
  if (map.size > limit && oldest !== undefined) map.delete(oldest)
}

/** At most as many bytes as a note may have, without half a character at the end. */
function cut (note: string): string {
  if (Buffer.byteLength(note) <= MAX_NOTE_BYTES) return note
  return new TextDecoder().decode(Buffer.from(note).subarray(0, MAX_NOTE_BYTES - 3)).replace(/\uFFFD$/, '') + '…'
}
