import { isJsonObject, type JsonObject } from '../../../platform/json.ts'
import type { SendRequest } from '../../../kube/client/api-connection.ts'
import { statusOf } from '../../../kube/client/responses.ts'

/** An object of the cluster, that there is none, or why it could not be had. One line. */
export type GetResult =
  | { readonly kind: 'found', readonly object: JsonObject }
  | { readonly kind: 'missing' }
  | { readonly kind: 'refused', readonly why: string }

/**
 * Reads objects of a cluster, and asks it questions by creating reviews, which stores nothing. Rejects where no answer
 * comes.
 */
export interface ClusterReader {
  get (path: string): Promise<GetResult>
  ask (path: string, question: JsonObject): Promise<GetResult>
}

/** How long one answer may take, in milliseconds. */
const ANSWER_LIMIT_MS = 10_000

export function clusterReader (request: SendRequest): ClusterReader {
  const send = async (path: string, options: Parameters<SendRequest>[1]): Promise<GetResult> => {
    const response = await request(path, { ...options, signal: AbortSignal.timeout(ANSWER_LIMIT_MS) })
    if (response.statusCode < 300) {
      const object: unknown = await response.body.json()
      return isJsonObject(object)
        ? { kind: 'found', object }
        : { kind: 'refused', why: 'the API server answered with something that is no object' }
    }
    const { code, message } = await statusOf(response)
    return code === 404 ? { kind: 'missing' } : { kind: 'refused', why: `the API server answered ${code}: ${message}` }
  }
  return {
    get: async (path) => await send(path, {}),
    ask: async (path, question) =>
      await send(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(question)
      })
  }
}
