import type { ReviewRequest } from '../src/admission/request.ts'
import { isDeleting } from '../src/api/object-meta.ts'
import type { Malformed } from '../src/core/settings/read-fields.ts'
import { configNameOf, readService, type Service } from '../src/core/settings/service.ts'
import type { World } from '../src/core/world.ts'
import { isJsonObject, own, type JsonObject } from '../src/platform/json.ts'

/** The services in a request: `old` is undefined on CREATE, and if the stored service is malformed. */
export type ReviewedService =
  | { readonly kind: 'change', readonly service: Service, readonly old: Service | undefined }
  | { readonly kind: 'deleting', readonly object: JsonObject, readonly oldObject: JsonObject }
  | { readonly kind: 'no-object' }
  | Malformed

/** A service is being deleted if the stored object says so; a request can write any `deletionTimestamp`. */
export function readReviewedService ({ object, oldObject, namespace }: ReviewRequest): ReviewedService {
  if (object === undefined) return { kind: 'no-object' }
  if (oldObject !== undefined && isDeleting(oldObject)) return { kind: 'deleting', object, oldObject }
  if (!isJsonObject(own(object, 'spec'))) return { kind: 'malformed', field: 'spec', expected: 'an object' }
  const service = readService(object, namespace, oldObject ?? {})
  if (service.kind === 'malformed') return service
  const old = oldObject === undefined ? undefined : readService(oldObject, namespace)
  return { kind: 'change', service, old: old?.kind === 'service' ? old : undefined }
}

/** Waits for the configuration of a new service, or of a service that names another one. */
export function waitForConfigOf (
  { object, oldObject, namespace }: ReviewRequest, { pendingConfigs }: World, signal: () => AbortSignal
): Promise<void> | undefined {
  if (object === undefined || (oldObject !== undefined && isDeleting(oldObject))) return undefined
  const name = configNameOf(object)
  if (name === undefined || (oldObject !== undefined && configNameOf(oldObject) === name)) return undefined
  return pendingConfigs.waitForConfig({ namespace, name }, signal)
}
