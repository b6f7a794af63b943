import type { Test } from 'tap'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import type { ApiResponse, SendRequest } from '../../../src/kube/client/api-connection.ts'
import { isNewerVersion } from '../../../src/api/object-meta.ts'
import { splitLines } from '../../../src/kube/watch/watch-events.ts'

/** A server with one empty collection, real or fake, and actions that change it. */
export interface ListWatchServer {
  readonly request: SendRequest
  readonly path: string
  create (name: string): Promise<void>
  change (name: string): Promise<void>
  remove (name: string): Promise<void>
  /** Why the server has no streamed lists. */
  readonly withoutStreams?: string | false
}

/** The behavior that reflectors depend on, of the real API server and the fake one alike. */
export function listAndWatchContract (t: Test, server: ListWatchServer): void {
  t.test('an unknown collection returns 404 with a Status', async (t) => {
    const response = await server.request(`${server.path}-of-no-kind`)
    t.equal(response.statusCode, 404)
    t.match(await objectOf(response), { kind: 'Status', status: 'Failure', code: 404 })
  })

  t.test('the pages of a list are of one version, and the last one has no token', async (t) => {
    for (const name of ['a', 'b', 'c']) await server.create(name)
    const pages: JsonObject[] = []
    let token = ''
    do {
      const response = await server.request(server.path, {
        query: { limit: '2', ...(token !== '' && { continue: token }) }
      })
      t.equal(response.statusCode, 200)
      pages.push(await objectOf(response))
      token = ownString(metadataOf(pages.at(-1)), 'continue')
      if (pages.length === 1) await server.create('d')
    } while (token !== '')
    t.strictSame(
      pages.map((page) => itemsOf(page).map(nameOf)),
      [['a', 'b'], ['c']],
      'without objects created meanwhile'
    )
    t.strictSame(versionOf(pages[0]), versionOf(pages[1]))
  })

  t.test('a watch delivers every change after its version, in the order of versions', async (t) => {
    const list = await objectOf(await server.request(server.path))
    await server.create('e')
    const response = await server.request(server.path, {
      query: { watch: 'true', allowWatchBookmarks: 'true', resourceVersion: versionOf(list), timeoutSeconds: '30' }
    })
    t.equal(response.statusCode, 200)
    await server.change('a')
    await server.remove('e')
    const events = await eventsOf(response, 3)
    t.strictSame(
      events.map((event) => [event['type'], nameOf(event['object'])]),
      [['ADDED', 'e'], ['MODIFIED', 'a'], ['DELETED', 'e']]
    )
    const versions = [list, ...events.map((event) => event['object'])].map(versionOf)
    t.ok(
      versions.every((version, at) => at === 0 || isNewerVersion(version, versions[at - 1] ?? '')),
      'including that of a deletion'
    )
  })

  const skip = server.withoutStreams ?? false
  t.test('a stream delivers all objects, then a bookmark with the version for a watch', { skip }, async (t) => {
    const list = await objectOf(await server.request(server.path))
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      timeoutSeconds: '30'
    }
    const response = await server.request(server.path, { query })
    t.equal(response.statusCode, 200)
    const count = itemsOf(list).length
    const events = await eventsOf(response, count + 1)
    t.strictSame(
      events.slice(0, count).map((event) => [event['type'], nameOf(event['object'])]).sort(),
      itemsOf(list).map((item) => ['ADDED', nameOf(item)]).sort()
    )
    t.match(events.at(-1), {
      type: 'BOOKMARK',
      object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } }
    })
    t.notOk(isNewerVersion(versionOf(list), versionOf(events.at(-1)?.['object'])))
  })

  t.test('refuses an unknown page token', async (t) => {
    const response = await server.request(server.path, { query: { limit: '2', continue: 'made-up' } })
    t.equal(response.statusCode, 400)
    await response.body.dump()
  })
}

async function objectOf ({ body }: ApiResponse): Promise<JsonObject> {
  const value = await body.json()
  if (!isJsonObject(value)) throw new Error('the response is not an object')
  return value
}

/** The first events of a watch, which it ends; without bookmarks, except the one that ends a stream. */
async function eventsOf ({ body }: ApiResponse, count: number): Promise<JsonObject[]> {
  const events: JsonObject[] = []
  for await (const line of splitLines(body)) {
    const event: unknown = JSON.parse(line)
    if (
      isJsonObject(event) &&
      (event['type'] !== 'BOOKMARK' || Object.hasOwn(metadataOf(event['object']), 'annotations'))
    ) { events.push(event) }
    if (events.length === count) break
  }
  return events
}

function metadataOf (value: unknown): JsonObject {
  return isJsonObject(value) ? ownObject(value, 'metadata') : {}
}

function nameOf (value: unknown): string {
  return ownString(metadataOf(value), 'name')
}

function versionOf (value: unknown): string {
  return ownString(metadataOf(value), 'resourceVersion')
}

function itemsOf (list: JsonObject): readonly unknown[] {
  const items = own(list, 'items')
  return Array.isArray(items) ? items : []
}
