import type { ReadResult } from '../../../core/ports.ts'
import type { ApiRequest, SendRequest } from '../../../kube/client/api-connection.ts'
import { describeStatus, statusOf } from '../../../kube/client/responses.ts'
import { pageQuery } from '../../../kube/objects/list-objects.ts'
import { isJsonObject, type JsonObject } from '../../../platform/json.ts'

export type ClusterReader = ReturnType<typeof clusterReader>

const TIMEOUT_MS = 10_000

/** Reads a cluster, and changes nothing. Its methods reject if there is no response. */
export function clusterReader (request: SendRequest) {
  const send = async (path: string, options: ApiRequest): Promise<ReadResult> => {
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
    read: async (path: string) => await send(path, {}),
    /** A page of the metadata of listed objects; `next` is the `continue` of the page before, or empty. */
    readMetadata: async (path: string, next: string) => await send(path, {
      query: pageQuery(next),
      headers: { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' }
    }),
    /** Creates a review, which the API server answers and does not store. */
    review: async (path: string, review: JsonObject) =>
      await send(path, { method: 'POST', headers, body: JSON.stringify(review) })
  }
}
