import type { ObjectStore, ReadResult, WriteResult } from '../../core/ports.ts'
import { errorMessage } from '../../platform/error-message.ts'
import type { ApiRequest, ApiResponse, SendRequest } from '../client/api-connection.ts'
import { FIELD_MANAGER } from './object-writer.ts'
import { statusOf } from '../client/status.ts'
import { parseObject } from '../watch/versioned-object.ts'
import type { Clock } from '../../platform/clock.ts'

/** How long one request may take, in milliseconds. */
const REQUEST_LIMIT_MS = 5_000

/** Reads and writes single objects of the API server, each by one request. */
export function objectStore (options: { readonly request: SendRequest, readonly clock: Clock }): ObjectStore {
  const write = async (path: string, request: ApiRequest): Promise<WriteResult> =>
    await send(options, { path, request: { query: { fieldManager: FIELD_MANAGER }, ...request }, read: writeResult })
  return {
    read: async (path, query = {}) => await send(options, { path, request: { query }, read: readResult }),
    create: async (collection, object) =>
      await write(collection, { method: 'POST', headers: JSON_BODY, body: JSON.stringify(object) }),
    replace: async (path, object) =>
      await write(path, { method: 'PUT', headers: JSON_BODY, body: JSON.stringify(object) }),
    patch: async (path, operations) =>
      await write(path, { method: 'PATCH', headers: { 'content-type': 'application/json-patch+json' }, body: JSON.stringify(operations) })
  }
}

const JSON_BODY = { 'content-type': 'application/json' }

interface Sending<T> {
  readonly path: string
  readonly request: ApiRequest
  readonly read: (response: ApiResponse) => Promise<T>
}

async function send<T> (
  { request: sendRequest, clock }: { readonly request: SendRequest, readonly clock: Clock }, { path, request, read }: Sending<T>
): Promise<T | { kind: 'failed', reason: string }> {
  const attempt = new AbortController()
  const cancel = clock.setTimeout(REQUEST_LIMIT_MS, () => {
    attempt.abort(new Error(`the API server did not answer within ${REQUEST_LIMIT_MS / 1_000} s`))
  })
  try {
    return await read(await sendRequest(path, { ...request, signal: attempt.signal }))
  } catch (error) {
    return { kind: 'failed', reason: errorMessage(error) }
  } finally {
    cancel()
  }
}

async function readResult (response: ApiResponse): Promise<ReadResult> {
  if (response.statusCode === 200) return { kind: 'found', object: parseObject(await response.body.text()) }
  const { code, message } = await statusOf(response)
  return code === 404 ? { kind: 'missing' } : { kind: 'failed', reason: `the API server answered ${code}: ${message}` }
}

async function writeResult (response: ApiResponse): Promise<WriteResult> {
  if (response.statusCode === 200 || response.statusCode === 201) { return { kind: 'written', object: parseObject(await response.body.text()) } }
  const { code, message } = await statusOf(response)
  if (code === 404) return { kind: 'gone' }
  return code === 409 || (code === 422 && TEST_FAILED.test(message))
    ? { kind: 'outdated' }
    : { kind: 'failed', reason: `the API server answered ${code}: ${message}` }
}

/** Source: evanphx/json-patch, `ErrTestFailed`; the API server answers it with a 422. */
const TEST_FAILED = /testing value .* failed|test failed/
