import { own, ownObject, ownString, type JsonObject } from '../../platform/json.ts'
import type { SendRequest } from '../client/api-connection.ts'
import { parseObject, statusOf, versionedObject, type VersionedObject } from '../client/responses.ts'
import { ListWatchError } from '../watch/list-watch-error.ts'

const PAGE_SIZE = 500

/** Every object of a collection, page by page, once. Throws one line if the API server refuses the list. */
export async function * listObjects (path: string, request: SendRequest): AsyncGenerator<JsonObject> {
  let token = ''
  do {
    const response = await request(path, { query: pageQuery(token) })
    if (response.statusCode !== 200) throw new Error(`failed to list ${path}: ${(await statusOf(response)).message}`)
    const page = readListPage(await response.body.text())
    for (const { object } of page.items) yield object
    token = page.next
  } while (token !== '')
}

/** The query of the page of a token; an empty token stands for the first page. */
export function pageQuery (token: string): Record<string, string> {
  return { limit: String(PAGE_SIZE), ...(token !== '' && { continue: token }) }
}

export interface ListPage {
  readonly items: readonly VersionedObject[]
  /** The version of the whole list, which includes every change up to it. */
  readonly version: string
  /** The token of the next page; empty on the last one. */
  readonly next: string
}

/**
 * Throws a ListWatchError if the text is not a list. Source: Kubernetes API concepts, "Retrieving large results sets in
 * chunks".
 */
export function readListPage (text: string): ListPage {
  const list = parseObject(text)
  const metadata = ownObject(list, 'metadata')
  const version = ownString(metadata, 'resourceVersion')
  const items = own(list, 'items') ?? []
  if (version === '' || !Array.isArray(items)) {
    throw new ListWatchError('unreadable', 'the response is not a list with a resourceVersion')
  }
  return { items: items.map(listedObject), version, next: ownString(metadata, 'continue') }
}

function listedObject (value: unknown): VersionedObject {
  const item = versionedObject(value)
  if (item === undefined) throw new ListWatchError('unreadable', 'a list item has no name or no resourceVersion')
  return item
}
