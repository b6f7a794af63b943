import { AIM_SERVICE, type Kind } from '../../api/kinds.ts'
import { API_VERSION } from '../../api/meta.ts'
import type { ObjectKey, ObjectWriter, Unavailable, WriteResult } from '../../core/ports.ts'
import { errorMessage } from '../../platform/error-message.ts'
import type { ApiRequest, ApiResponse, SendRequest } from '../client/api-connection.ts'
import { statusOf } from '../client/status.ts'
import { versionedObject } from '../watch/versioned-object.ts'
import type { Clock } from '../../platform/clock.ts'

/**
 * The name under which the API server notes which fields are this program's. Source: Kubernetes, "Server-Side Apply".
 */
export const FIELD_MANAGER = 'aim-admission'

export interface ObjectWriterOptions {
  readonly request: SendRequest
  readonly clock: Clock
  /** Asked right before each write leaves: whether this replica still leads. */
  readonly mayWrite: () => boolean
  /**
   * How long one write may take, in milliseconds: no longer than from a leader's deadline to the first moment at which
   * another may write.
   */
  readonly limitMs: number
}

/** Writes to the API server, as long as this replica leads. */
export function objectWriter (options: ObjectWriterOptions): ObjectWriter {
  return {
    applyStatus: async ({ kind, key, uid, version }, status) => await patch(options, {
      path: `${pathOf(kind, key)}/status`,
      query: { fieldManager: FIELD_MANAGER, force: 'true' },
      contentType: 'application/apply-patch+yaml',
      body: {
        apiVersion: API_VERSION,
        kind: kind.kind,
        metadata: { ...nameOf(key), uid, resourceVersion: version },
        status
      }
    }),
    triggerAdmission: async (key) => await patch(options, {
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

interface Patch {
  readonly path: string
  readonly query: NonNullable<ApiRequest['query']>
  readonly contentType: string
  readonly body: object
}

async function patch (options: ObjectWriterOptions, { path, query, contentType, body }: Patch): Promise<WriteResult | Unavailable> {
  const { request, clock, mayWrite, limitMs } = options
  const attempt = new AbortController()
  const cancel = clock.setTimeout(limitMs, () => {
    attempt.abort(new Error(`the API server did not answer within ${limitMs / 1_000} s`))
  })
  try {
    const response = await request(path, {
      method: 'PATCH', query: { ...query, timeout: `${limitMs}ms` }, headers: { 'content-type': contentType }, body: JSON.stringify(body), signal: attempt.signal, mayLeave: mayWrite
    })
    return await resultOf(response)
  } catch (error) {
    return { kind: 'unavailable', reason: errorMessage(error), retryAfterMs: 0 }
  } finally {
    cancel()
  }
}

/** Too many requests, or trouble of the API server, of etcd or of a webhook: none is a fault of the object. */
function isUnavailable (code: number): boolean {
  return code === 429 || code >= 500
}

async function resultOf (response: ApiResponse): Promise<WriteResult | Unavailable> {
  if (response.statusCode === 200) {
    const written = versionedObject(await response.body.json())
    return written === undefined
      ? { kind: 'failed', reason: 'the API server answered without an object' }
      : { kind: 'written', object: written.object }
  }
  const { code, message, retryAfterSeconds } = await statusOf(response)
  if (code === 404) return { kind: 'gone' }
  if (code === 409) return { kind: 'outdated' }
  const reason = `the API server answered ${code}: ${message}`
  return isUnavailable(code)
    ? { kind: 'unavailable', reason, retryAfterMs: retryAfterSeconds * 1_000 }
    : { kind: 'failed', reason }
}
