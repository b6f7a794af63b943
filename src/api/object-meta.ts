import { own, ownObject, ownString, type JsonObject } from '../platform/json.ts'

/** Raised by the API server with every change of the spec; 0 where there is none, as in a manifest. */
export function generationOf (object: JsonObject): number {
  const generation = own(ownObject(object, 'metadata'), 'generation')
  return typeof generation === 'number' ? generation : 0
}

/** Whether the object waits for its finalizers. */
export function isDeleting (object: JsonObject): boolean {
  return own(ownObject(object, 'metadata'), 'deletionTimestamp') !== undefined
}

/** RFC 3339 in whole seconds; empty where the API server has not set it yet. */
export function createdAt (object: JsonObject): string {
  return ownString(ownObject(object, 'metadata'), 'creationTimestamp')
}

/** Empty where it is not set. */
export function uidOf (object: JsonObject): string {
  return ownString(ownObject(object, 'metadata'), 'uid')
}

/** Empty where it is not set. */
export function annotationOf (object: JsonObject, key: string): string {
  return ownString(ownObject(ownObject(object, 'metadata'), 'annotations'), key)
}
