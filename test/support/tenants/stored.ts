import { ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'

/** `spec.resolvedRuntimeConfig`; empty without one. */
export function blockOf (object: JsonObject | undefined): JsonObject {
  return ownObject(ownObject(object ?? {}, 'spec'), 'resolvedRuntimeConfig')
}

/** The path in the block; empty without one. */
export function pathIn (object: JsonObject | undefined): string {
  return ownString(ownObject(blockOf(object), 'routing'), 'path')
}

export function versionOf (object: JsonObject | undefined): string {
  return ownString(ownObject(object ?? {}, 'metadata'), 'resourceVersion')
}
