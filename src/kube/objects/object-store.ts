import { FIELD_MANAGER } from '../../api/meta.ts'
import type { ObjectStore, ReadResult, WriteResult } from '../../core/ports.ts'
import type { ApiRequest, SendRequest } from '../client/api-connection.ts'
import { requestObject } from '../client/responses.ts'

/** Per request, in milliseconds. */
const TIMEOUT_MS = 5_000

/** Reads and writes single objects of the API server, each with one request. */
export function objectStore (request: SendRequest): ObjectStore {
  const send = async (path: string, options: ApiRequest): Promise<WriteResult> => {
    const result = await requestObject(request, path, { ...options, timeoutMs: TIMEOUT_MS })
    return result.kind === 'unavailable' ? { kind: 'failed', reason: result.reason } : result
  }
  const write = async (method: 'POST' | 'PUT' | 'PATCH', path: string, body: unknown): Promise<WriteResult> => {
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
    case 'outdated': return { kind: 'failed', reason: 'the API server reported a conflict' }
    case 'failed': return result
  }
}
