import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { JsonObject } from '../../../src/platform/json.ts'
import { listening } from '../processes.ts'

/** A request for a collection: its first page, a further page, a stream of its objects, or its changes. */
export type RequestKind = 'list' | 'page' | 'stream' | 'watch'

/** Sends a response in place of the regular one. */
export type Responder = (response: ServerResponse) => void

export interface FakeObject extends JsonObject {
  readonly metadata: { readonly namespace?: string, readonly name: string, readonly resourceVersion: string }
}

interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly version: number
  readonly object: FakeObject
}
interface Watcher { readonly collection: Collection, readonly response: ServerResponse }

/** Objects by name, and their changes since the last compaction. */
interface Collection { readonly objects: Map<string, FakeObject>, changes: Change[], forgotten: number }

/**
 * An API server for lists and watches, in this process. It behaves like the real one, except for the faults that a test
 * queues with `next` or causes with the methods below.
 */
export class FakeApiServer {
  /** Every request so far, in order. */
  readonly requests: Array<{
    readonly kind: RequestKind
    readonly query: URLSearchParams
    readonly request: IncomingMessage
  }> = []

  /** Connections accepted so far. */
  accepted = 0
  /** Whether it offers streams of initial objects. If not, it refuses them like the real one. */
  streams = false
  readonly #tls: ServerOptions | undefined
  readonly #collections = new Map<string, Collection>()
  readonly #responders: Record<RequestKind, Responder[]> = { list: [], page: [], stream: [], watch: [] }
  readonly #snapshots = new Map<string, { readonly items: readonly FakeObject[], readonly version: number }>()
  readonly #watchers = new Set<Watcher>()
  #version = 100
  #server: Server | undefined
  #port = 0

  constructor (tls?: ServerOptions) { this.#tls = tls }

  get url (): string { return `${this.#tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}` }
  get openWatches (): number { return this.#watchers.size }

  /** A kubeconfig without TLS. */
  get kubeconfig (): string {
    return JSON.stringify({
      'current-context': 'fake',
      contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'me' } }],
      clusters: [{ name: 'fake', cluster: { server: this.url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'me', user: { token: 'secret' } }]
    })
  }

  async openConnections (): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server?.getConnections((error, count) => { if (error === null) resolve(count); else reject(error) })
    })
  }

  /** A restart uses the same port. */
  async start (): Promise<void> {
    const respond = (request: IncomingMessage, response: ServerResponse) => { this.#respond(request, response) }
    this.#server = this.#tls === undefined ? createServer(respond) : createTlsServer(this.#tls, respond)
    this.#server.on('connection', () => { this.accepted++ })
    this.#port = await listening(this.#server, this.#port)
  }

  async stop (): Promise<void> {
    const closed = Promise.withResolvers<unknown>()
    this.#server?.close(closed.resolve)
    this.reset()
    await closed.promise
  }

  /** Adds a collection; unknown ones return 404. */
  serve (path: string): void {
    this.#collections.set(path, { objects: new Map(), changes: [], forgotten: 0 })
  }

  unserve (path: string): void {
    this.#collections.delete(path)
  }

  /** Creates or changes an object. Its metadata may have another name. */
  put (path: string, name: string, fields: JsonObject = {}): void {
    const collection = this.#collection(path)
    const metadata = {
      namespace: 'ml-team',
      name,
      ...(fields['metadata'] as JsonObject | undefined),
      resourceVersion: String(++this.#version)
    }
    const object = { ...fields, metadata }
    const type = collection.objects.has(name) ? 'MODIFIED' : 'ADDED'
    collection.objects.set(name, object)
    this.#record(collection, { type, version: this.#version, object })
  }

  remove (path: string, name: string): void {
    const collection = this.#collection(path)
    const last = collection.objects.get(name)
    if (last === undefined) throw new Error(`${path} has no ${name}`)
    const object = { ...last, metadata: { ...last.metadata, resourceVersion: String(++this.#version) } }
    collection.objects.delete(name)
    this.#record(collection, { type: 'DELETED', version: this.#version, object })
  }

  objects (path: string): FakeObject[] {
    return [...this.#collection(path).objects.values()]
  }

  /** Sends every watch a bookmark with a new version, as after writes to other kinds. */
  bookmark (): void {
    this.#version++
    for (const { response } of this.#watchers) {
      response.write(eventLine('BOOKMARK', { metadata: { resourceVersion: String(this.#version) } }))
    }
  }

  /** Drops all changes, as compaction does: watches from before get an ERROR event 410. */
  forgetChanges (path: string): void {
    const collection = this.#collection(path)
    collection.changes = []
    collection.forgotten = this.#version
  }

  /** Queues a response to the next request of this kind. */
  next (kind: RequestKind, respond: Responder): void {
    this.#responders[kind].push(respond)
  }

  /** Writes raw text to every open watch. */
  write (text: string): void {
    for (const { response } of this.#watchers) response.write(text)
  }

  /** Ends every open watch, as after its timeout. */
  endWatches (): void {
    for (const { response } of this.#watchers) response.end()
    this.#watchers.clear()
  }

  /** Silences open watches without closing them. */
  muteWatches (): void {
    this.#watchers.clear()
  }

  /** Cuts every connection. */
  reset (): void {
    this.#watchers.clear()
    this.#server?.closeAllConnections()
  }

  #collection (path: string): Collection {
    const collection = this.#collections.get(path)
    if (collection === undefined) throw new Error(`${path} is not served`)
    return collection
  }

  #record (collection: Collection, change: Change): void {
    collection.changes.push(change)
    for (const watcher of this.#watchers) {
      if (watcher.collection === collection) watcher.response.write(eventLine(change.type, change.object))
    }
  }

  #respond (request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url ?? '', this.url)
    if (query.has('sendInitialEvents') && !this.streams) {
      status(422)(response)
      return
    }
    const kind = REQUEST_KINDS.find(([key]) => query.has(key))?.[1] ?? 'list'
    this.requests.push({ kind, query, request })
    const respond = this.#responders[kind].shift()
    const collection = this.#collections.get(pathname)
    if (respond !== undefined) respond(response)
    else if (collection === undefined) status(404)(response)
    else this.#respondRegularly(kind, { collection, query, response })
  }

  #respondRegularly (
    kind: RequestKind,
    { collection, query, response }: { collection: Collection, query: URLSearchParams, response: ServerResponse }
  ): void {
    if (kind === 'stream') this.#stream(collection, response)
    else if (kind === 'watch') this.#watch(collection, query, response)
    else if (kind === 'page' && !this.#snapshots.has(query.get('continue') ?? '')) status(400)(response)
    else this.#list(collection, query, response)
  }

  #list (collection: Collection, query: URLSearchParams, response: ServerResponse): void {
    const token = query.get('continue') ?? ''
    const { items, version } = this.#snapshots.get(token) ?? {
      items: [...collection.objects.values()],
      version: this.#version
    }
    const size = Number(query.get('limit') ?? items.length)
    const rest = items.slice(size)
    const next = rest.length > 0 ? `page-${this.#snapshots.size + 1}` : ''
    this.#snapshots.set(next, { items: rest, version })
    this.#snapshots.delete('')
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({
        kind: 'List',
        metadata: { resourceVersion: String(version), continue: next },
        items: items.slice(0, size)
      })
    )
  }

  #stream (collection: Collection, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' })
    for (const object of collection.objects.values()) response.write(eventLine('ADDED', object))
    response.write(endOfStream(this.#version))
  }

  #watch (collection: Collection, query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion'))
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    if (from < collection.forgotten) {
      response.end(eventLine('ERROR', statusObject(410, 'too old resource version')))
      return
    }
    for (const { type, version, object } of collection.changes) {
      if (version > from) response.write(eventLine(type, object))
    }
    const watcher = { collection, response }
    this.#watchers.add(watcher)
    response.on('close', () => { this.#watchers.delete(watcher) })
  }
}

/** The query parameter that identifies each kind; the first match counts. */
const REQUEST_KINDS = [['sendInitialEvents', 'stream'], ['watch', 'watch'], ['continue', 'page']] as const

/** Responds with a metav1.Status. */
export function status (code: number, headers: Record<string, string> = {}): Responder {
  return (response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(statusObject(code, 'simulated failure')))
  }
}

/** Responds with code 200 and this text; then ends, resets the connection, or goes silent. */
export function text (body: string, then: 'end' | 'reset' | 'silence' = 'end'): Responder {
  return (response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.write(body, () => {
      if (then === 'end') response.end()
      if (then === 'reset') response.destroy()
    })
    if (body === '') response.flushHeaders()
  }
}

/** Never responds, and keeps the connection open. */
export const silence: Responder = () => {}

/** The bookmark that ends a stream. */
function endOfStream (version: number): string {
  return eventLine('BOOKMARK', {
    metadata: { resourceVersion: String(version), annotations: { 'k8s.io/initial-events-end': 'true' } }
  })
}

/** One line of a watch. */
export function eventLine (type: string, object: JsonObject): string {
  return JSON.stringify({ type, object }) + '\n'
}

export function statusObject (code: number, message: string): JsonObject {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, message }
}
