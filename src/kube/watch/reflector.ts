import { pause } from '../../platform/pause.ts'
import type { Log, ObjectKey, ObjectSink } from '../../core/ports.ts'
import { errorMessage } from '../../platform/error-message.ts'
import type { ApiResponse, SendRequest } from '../client/api-connection.ts'
import { readListPage, type ListPage } from './list-page.ts'
import { isNewerVersion } from './resource-version.ts'
import { splitLines } from './split-lines.ts'
import { statusOf } from '../client/status.ts'
import {
  ListWatchError, asListWatchError, shouldRelist, refusal, waitAfter, type RestartReason
} from './list-watch-error.ts'
import type { VersionedObject } from './versioned-object.ts'
import { readWatchEvent, type WatchEvent } from './watch-event.ts'
import type { Clock } from '../../platform/clock.ts'

export type ReflectorState = 'idle' | 'listing' | 'watching' | 'backing-off' | 'stopped'

export interface ReflectorObserver {
  /** The first list is complete. */
  onSynced (): void
  /** A list or watch broke off; the end of a watch at its appointed time is none. */
  onRestart (reason: RestartReason): void
  /** The sink threw on one object, which counts as not delivered until it changes or is listed again. */
  onFailedObject (key: ObjectKey): void
}

export interface ReflectorOptions {
  /** The collection, without a query: `/apis/aim.silogen.ai/v1alpha1/aimservices`. */
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
 * How long the server is asked to keep a watch open. Short, and that is how a mute one is told from a quiet one:
 * bookmarks come once a minute only, and not at all while nothing changes, but the end of the watch is the server's
 * promise. A watch that outlives it is dead. Going on costs one small request on the same connection, from the bookmark
 * that the server sends 2 s before the end.
 */
const WATCH_SECONDS = 30
const WATCH_LIMIT_MS = (WATCH_SECONDS + 5) * 1000

/**
 * A watch that ends sooner without having brought anything is a refusal: without a wait it would be asked for in a
 * tight loop.
 */
const SHORTEST_WATCH_MS = 1_000

const PAGE_SIZE = 500
/** The API server's own limit for a list. */
const PAGE_LIMIT_MS = 60_000
/** A stream of what there is may take as long as it needs, while something comes. */
const STREAM_SECONDS = 600
const STREAM_SILENCE_MS = 30_000
/**
 * The answer to a stream where the API server does not offer one. Source: Kubernetes API concepts, "Streaming lists".
 */
const NOT_OFFERED = 422
/**
 * The answer while the API server has too much to do, or has not opened the store of a kind yet. Source: RFC 6585,
 * section 4.
 */
const BUSY = 429

/**
 * Feeds a sink with the objects of one collection: lists them, watches for changes, and never gives up. A sink gets
 * each change once and in order. After a gap the objects are listed again, and only what differs is told, including
 * what has gone meanwhile.
 */
export class Reflector {
  readonly #options: ReflectorOptions
  readonly #stopping = new AbortController()
  /** The version of each object that the sink has; empty where it threw. */
  readonly #versions = new Map<string, string>()
  #state: ReflectorState = 'idle'
  /** Whether what there is comes as a stream; else in pages. */
  #streams = true
  /** Everything up to here has been seen; undefined when a list is due. */
  #version: string | undefined
  #synced = false
  #trouble: ListWatchError | undefined
  #lastReason: RestartReason | undefined
  /** How often the last reason has come without a working watch in between. */
  #inARow = 0
  #confirmedAt = -Infinity
  #running: Promise<void> = Promise.resolve()

  constructor (options: ReflectorOptions) {
    this.#options = options
  }

  get state (): ReflectorState { return this.#state }
  /** Whether the sink has ever been filled; it is never emptied again. */
  get synced (): boolean { return this.#synced }
  /** What went wrong last; undefined while all is well. One line. */
  get trouble (): string | undefined { return this.#trouble?.message }
  /** How many objects the sink was given and not told to remove. */
  get size (): number { return this.#versions.size }
  /** Milliseconds since the server last confirmed that the sink is up to date; up to 30,000 on a quiet watch. */
  get age (): number { return this.#options.clock.now() - this.#confirmedAt }

  start (): void {
    if (this.#state !== 'idle') throw new Error(`a reflector starts once, this one is ${this.#state}`)
    this.#running = this.#run()
  }

  /** Once settled, the sink is not called any more. */
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

  /** Tells the sink of all that there is, and of what has gone. */
  async #fill (): Promise<void> {
    this.#state = 'listing'
    const listed = new Set<string>()
    const version = await this.#stream(listed) ?? await this.#list(listed)
    for (const name of this.#versions.keys()) {
      if (!listed.has(name)) this.#remove(name)
    }
    this.#version = version
    this.#trouble = undefined
    this.#confirmedAt = this.#options.clock.now()
    if (!this.#synced) this.#becomeSynced()
  }

  /**
   * One object after the other, so that no text of them all is ever held. Answers with their version; undefined where
   * the server does not offer that.
   */
  async #stream (listed: Set<string>): Promise<string | undefined> {
    if (!this.#streams) return undefined
    const query = {
      watch: 'true', allowWatchBookmarks: 'true', sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan', timeoutSeconds: String(STREAM_SECONDS)
    }
    try {
      return await this.#send(query, STREAM_SILENCE_MS, async (body, signal, goOn) => {
        for await (const line of splitLines(body)) {
          signal.throwIfAborted()
          goOn()
          const version = this.#takeListed(readWatchEvent(line), listed)
          if (version !== undefined) return version
        }
        throw new ListWatchError('refused', 'the API server ended the stream of what there is before its end')
      })
    } catch (error) {
      if (!(error instanceof ListWatchError) || error.code !== NOT_OFFERED) throw error
      this.#streams = false
      return undefined
    }
  }

  /** Answers with the version of the whole once all is there. */
  #takeListed (event: WatchEvent, listed: Set<string>): string | undefined {
    switch (event.kind) {
      case 'error': throw refusal(event.status)
      case 'unreadable': throw new ListWatchError('unreadable', 'a line of the stream is not an event')
      case 'bookmark': return event.complete ? event.version : undefined
      case 'upsert':
        this.#upsert(event.item)
        listed.add(fileName(event.item.key))
        return undefined
      case 'remove':
        listed.delete(fileName(event.item.key))
        return undefined
    }
  }

  /** In pages; answers with the version that they are of. */
  async #list (listed: Set<string>): Promise<string> {
    let token = ''
    let version
    do {
      const page = await this.#page(token)
      for (const item of page.items) {
        this.#upsert(item)
        listed.add(fileName(item.key))
      }
      ({ version, next: token } = page)
    } while (token !== '')
    return version
  }

  async #page (token: string): Promise<ListPage> {
    const query = { limit: String(PAGE_SIZE), ...(token !== '' && { continue: token }) }
    return this.#send(query, PAGE_LIMIT_MS, async (body) => readListPage(await body.text()))
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
    const cutShort = this.#version === from && this.#options.clock.now() - startedAt < SHORTEST_WATCH_MS
    if (cutShort) throw new ListWatchError('refused', 'the API server ended the watch at once')
    this.#confirm()
  }

  #take (event: WatchEvent): void {
    if (event.kind === 'error') throw refusal(event.status)
    if (event.kind === 'unreadable') throw new ListWatchError('unreadable', 'a line of the watch is not an event')
    const version = event.kind === 'bookmark' ? event.version : event.item.version
    // events come in the order of their versions: what is not newer has been seen, or was overtaken by a list
    if (this.#version !== undefined && !isNewerVersion(version, this.#version)) return
    if (event.kind === 'upsert') this.#upsert(event.item)
    if (event.kind === 'remove') this.#remove(fileName(event.item.key))
    this.#version = version
    this.#confirm()
  }

  #upsert ({ object, key, version }: VersionedObject): void {
    const name = fileName(key)
    if (this.#versions.get(name) === version) return
    const delivered = this.#deliver(key, () => { this.#options.sink.upsert(object) })
    this.#versions.set(name, delivered ? version : '')
  }

  #remove (name: string): void {
    if (!this.#versions.has(name)) return
    const slash = name.indexOf('/')
    const key = { namespace: name.slice(0, slash), name: name.slice(slash + 1) }
    if (this.#deliver(key, () => { this.#options.sink.remove(key) })) this.#versions.delete(name)
    else this.#versions.set(name, '')
  }

  #deliver (key: ObjectKey, call: () => void): boolean {
    try {
      call()
      return true
    } catch (error) {
      this.#options.log.error(
        { path: this.#options.path, ...key, reason: errorMessage(error) },
        'object could not be taken in'
      )
      this.#options.observer.onFailedObject(key)
      return false
    }
  }

  /**
   * Sends one request and reads its answer; gives up `limit` ms after it began, or was said to go on, and when this
   * reflector is stopped.
   */
  async #send<T> (query: Record<string, string>, limit: number, read: ReadAnswer<T>): Promise<T> {
    const { clock, path, request } = this.#options
    const stopping = this.#stopping.signal
    stopping.throwIfAborted()
    // and no AbortSignal.any, which leaves something behind on the longer-lived signal each time
    const attempt = new AbortController()
    const onStop = () => { attempt.abort(stopping.reason) }
    stopping.addEventListener('abort', onStop)
    const giveUp = (): void => {
      attempt.abort(new ListWatchError('mute', `the API server did not end its answer within ${limit / 1000} s`))
    }
    let [since, cancel] = [clock.now(), clock.setTimeout(limit, giveUp)]
    const goOn = (): void => {
      if (clock.now() - since < GO_ON_MS) return
      cancel()
      ;[since, cancel] = [clock.now(), clock.setTimeout(limit, giveUp)]
    }
    try {
      const response = await request(path, { query, signal: attempt.signal })
      if (response.statusCode !== 200) throw refusal(await statusOf(response))
      return await read(response.body, attempt.signal, goOn)
    } catch (error) {
      throw attempt.signal.aborted ? attempt.signal.reason : error
    } finally {
      cancel()
      stopping.removeEventListener('abort', onStop)
    }
  }

  async #backOff (trouble: ListWatchError): Promise<void> {
    this.#state = 'backing-off'
    this.#inARow = trouble.reason === this.#lastReason ? this.#inARow + 1 : 1
    this.#lastReason = trouble.reason
    this.#trouble = trouble
    if (shouldRelist(trouble, this.#inARow)) this.#version = undefined
    const wait = waitAfter(trouble, this.#inARow, this.#options.random())
    if (this.#inARow === 1) {
      const { path, log } = this.#options
      // being asked to wait is no trouble for an operator to look into
      const level = trouble.code === BUSY ? 'info' : 'warn'
      log[level](
        { path, trouble: trouble.reason, reason: trouble.message },
        'the list or watch broke off and is tried again'
      )
    }
    this.#options.observer.onRestart(trouble.reason)
    await pause(this.#options.clock, wait, this.#stopping.signal)
  }

  #becomeSynced (): void {
    this.#synced = true
    this.#options.log.info({ path: this.#options.path, objects: this.size }, 'cache filled')
    this.#options.observer.onSynced()
  }

  /** The watch works: it brought something new, or ended when it should. */
  #confirm (): void {
    this.#confirmedAt = this.#options.clock.now()
    if (this.#inARow === 0) return
    this.#options.log.info({ path: this.#options.path }, 'watching again')
    this.#trouble = undefined
    this.#inARow = 0
  }
}

/** What has come is noted no more often than this. */
const GO_ON_MS = 1_000

type ReadAnswer<T> = (body: ApiResponse['body'], signal: AbortSignal, goOn: () => void) => Promise<T>

function fileName ({ namespace, name }: ObjectKey): string {
  return [namespace, name].join('/') // joined, not added: a sum keeps its parts beside the text
}
