import { AIM_SERVICE, type Kind } from '../../api/kinds.ts'
import { API_VERSION, FIELD_MANAGER } from '../../api/meta.ts'
import type { ObjectKey, ObjectStore, ObjectWriter, ReadResult, Unavailable, WriteResult } from '../../core/ports.ts'
import type { ApiRequest, SendRequest } from '../client/api-connection.ts'
import { requestObject } from '../client/responses.ts'
import { collectionPath } from './list-objects.ts'

/** The path of one object. */
export function objectPath (kind: Kind, { namespace, name }: ObjectKey): string {
  return `${collectionPath(kind, namespace)}/${name}`
}

/** Of a request of the store, in milliseconds. */
const TIMEOUT_MS = 5_000

/** Reads and writes single objects of the API server, each with one request. */
export function objectStore (request: SendRequest): ObjectStore {
  const send = async (path: string, options: ApiRequest): Promise<WriteResult> => {
    const result = await requestObject(request, path, { ...options, timeoutMs: TIMEOUT_MS })
    return result.kind === 'unavailable' ? { kind: 'failed', reason: result.reason } : result
  }
  const write = async (method: 'POST' | 'PUT' | 'PATCH', path: string, body: object): Promise<WriteResult> => {
    const headers = { 'content-type': method === 'PATCH' ? 'application/json-patch+json' : 'application/json' }
    return await send(path, { method, query: { fieldManager: FIELD_MANAGER }, headers, body: JSON.stringify(body) })
  }
  return {
    read: async (path, query = {}) => readResult(await send(path, { query })),
    create: async (collection, object) => await write('POST', collection, object),
    replace: async (path, object) => await write('PUT', path, object),
    patch: async (path, operations) => await write('PATCH', path, operations)
  }
}

function readResult (result: WriteResult): ReadResult {
  switch (result.kind) {
    case 'written': return { kind: 'found', object: result.object }
    case 'gone': return { kind: 'missing' }
    case 'conflict': return { kind: 'failed', reason: 'the API server reported a conflict' }
    case 'failed': return result
  }
}

/** `timeoutMs`: per write, at most the time from a leader's deadline until another replica may become the leader. */
export interface ObjectWriterOptions extends Required<Pick<ApiRequest, 'fencing' | 'timeoutMs'>> {
  readonly request: SendRequest
}

/** The writes of the reconciler, while this replica is the leader. */
export function objectWriter ({ request, fencing, timeoutMs }: ObjectWriterOptions): ObjectWriter {
  const patch = async (path: string, type: string, body: object): Promise<WriteResult | Unavailable> =>
    await requestObject(request, path, {
      method: 'PATCH',
      query: { fieldManager: FIELD_MANAGER, timeout: `${timeoutMs}ms` },
      headers: { 'content-type': `application/${type}` },
      body: JSON.stringify(body),
      timeoutMs,
      fencing
    })
  return {
    // without force: see `StatusOwnership`
    applyStatus: async ({ kind, key, uid, version }, status) => {
      const { namespace, name } = key
      const metadata = { ...(namespace !== '' && { namespace }), name, uid, resourceVersion: version }
      const body = { apiVersion: API_VERSION, kind: kind.kind, metadata, status }
      return await patch(`${objectPath(kind, key)}/status`, 'apply-patch+yaml', body)
    },
    triggerAdmission: async (key) => await patch(objectPath(AIM_SERVICE, key), 'merge-patch+json', {})
  }
}
