import { AIM_SERVICE, type Kind } from '../../api/kinds.ts'
import { API_VERSION, FIELD_MANAGER } from '../../api/meta.ts'
import type { ObjectKey, ObjectWriter, Unavailable, WriteResult } from '../../core/ports.ts'
import type { SendRequest } from '../client/api-connection.ts'
import type { Fencing } from '../client/fencing.ts'
import { requestObject } from '../client/responses.ts'

export interface ObjectWriterOptions {
  readonly request: SendRequest
  readonly fencing: Fencing
  /** Per write: at most the time from a leader's deadline until another replica may become the leader. */
  readonly timeoutMs: number
}

/** The writes of the reconciler, while this replica is the leader. */
export function objectWriter (options: ObjectWriterOptions): ObjectWriter {
  return {
    // without force: see `StatusOwnership`
    applyStatus: async ({ kind, key, uid, version }, status) => await patch(options, {
      path: `${objectPath(kind, key)}/status`,
      contentType: 'application/apply-patch+yaml',
      body: {
        apiVersion: API_VERSION,
        kind: kind.kind,
        metadata: {
          ...(key.namespace !== '' && { namespace: key.namespace }),
          name: key.name,
          uid,
          resourceVersion: version
        },
        status
      }
    }),
    triggerAdmission: async (key) => await patch(options, {
      path: objectPath(AIM_SERVICE, key), contentType: 'application/merge-patch+json', body: {}
    })
  }
}

/** The path of one object. */
export function objectPath ({ plural }: Kind, { namespace, name }: ObjectKey): string {
  return `/apis/${API_VERSION}/${namespace === '' ? '' : `namespaces/${namespace}/`}${plural}/${name}`
}

interface Patch {
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly contentType: string
  readonly body: object
}

async function patch (
  { request, fencing, timeoutMs }: ObjectWriterOptions, { path, query, contentType, body }: Patch
): Promise<WriteResult | Unavailable> {
  return await requestObject(request, path, {
    method: 'PATCH',
    query: { fieldManager: FIELD_MANAGER, ...query, timeout: `${timeoutMs}ms` },
    headers: { 'content-type': contentType },
    body: JSON.stringify(body),
    timeoutMs,
    fencing
  })
}
