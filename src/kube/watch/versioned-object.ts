import { isJsonObject, ownObject, ownString, type JsonObject } from '../../platform/json.ts'
import type { ObjectKey } from '../../core/ports.ts'

/** An object of the API with what a cache files it under. */
export interface VersionedObject {
  readonly object: JsonObject
  readonly key: ObjectKey
  /** `metadata.resourceVersion`. */
  readonly version: string
}

/** Undefined where the value is not an object with a name and a version. */
export function versionedObject (value: unknown): VersionedObject | undefined {
  if (!isJsonObject(value)) return undefined
  const metadata = ownObject(value, 'metadata')
  const name = ownString(metadata, 'name')
  const version = ownString(metadata, 'resourceVersion')
  if (name === '' || version === '') return undefined
  return { object: value, key: { namespace: ownString(metadata, 'namespace'), name }, version }
}

/** The object that a text of JSON holds; an empty one where it holds anything else. */
export function parseObject (text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : {}
  } catch {
    return {}
  }
}
