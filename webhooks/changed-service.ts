import type { ReviewRequest } from '../src/admission/review-request.ts'
import { isJsonObject, own } from '../src/core/json.ts'
import type { World } from '../src/core/ports.ts'
import type { Malformed } from '../src/core/read-fields.ts'
import { readService } from '../src/core/service.ts'
import type { Service } from '../src/core/service.ts'

/** What a review asks of a service webhook. */
export type ChangedService =
  | { readonly kind: 'change', readonly service: Service, readonly old: Service | undefined }
  | { readonly kind: 'nothing-to-judge' }
  | Malformed

/** Waits for the configuration of a service that is created or names another one; any other edit is judged by what is known. */
export function configArrival ({ arrivals }: World, request: ReviewRequest, signal: () => AbortSignal): Promise<void> | undefined {
  const change = changedService(request)
  if (change.kind !== 'change' || change.old?.configName === change.service.configName) return undefined
  return arrivals.arrival({ namespace: change.service.namespace, name: change.service.configName }, signal)
}

/** What was read of a request, which is asked for before and after a wait. */
const changes = new WeakMap<ReviewRequest, ChangedService>()

/** Reads the service and what it was. A service that is being deleted is not judged; an old one that cannot be read counts as none. */
export function changedService (request: ReviewRequest): ChangedService {
  const known = changes.get(request)
  if (known !== undefined) return known
  const change = readChange(request)
  changes.set(request, change)
  return change
}

function readChange ({ object, oldObject, namespace }: ReviewRequest): ChangedService {
  if (object === undefined) return { kind: 'nothing-to-judge' }
  if (!isJsonObject(own(object, 'spec'))) return { kind: 'malformed', field: 'spec', expected: 'an object' }
  const service = readService(object, namespace)
  if (service.kind === 'malformed') return service
  if (service.deleting) return { kind: 'nothing-to-judge' }
  const old = oldObject === undefined ? undefined : readService(oldObject, namespace)
  return { kind: 'change', service, old: old?.kind === 'service' ? old : undefined }
}
