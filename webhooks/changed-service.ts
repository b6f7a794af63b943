import type { ReviewRequest } from '../src/admission/request.ts'
import { isJsonObject, own } from '../src/platform/json.ts'
import { isDeleting } from '../src/api/object-meta.ts'
import type { World } from '../src/core/ports.ts'
import type { Malformed } from '../src/core/settings/read-fields.ts'
import { configNameOf, readService, type Service } from '../src/core/settings/service.ts'

/** What a review asks of a service webhook. */
export type ChangedService =
  | { readonly kind: 'change', readonly service: Service, readonly old: Service | undefined }
  | { readonly kind: 'nothing-to-judge' }
  | Malformed

/**
 * Waits for the configuration of a service that is created or names another one; any other edit is judged by what is
 * known.
 */
export function configArrival ({ pendingConfigs }: World, { object, oldObject, namespace }: ReviewRequest, signal: () => AbortSignal): Promise<void> | undefined {
  if (object === undefined || isDeleting(object)) return undefined
  const name = configNameOf(object)
  if (name === undefined || (oldObject !== undefined && configNameOf(oldObject) === name)) return undefined
  return pendingConfigs.waitForConfig({ namespace, name }, signal)
}

/**
 * Reads the service and what it was. A service that is being deleted is not judged; an old one that cannot be read
 * counts as none.
 */
export function changedService ({ object, oldObject, namespace }: ReviewRequest): ChangedService {
  if (object === undefined) return { kind: 'nothing-to-judge' }
  if (!isJsonObject(own(object, 'spec'))) return { kind: 'malformed', field: 'spec', expected: 'an object' }
  const service = readService(object, namespace)
  if (service.kind === 'malformed') return service
  if (service.deleting) return { kind: 'nothing-to-judge' }
  const old = oldObject === undefined ? undefined : readService(oldObject, namespace)
  return { kind: 'change', service, old: old?.kind === 'service' ? old : undefined }
}
