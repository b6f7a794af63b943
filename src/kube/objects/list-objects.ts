import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import type { Kind } from '../../api/kinds.ts'
import { API_VERSION } from '../../api/meta.ts'
import { versionOf } from '../../api/object-meta.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../../platform/json.ts'
import type { SendRequest } from '../client/api-connection.ts'
import { parseObject, statusOf, versionedObject, type VersionedObject } from '../client/responses.ts'
import { ListWatchError } from '../watch/list-watch-error.ts'

const PAGE_SIZE = 500

/**
 * Reads every object of a collection, page by page, once. Throws one line if the API server refuses the list, with the
 * status as its cause.
 */
export async function listObjects (
  path: string, request: SendRequest, onObject: (object: JsonObject) => void
): Promise<void> {
  let next = ''
  do {
    const response = await request(path, { query: pageQuery(next) })
    if (response.statusCode !== 200) {
      const status = await statusOf(response)
      throw new Error(`failed to list ${path}: ${status.message}`, { cause: status })
    }
    next = (await readListPage(response.body, ({ object }) => { onObject(object) })).next
  } while (next !== '')
}

/** Why the user may not list a collection; undefined if the list failed for another reason. */
export function forbiddenReason (error: unknown): string | undefined {
  const status: unknown = error instanceof Error ? error.cause : undefined
  return isJsonObject(status) && status['code'] === 403 ? ownString(status, 'message') : undefined
}

/** The path of the objects of a kind, in one namespace or, if it is empty, in all. */
export function collectionPath ({ plural, scope }: Kind, namespace: string): string {
  return `/apis/${API_VERSION}/${scope === 'Cluster' || namespace === '' ? '' : `namespaces/${namespace}/`}${plural}`
}

/** The query of the page of a token; an empty token stands for the first page. */
export function pageQuery (token: string): Record<string, string> {
  return { limit: String(PAGE_SIZE), ...(token !== '' && { continue: token }) }
}

/** What follows the items of a page. */
export interface ListPageEnd {
  /** The version of the whole list, which includes every change up to it. */
  readonly version: string
  /** The token of the next page; empty on the last one. */
  readonly next: string
}

/**
 * Reads the items of a page as they arrive, so that the page is never in memory as a whole: 500 objects can have
 * 700 MiB. Throws a ListWatchError if the text is not a list. Source: Kubernetes API concepts, "Retrieving large
 * results sets in chunks".
 */
export async function readListPage (
  stream: AsyncIterable<Uint8Array>, onItem: (item: VersionedObject) => void
): Promise<ListPageEnd> {
  const splitter = new ItemSplitter()
  for await (const chunk of stream) {
    for (const text of splitter.push(chunk)) onItem(listedObject(parseObject(text)))
    await yieldToEventLoop() // reviews must not wait for a long page
  }
  const list = parseObject(splitter.rest)
  const version = versionOf(list)
  if (version === '' || !Array.isArray(own(list, 'items') ?? [])) {
    throw new ListWatchError('unreadable', 'the response is not a list with a resourceVersion')
  }
  return { version, next: ownString(ownObject(list, 'metadata'), 'continue') }
}

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = Buffer.from('"\\[]{}')
/** The depth between the items: `{"items":[`. */
const LIST_DEPTH = 2

/** Where the text of the list or of an item begins or ends. `gap`: between items. */
type Edge = 'list begins' | 'item ends' | 'gap' | undefined

/** Cuts the items out of the bytes of a list. */
class ItemSplitter {
  #depth = 0
  #inString = false
  #escaped = false
  #inItems = false
  #rest = ''
  #item: Uint8Array[] = []

  /** The list without its items, once it is complete. */
  get rest (): string { return this.#rest }

  * push (chunk: Uint8Array): Generator<string> {
    let start = 0
    for (let at = 0; at < chunk.length; at++) {
      if (this.#inString) at = this.#endOfText(chunk, at)
      const edge = this.#edge(chunk[at])
      if (edge === undefined) continue
      const piece = chunk.subarray(start, at + 1)
      start = at + 1
      if (edge === 'item ends') yield this.#take(piece)
      if (edge === 'list begins') {
        this.#keep(piece)
        this.#inItems = /"items"\s*:\s*\[$/.test(this.#rest)
      }
    }
    this.#keep(chunk.subarray(start))
  }

  /** The place of the closing quote, or the end of the chunk. */
  #endOfText (chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      if (this.#escaped) this.#escaped = false
      else if (chunk[at] === BACKSLASH) this.#escaped = true
      else if (chunk[at] === QUOTE) return at
    }
    return chunk.length
  }

  #edge (byte: number | undefined): Edge {
    if (byte === QUOTE) this.#inString = !this.#inString
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      return ++this.#depth === LIST_DEPTH && byte === OPEN_LIST ? 'list begins' : undefined
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) return this.#closed()
    return this.#inItems && this.#depth === LIST_DEPTH ? 'gap' : undefined
  }

  #closed (): Edge {
    this.#depth--
    this.#inItems &&= this.#depth >= LIST_DEPTH
    return this.#inItems && this.#depth === LIST_DEPTH ? 'item ends' : undefined
  }

  #keep (bytes: Uint8Array): void {
    if (this.#inItems) this.#item.push(bytes)
    else this.#rest += Buffer.from(bytes).toString('latin1') // of the list itself: version and token
  }

  #take (last: Uint8Array): string {
    const text = Buffer.concat([...this.#item, last]).toString('utf8')
    this.#item = []
    return text
  }
}

function listedObject (value: unknown): VersionedObject {
  const item = versionedObject(value)
  if (item === undefined) throw new ListWatchError('unreadable', 'a list item has no name or no resourceVersion')
  return item
}
