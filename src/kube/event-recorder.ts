import { randomBytes } from 'node:crypto'
import { API_VERSION, PREFIX } from '../api/meta.ts'
import { microTime } from '../api/object-meta.ts'
import type { EventSink, Log, TransitionEvent, Unavailable, WriteResult } from '../core/ports.ts'
import { backoff, pause, type Clock } from '../platform/clock.ts'
import { FairQueue } from '../platform/fair-queue.ts'
import { oneLine } from '../platform/printable.ts'
import type { SendRequest } from './client/api-connection.ts'
import type { Fencing } from './client/fencing.ts'
import { requestObject } from './client/responses.ts'

export interface EventRecorderOptions {
  readonly request: SendRequest
  /** Identifies this process. */
  readonly instance: string
  readonly clock: Clock
  readonly wallTime: () => Date
  readonly fencing: Fencing
  readonly log: Log
}

/** An event that waits. `post`: the request that failed before, `tries` times. */
interface Pending { readonly event: TransitionEvent, readonly post?: Post, readonly tries: number }

interface Post { readonly collection: string, readonly name: string, readonly body: object }

/** An event that was sent, and how often it has occurred since. */
interface Sent { readonly path: string, count: number, at: number }

/** The count of an event at its first repeat. */
const FIRST_REPEAT = 2
/** In milliseconds. Equal events within this time are one series. */
const SERIES_MS = 6 * 60_000
/** In milliseconds. A series is written at its first repeat, and then at most once in this time. */
const REWRITE_MS = 60_000
/** Between two requests, in milliseconds. */
const GAP_MS = 20
/** After an event of a rollout, of which there may be thousands: they leave the API server to the rollout itself. */
const ROLLOUT_GAP_MS = 100
const TIMEOUT_MS = 5_000
/**
 * While the API server is unavailable: the first and the longest time between two tries, in milliseconds. One failure
 * may concern one namespace, so only several in a row delay the others.
 */
const RETRY_MS = { first: 1_000, longest: 10_000 }
/** Source: client-go, tools/events, maxTriesPerEvent. */
const MAX_TRIES = 12
/** Beyond these limits, the oldest events of the namespace with the most are dropped. */
const MAX_PENDING = 1_000
const MAX_REMEMBERED = 4_096
/** Limits of an Event's note and name. Source: Kubernetes, pkg/apis/core/validation/events.go. */
const MAX_NOTE_BYTES = 1_024
const MAX_NAME = 253

/**
 * Writes transitions as Events of events.k8s.io/v1. Best effort: one request at a time and at a low rate, so that
 * status writes come first. Events that the API server refuses are dropped.
 */
export class EventRecorder implements EventSink {
  readonly #options: EventRecorderOptions
  readonly #pending = new FairQueue<string, Pending>(MAX_PENDING)
  /** Sent only while no other event is pending. */
  readonly #pendingOfRollouts = new FairQueue<string, Pending>(MAX_PENDING)
  readonly #sent = new FairQueue<string, Sent>(MAX_REMEMBERED)
  #sending: Promise<void> | undefined
  readonly #stopping = new AbortController()
  /** Failed requests in a row. */
  #failures = 0

  constructor (options: EventRecorderOptions) { this.#options = options }

  record (event: TransitionEvent): void {
    if (this.#stopping.signal.aborted) return
    this.#add(JSON.stringify([event.regarding.uid, event.type, event.reason, event.note]), { event, tries: 0 })
    this.#sending ??= this.#sendAll()
  }

  /** Drops pending events. Once settled, nothing is in flight. */
  async stop (): Promise<void> {
    this.#stopping.abort()
    this.#pending.clear()
    this.#pendingOfRollouts.clear()
    await this.#sending
  }

  async #sendAll (): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      await pause(this.#options.clock, await this.#send(...next), this.#stopping.signal)
    }
    this.#sending = undefined
  }

  #add (key: string, pending: Pending): void {
    const entries = isOfRollout(pending.event) ? this.#pendingOfRollouts : this.#pending
    entries.set(pending.event.regarding.namespace, key, pending)
  }

  #next (): readonly [string, Pending] | undefined {
    return this.#pending.take() ?? this.#pendingOfRollouts.take()
  }

  /** Returns how long to wait before the next request, in milliseconds. */
  async #send (key: string, pending: Pending): Promise<number> {
    const { event } = pending
    const known = this.#sent.get(event.regarding.namespace, key)
    const isRepeat = known !== undefined && this.#options.clock.now() - known.at < SERIES_MS
    if (isRepeat) await this.#repeat(known)
    else if (await this.#mustRetry(key, pending) && this.#failures > 1) {
      return backoff(RETRY_MS, this.#failures - 1)
    }
    return isOfRollout(event) ? ROLLOUT_GAP_MS : GAP_MS
  }

  async #repeat (known: Sent): Promise<void> {
    const now = this.#options.clock.now()
    known.count++
    if (known.count > FIRST_REPEAT && now - known.at < REWRITE_MS) return
    known.at = now
    const series = { count: known.count, lastObservedTime: microTime(this.#options.wallTime()) }
    await this.#request('PATCH', known.path, { series })
  }

  /** Sends an event, and adds it again if the API server is unavailable. */
  async #mustRetry (key: string, { event, post = this.#postOf(event), tries }: Pending): Promise<boolean> {
    const { namespace } = event.regarding
    this.#sent.delete(namespace, key) // now the youngest
    const at = this.#options.clock.now()
    this.#sent.set(namespace, key, { path: `${post.collection}/${post.name}`, count: 1, at })
    const { kind } = await this.#request('POST', post.collection, post.body)
    const isStored = kind === 'written' || (kind === 'conflict' && tries > 0) // by a try without a response
    if (!isStored) this.#sent.delete(namespace, key)
    const mustRetry = kind === 'unavailable' && tries + 1 < MAX_TRIES && this.#isActive
    if (mustRetry) this.#add(key, { event, post, tries: tries + 1 })
    return mustRetry
  }

  /** A replica that no longer leads sends nothing. */
  get #isActive (): boolean {
    return !this.#stopping.signal.aborted && this.#options.fencing()
  }

  #postOf ({ regarding, type, reason, action, note }: TransitionEvent): Post {
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
        reportingController: `${PREFIX}/aim-admission`,
        reportingInstance: instance.slice(0, 128),
        action,
        reason,
        regarding: { apiVersion: API_VERSION, ...regarding },
        note: truncated(oneLine(note)),
        type
      }
    }
  }

  /** POST for an event, PATCH for its series. */
  async #request (method: 'POST' | 'PATCH', path: string, body: object): Promise<WriteResult | Unavailable> {
    const { request, fencing, log } = this.#options
    const headers = { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }
    const result = await requestObject(request, path, {
      method, headers, body: JSON.stringify(body), timeoutMs: TIMEOUT_MS, fencing
    })
    const failed = result.kind !== 'written'
    if (failed && this.#failures === 0 && !this.#stopping.signal.aborted) {
      log.warn({ reason: 'reason' in result ? result.reason : result.kind }, 'failed to write event')
    }
    this.#failures = failed ? this.#failures + 1 : 0
    return result
  }
}

function isOfRollout ({ reason }: TransitionEvent): boolean {
  return reason === 'RolledForward'
}

/** At most MAX_NOTE_BYTES, without half a character at the end. */
function truncated (note: string): string {
  if (Buffer.byteLength(note) <= MAX_NOTE_BYTES) return note
  return new TextDecoder().decode(Buffer.from(note).subarray(0, MAX_NOTE_BYTES - 3)).replace(/\uFFFD$/, '') + '…'
}
