import type { Log, ObjectKey, ObjectSink } from '../../core/ports.ts'
import { pause, type Clock } from '../../platform/clock.ts'
import { errorMessage } from '../../platform/error-message.ts'
import { isNewerVersion, keyText, parseKey } from '../../api/object-meta.ts'
import type { ApiResponse, SendRequest } from '../client/api-connection.ts'
import { statusOf, type VersionedObject } from '../client/responses.ts'
import { pageQuery, readListPage, type ListPageEnd } from '../objects/list-objects.ts'
import {
  ListWatchError, asListWatchError, refusal, shouldRelist, waitAfter, type RestartReason
} from './list-watch-error.ts'
import { readWatchEvent, splitLines, type WatchEvent } from './watch-events.ts'

export type ReflectorState = 'idle' | 'listing' | 'watching' | 'backing-off' | 'stopped'

interface ReflectorObserver {
  /** The first list is complete. */
  onSynced (): void
  /** A list or watch failed; the regular end of a watch does not count. */
  onRestart (reason: RestartReason): void
  /** The sink threw on one object, which counts as not delivered until it changes or is listed again. */
  onFailedObject (key: ObjectKey): void
}

export interface ReflectorOptions {
  /** The collection, without a query: `/apis/GROUP/v1alpha1/aimservices`. */
  readonly path: string
  readonly request: SendRequest
  readonly sink: ObjectSink
  readonly observer: ReflectorObserver
  readonly log: Log
  readonly clock: Clock
  /** From 0 to 1, as Math.random. */
  readonly random: () => number
}

/**
 * The requested length of a watch. The server ends it in time, so a watch that outlives it is dead. Bookmarks could not
 * prove that: they come once a minute, and not at all while nothing changes. The next watch costs one small request on
 * the same connection, from the bookmark that the server sends 2 s before the end.
 */
const WATCH_SECONDS = 30
const WATCH_LIMIT_MS = (WATCH_SECONDS + 5) * 1_000

/** A watch that ends sooner and without events counts as refused; without a wait it would repeat in a tight loop. */
const SHORTEST_WATCH_MS = 1_000

/** The API server's own limit for a list. */
const PAGE_LIMIT_MS = 60_000
/** A stream of the initial objects may take long, as long as data arrives. */
const STREAM_SECONDS = 600
const STREAM_SILENCE_MS = 30_000
/** The API server does not offer streams. Source: Kubernetes API concepts, "Streaming lists". */
const NOT_OFFERED = 422
/** The API server is overloaded, or has not opened the storage of a kind yet. Source: RFC 6585, section 4. */
const BUSY = 429

/**
 * Feeds a sink with the objects of one collection: lists them, watches for changes, and never gives up. The sink gets
 * each change once and in order. After a gap the objects are listed again, and the sink gets only the differences,
 * including the objects deleted meanwhile.
 */
export class Reflector {
  readonly #options: ReflectorOptions
  readonly #stopping = new AbortController()
  /** The version of each object that the sink has; empty if the sink threw. */
  readonly #versions = new Map<string, string>()
  #state: ReflectorState = 'idle'
  /** Whether the server offers the initial objects as a stream. Without one they come in pages. */
  #streams = true
  /** Every change up to this version is delivered; undefined before a list. */
  #version: string | undefined
  #synced = false
  #error: ListWatchError | undefined
  #lastReason: RestartReason | undefined
  /** How often the last reason has occurred since the last working watch. */
  #inARow = 0
  #confirmedAt = -Infinity
  #running: Promise<void> = Promise.resolve()

  constructor (options: ReflectorOptions) { this.#options = options }

  get state (): ReflectorState { return this.#state }
  /** Whether the sink has been filled once; stays true. */
  get synced (): boolean { return this.#synced }
  /** The current error, in one line; undefined while the list or watch works. */
  get error (): string | undefined { return this.#error?.message }
  /** The number of objects in the sink. */
  get size (): number { return this.#versions.size }
  /** Milliseconds since the server last confirmed that the sink is up to date; up to 30,000 on a quiet watch. */
  get age (): number { return this.#options.clock.now() - this.#confirmedAt }

  start (): void {
    if (this.#state !== 'idle') throw new Error(`a reflector starts once, this one is ${this.#state}`)
    this.#running = this.#run()
  }

  /** Once settled, the sink is not called anymore. */
  async stop (): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#state = 'stopped'
  }

  async #run (): Promise<void> {
    for (;;) {
      try {
        if (this.#version === undefined) await this.#fill()
        else await this.#watch(this.#version)
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        await this.#backOff(asListWatchError(error))
      }
    }
  }

  /** Delivers all objects, and removes those that no longer exist. */
  async #fill (): Promise<void> {
    this.#state = 'listing'
    const listed = new Set<string>()
    const version = await this.#stream(listed) ?? await this.#list(listed)
    for (const name of this.#versions.keys()) {
      if (!listed.has(name)) this.#remove(name)
    }
    this.#version = version
    this.#error = undefined
    this.#confirmedAt = this.#options.clock.now()
    if (this.#synced) return
    this.#synced = true
    this.#options.log.info({ path: this.#options.path, objects: this.size }, 'cache filled')
    this.#options.observer.onSynced()
  }

  /** Streams the objects, so that they are never all in memory as text. Undefined if the server offers no streams. */
  async #stream (listed: Set<string>): Promise<string | undefined> {
    if (!this.#streams) return undefined
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      timeoutSeconds: String(STREAM_SECONDS)
    }
    try {
      return await this.#send(query, STREAM_SILENCE_MS, async (body, signal, extendTimeout) => {
        for await (const line of splitLines(body)) {
          signal.throwIfAborted()
          extendTimeout()
          const version = this.#takeListed(readWatchEvent(line), listed)
          if (version !== undefined) return version
        }
        throw new ListWatchError('refused', 'the API server ended the stream of initial objects early')
      })
    } catch (error) {
      if (!(error instanceof ListWatchError) || error.code !== NOT_OFFERED) throw error
      this.#streams = false
      return undefined
    }
  }

  /** Returns the version of the stream at its end. */
  #takeListed (event: WatchEvent, listed: Set<string>): string | undefined {
    switch (event.kind) {
      case 'error': throw refusal(event.status)
      case 'unreadable': throw new ListWatchError('unreadable', 'a line of the stream is not an event')
      case 'bookmark': return event.complete ? event.version : undefined
      case 'upsert':
        this.#upsert(event.item)
        listed.add(keyText(event.item.key))
        return undefined
      case 'remove':
        listed.delete(keyText(event.item.key))
        return undefined
    }
  }

  /** Lists the objects in pages. Returns the version of the list. */
  async #list (listed: Set<string>): Promise<string> {
    let end: ListPageEnd = { version: '', next: '' }
    do {
      end = await this.#send(pageQuery(end.next), PAGE_LIMIT_MS, async (body, signal) =>
        await readListPage(body, (item) => {
          signal.throwIfAborted()
          this.#upsert(item)
          listed.add(keyText(item.key))
        }))
    } while (end.next !== '')
    return end.version
  }

  async #watch (from: string): Promise<void> {
    this.#state = 'watching'
    const startedAt = this.#options.clock.now()
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: from,
      timeoutSeconds: String(WATCH_SECONDS)
    }
    await this.#send(query, WATCH_LIMIT_MS, async (body, signal) => {
      for await (const line of splitLines(body)) {
        signal.throwIfAborted()
        this.#take(readWatchEvent(line))
      }
    })
    const endedEarly = this.#version === from && this.#options.clock.now() - startedAt < SHORTEST_WATCH_MS
    if (endedEarly) throw new ListWatchError('refused', 'the API server ended the watch at once')
    this.#confirm()
  }

  #take (event: WatchEvent): void {
    if (event.kind === 'error') throw refusal(event.status)
    if (event.kind === 'unreadable') throw new ListWatchError('unreadable', 'a line of the watch is not an event')
    const version = event.kind === 'bookmark' ? event.version : event.item.version
    // events come in the order of their versions: an older one was delivered before, or superseded by a list
    if (this.#version !== undefined && !isNewerVersion(version, this.#version)) return
    if (event.kind === 'upsert') this.#upsert(event.item)
    if (event.kind === 'remove') this.#remove(keyText(event.item.key))
    this.#version = version
    this.#confirm()
  }

  #upsert ({ object, key, version }: VersionedObject): void {
    const name = keyText(key)
    if (this.#versions.get(name) === version) return
    const delivered = this.#deliver(key, () => { this.#options.sink.upsert(object) })
    this.#versions.set(name, delivered ? version : '')
  }

  #remove (name: string): void {
    if (!this.#versions.has(name)) return
    const key = parseKey(name)
    if (this.#deliver(key, () => { this.#options.sink.remove(key) })) this.#versions.delete(name)
    else this.#versions.set(name, '')
  }

  #deliver (key: ObjectKey, call: () => void): boolean {
    try {
      call()
      return true
    } catch (error) {
      const { path, log, observer } = this.#options
      log.error({ path, ...key, reason: errorMessage(error) }, 'failed to index object')
      observer.onFailedObject(key)
      return false
    }
  }

  /** Sends one request and reads its response. Aborts on stop, and `limit` ms after the start or the last extension. */
  async #send<T> (query: Record<string, string>, limit: number, read: ReadBody<T>): Promise<T> {
    const { clock, path, request } = this.#options
    const stopping = this.#stopping.signal
    stopping.throwIfAborted()
    // not AbortSignal.any, which leaves an entry on the longer-lived signal each time
    const attempt = new AbortController()
    const onStop = () => { attempt.abort(stopping.reason) }
    stopping.addEventListener('abort', onStop)
    const expire = (): void => {
      attempt.abort(
        new ListWatchError('mute', `the API server did not complete its response within ${limit / 1_000} s`)
      )
    }
    let [since, cancel] = [clock.now(), clock.setTimeout(limit, expire)]
    const extendTimeout = (): void => {
      if (clock.now() - since < EXTENSION_MS) return
      cancel()
      ;[since, cancel] = [clock.now(), clock.setTimeout(limit, expire)]
    }
    try {
      const response = await request(path, { query, signal: attempt.signal })
      if (response.statusCode !== 200) throw refusal(await statusOf(response))
      return await read(response.body, attempt.signal, extendTimeout)
    } catch (error) {
      throw attempt.signal.aborted ? attempt.signal.reason : error
    } finally {
      cancel()
      stopping.removeEventListener('abort', onStop)
    }
  }

  async #backOff (error: ListWatchError): Promise<void> {
    const { clock, log, observer, path, random } = this.#options
    this.#state = 'backing-off'
    this.#inARow = error.reason === this.#lastReason ? this.#inARow + 1 : 1
    this.#lastReason = error.reason
    this.#error = error
    if (shouldRelist(error, this.#inARow)) this.#version = undefined
    const wait = waitAfter(error, this.#inARow, random())
    if (this.#inARow === 1) {
      const level = error.code === BUSY ? 'info' : 'warn' // a busy server needs no operator
      log[level]({ path, cause: error.reason, reason: error.message }, 'list or watch failed, retrying')
    }
    observer.onRestart(error.reason)
    await pause(clock, wait, this.#stopping.signal)
  }

  /** The watch works: it delivered an event, or ended in time. */
  #confirm (): void {
    this.#confirmedAt = this.#options.clock.now()
    if (this.#inARow === 0) return
    this.#options.log.info({ path: this.#options.path }, 'watch recovered')
    this.#error = undefined
    this.#inARow = 0
  }
}

/** The shortest time between two extensions of a timeout. */
const EXTENSION_MS = 1_000

type ReadBody<T> = (body: ApiResponse['body'], signal: AbortSignal, extendTimeout: () => void) => Promise<T>
