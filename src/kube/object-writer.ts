import { AIM_SERVICE } from '../api/kinds.ts'
import type { Kind } from '../api/kinds.ts'
import { API_VERSION } from '../api/meta.ts'
import type { Clock, ObjectKey, ObjectWriter, WriteResult } from '../core/ports.ts'
import { reasonOf } from '../core/reason-of.ts'
import type { ApiRequest, ApiResponse, SendRequest } from './api-connection.ts'
import { statusOf } from './status.ts'
import { versionedObject } from './versioned-object.ts'

/** The name under which the API server notes which fields are this program's. Source: Kubernetes, "Server-Side Apply". */
export const FIELD_MANAGER = 'aim-admission'

/** How long one write may take, in milliseconds. */
const WRITE_LIMIT_MS = 10_000

export interface ObjectWriterOptions {
  readonly request: SendRequest
  readonly clock: Clock
  /** Asked right before each write leaves: whether this replica still leads. */
  readonly mayWrite: () => boolean
}

/** Writes to the API server, as long as this replica leads. */
export function objectWriter (options: ObjectWriterOptions): ObjectWriter {
  return {
    applyStatus: async ({ kind, key, uid, version }, status) => await patch(options, {
      path: `${pathOf(kind, key)}/status`,
      query: { fieldManager: FIELD_MANAGER, force: 'true' },
      contentType: 'application/apply-patch+yaml',
      body: { apiVersion: API_VERSION, kind: kind.kind, metadata: { ...nameOf(key), uid, resourceVersion: version }, status }
    }),
    readmit: async (key) => await patch(options, {
      path: pathOf(AIM_SERVICE, key), query: { fieldManager: FIELD_MANAGER }, contentType: 'application/merge-patch+json', body: {}
    })
  }
}

function pathOf ({ plural }: Kind, { namespace, name }: ObjectKey): string {
  return `/apis/${API_VERSION}/${namespace === '' ? '' : `namespaces/${namespace}/`}${plural}/${name}`
}

function nameOf ({ namespace, name }: ObjectKey): object {
  return namespace === '' ? { name } : { namespace, name }
}

interface Patch { readonly path: string, readonly query: NonNullable<ApiRequest['query']>, readonly contentType: string, readonly body: object }

async function patch ({ request, clock, mayWrite }: ObjectWriterOptions, { path, query, contentType, body }: Patch): Promise<WriteResult> {
  const attempt = new AbortController()
  const callOff = clock.after(WRITE_LIMIT_MS, () => { attempt.abort(new Error(`the API server did not answer within ${WRITE_LIMIT_MS / 1_000} s`)) })
  try {
    const response = await request(path, {
      method: 'PATCH', query, headers: { 'content-type': contentType }, body: JSON.stringify(body), signal: attempt.signal, mayLeave: mayWrite
    })
    return await resultOf(response)
  } catch (error) {
    return { kind: 'failed', reason: reasonOf(error) }
  } finally {
    callOff()
  }
}

async function resultOf (response: ApiResponse): Promise<WriteResult> {
  if (response.statusCode === 200) {
    const written = versionedObject(await response.body.json())
    return written === undefined ? { kind: 'failed', reason: 'the API server answered without an object' } : { kind: 'written', object: written.object }
  }
  const { code, message } = await statusOf(response)
  if (code === 404) return { kind: 'gone' }
  return code === 409 ? { kind: 'outdated' } : { kind: 'failed', reason: `the API server answered ${code}: ${message}` }
}
