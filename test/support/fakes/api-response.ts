import { Readable } from 'node:stream'
import { json, text } from 'node:stream/consumers'
import type { ApiResponse } from '../../../src/kube/client/api-connection.ts'

/** A complete response of the API server, as far as the product reads responses. */
export function apiResponse (
  statusCode: number, object: object = {}, headers: Record<string, string> = {}
): ApiResponse {
  const stream = Readable.from([JSON.stringify(object)])
  const body = Object.assign(stream, {
    text: async () => await text(stream),
    json: async () => await json(stream),
    dump: async () => { stream.destroy() }
  })
  return { statusCode, headers, body: body as unknown as ApiResponse['body'] }
}
