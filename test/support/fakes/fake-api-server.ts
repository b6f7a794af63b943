import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from '../../../src/platform/json.ts'

/** What a client asks a collection for: its first page, a further page, a stream of what there is, or its changes. */
export type RequestKind = 'list' | 'page' | 'stream' | 'watch'

/** How one kind is answered instead of properly. */
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

/** Objects by namespace and name, and every change to them since the server began or forgot. */
interface Collection { readonly objects: Map<string, FakeObject>, changes: Change[], forgotten: number }

/**
 * An API server of lists and watches alone, in this process. It behaves as the real one does until a test has it
 * misbehave, by queueing answers with `next` or by the methods below.
 */
export class FakeApiServer {
  /** Every kind so far, in order, with its query. */
  readonly requests: Array<{
    readonly kind: RequestKind
    readonly query: URLSearchParams
    readonly request: IncomingMessage
  }> = []

  /** Connections ever accepted. */
  accepted = 0
  /**
   * Whether it offers a stream of what there is; else it refuses one as the real one does where that is switched off.
   */
  streams = false
  readonly #tls: ServerOptions | undefined
  readonly #collections = new Map<string, Collection>()
  readonly #answers: Record<RequestKind, Responder[]> = { list: [], page: [], stream: [], watch: [] }
  readonly #snapshots = new Map<string, { readonly items: readonly FakeObject[], readonly version: number }>()
  readonly #watchers = new Set<Watcher>()
  #version = 100
  #server: Server | undefined
  #port = 0

  constructor (tls?: ServerOptions) {
    this.#tls = tls
  }

  get url (): string { return `${this.#tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}` }
  get openWatches (): number { return this.#watchers.size }

  /** A kubeconfig for it, without TLS. */
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

  /** Started again, it listens on the port that it had before. */
  async start (): Promise<void> {
    const answer = (request: IncomingMessage, response: ServerResponse) => { this.#answer(request, response) }
    this.#server = this.#tls === undefined ? createServer(answer) : createTlsServer(this.#tls, answer)
    this.#server.on('connection', () => { this.accepted++ })
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port // of a TCP server that listens
  }

  async stop (): Promise<void> {
    const closed = Promise.withResolvers<unknown>()
    this.#server?.close(closed.resolve)
    this.reset()
    await closed.promise
  }

  /** Makes a collection known; until then it is answered 404. */
  serve (path: string): void {
    this.#collections.set(path, { objects: new Map(), changes: [], forgotten: 0 })
  }

  unserve (path: string): void {
    this.#collections.delete(path)
  }

  /** Creates or changes an object, known here by this name; its metadata may say another one. */
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

  /** Tells every watcher the present version, which moves on, as it does by writes to other kinds. */
  bookmark (): void {
    this.#version++
    for (const { response } of this.#watchers) {
      response.write(eventLine('BOOKMARK', { metadata: { resourceVersion: String(this.#version) } }))
    }
  }

  /** Drops the changes up to now, as compaction does: a watch from before gets an ERROR event 410. */
  forgetChanges (path: string): void {
    const collection = this.#collection(path)
    collection.changes = []
    collection.forgotten = this.#version
  }

  /** Queues an answer to the next such kind, before any proper one. */
  next (kind: RequestKind, answer: Responder): void {
    this.#answers[kind].push(answer)
  }

  /** Writes to every open watch, whatever it may be. */
  write (text: string): void {
    for (const { response } of this.#watchers) response.write(text)
  }

  /** Ends every open watch as its appointed time does. */
  endWatches (): void {
    for (const { response } of this.#watchers) response.end()
    this.#watchers.clear()
  }

  /** Open watches stay open, and nothing comes through them any more. */
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

  #answer (request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url ?? '', this.url)
    if (query.has('sendInitialEvents') && !this.streams) {
      status(422)(response)
      return
    }
    const kind = REQUEST_KINDS.find(([key]) => query.has(key))?.[1] ?? 'list'
    this.requests.push({ kind, query, request })
    const answer = this.#answers[kind].shift()
    const collection = this.#collections.get(pathname)
    if (answer !== undefined) answer(response)
    else if (collection === undefined) status(404)(response)
    else this.#answerProperly(kind, { collection, query, response })
  }

  #answerProperly (
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

/** What a kind is told by in its query; the first counts. */
const REQUEST_KINDS = [['sendInitialEvents', 'stream'], ['watch', 'watch'], ['continue', 'page']] as const

/** A metav1.Status as the answer. */
export function status (code: number, headers: Record<string, string> = {}): Responder {
  return (response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(statusObject(code, 'simulated failure')))
  }
}

/** Status 200 and this text; then the end, a cut connection, or nothing any more. */
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

/** No answer at all, on a connection that stays open. */
export const silence: Responder = () => {}

/** The line that says that all is there. */
export function endOfStream (version: number): string {
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
