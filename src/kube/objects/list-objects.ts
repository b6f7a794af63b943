import type { SendRequest } from '../client/api-connection.ts'
import { readListPage } from '../watch/list-page.ts'
import { statusOf } from '../client/status.ts'
import type { JsonObject } from '../../platform/json.ts'

const PAGE_SIZE = 500

/** Every object of a collection, page by page, once. Throws one line where the API server does not give them. */
export async function * listObjects (path: string, request: SendRequest): AsyncGenerator<JsonObject> {
  let token = ''
  do {
    const response = await request(path, {
      query: { limit: String(PAGE_SIZE), ...(token !== '' && { continue: token }) }
    })
    if (response.statusCode !== 200) { throw new Error(`the API server does not list ${path}: ${(await statusOf(response)).message}`) }
    const page = readListPage(await response.body.text())
    for (const { object } of page.items) yield object
    token = page.next
  } while (token !== '')
}
