import type { ReadResult } from '../../../core/ports.ts'
import type { SendRequest } from '../../../kube/client/api-connection.ts'
import { describeStatus, statusOf } from '../../../kube/client/responses.ts'
import { isJsonObject, type JsonObject } from '../../../platform/json.ts'

/** Reads a cluster, and changes nothing. Rejects if there is no response. */
export interface ClusterReader {
  read (path: string): Promise<ReadResult>
  /** A page of the metadata of listed objects; `next` is the `continue` of the page before, or empty. */
  readMetadata (path: string, next: string): Promise<ReadResult>
  /** Creates a review, which the API server answers and does not store. */
  review (path: string, review: JsonObject): Promise<ReadResult>
}

const TIMEOUT_MS = 10_000

export function clusterReader (request: SendRequest): ClusterReader {
  const send = async (path: string, options: Parameters<SendRequest>[1]): Promise<ReadResult> => {
    const response = await request(path, { ...options, timeoutMs: TIMEOUT_MS })
    if (response.statusCode < 300) {
      const object: unknown = await response.body.json()
      return isJsonObject(object)
        ? { kind: 'found', object }
        : { kind: 'failed', reason: 'the API server returned no object' }
    }
    const status = await statusOf(response)
    return status.code === 404 ? { kind: 'missing' } : { kind: 'failed', reason: describeStatus(status) }
  }
  const headers = { 'content-type': 'application/json' }
  return {
    read: async (path) => await send(path, {}),
    readMetadata: async (path, next) => await send(path, {
      query: { limit: '500', ...(next !== '' && { continue: next }) },
      headers: { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' }
    }),
    review: async (path, review) => await send(path, { method: 'POST', headers, body: JSON.stringify(review) })
  }
}
