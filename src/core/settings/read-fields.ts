import type { LocalObjectReference, ParentReference } from '../../api/runtime-config.ts'
import { isJsonObject, own, type JsonObject } from '../../platform/json.ts'

/** An object of which a field has a type that its schema does not allow. The API server's own validation refuses it. */
export interface Malformed {
  readonly kind: 'malformed'
  /** Field path of the first such field. */
  readonly field: string
  /** What the schema allows there: `a string`. */
  readonly expected: string
}

/** Thrown inside a reader and turned into a Malformed value at its edge by `reading`. */
class WrongType extends Error {
  readonly malformed: Malformed
  constructor (field: string, expected: string) {
    super(field)
    this.malformed = { kind: 'malformed', field, expected }
  }
}

/** Runs a reader; the first field of a wrong type becomes a value. */
export function reading<T> (read: () => T): T | Malformed {
  try {
    return read()
  } catch (error) {
    if (error instanceof WrongType) return error.malformed
    throw error
  }
}

/** An object field; empty where unset. */
export function objectAt (parent: JsonObject, key: string, path: string): JsonObject {
  const value = own(parent, key)
  if (value === undefined) return {}
  if (!isJsonObject(value)) throw new WrongType(path, 'an object')
  return value
}

export function stringAt (parent: JsonObject, key: string, path: string): string | undefined {
  const value = own(parent, key)
  if (value !== undefined && typeof value !== 'string') throw new WrongType(path, 'a string')
  return value
}

/** A string field that names something: set, it is not empty. */
export function nameAt (parent: JsonObject, key: string, path: string): string | undefined {
  const value = stringAt(parent, key, path)
  if (value === '') throw new WrongType(path, 'a name of at least one character')
  return value
}

export function booleanAt (parent: JsonObject, key: string, path: string): boolean | undefined {
  const value = own(parent, key)
  if (value !== undefined && typeof value !== 'boolean') throw new WrongType(path, 'true or false')
  return value
}

/** A list of `{name}`; empty where unset. */
export function namesAt (parent: JsonObject, key: string, path: string): readonly LocalObjectReference[] {
  const value = own(parent, key) ?? []
  if (!Array.isArray(value)) throw new WrongType(path, 'a list')
  return value.map((item: unknown, at) => {
    const name = isJsonObject(item) ? nameAt(item, 'name', `${path}[${at}].name`) : undefined
    if (name === undefined) throw new WrongType(`${path}[${at}]`, 'an object with a name')
    return { name }
  })
}

/** The fields of a ParentReference, unknown ones left out. Source: Gateway API v1, ParentReference. */
export function parentReferenceAt (parent: JsonObject, key: string, path: string): ParentReference | undefined {
  if (own(parent, key) === undefined) return undefined
  const value = objectAt(parent, key, path)
  const name = nameAt(value, 'name', `${path}.name`)
  if (name === undefined) throw new WrongType(`${path}.name`, 'a name')
  const port = own(value, 'port')
  if (port !== undefined && !Number.isInteger(port)) throw new WrongType(`${path}.port`, 'a whole number')
  const reference: Record<string, unknown> = {}
  for (const field of ['group', 'kind', 'namespace']) put(reference, field, stringAt(value, field, `${path}.${field}`))
  reference['name'] = name
  put(reference, 'sectionName', stringAt(value, 'sectionName', `${path}.sectionName`))
  put(reference, 'port', port)
  return reference as ParentReference // every field was read by its type just above
}

function put (target: Record<string, unknown>, key: string, value: unknown): void {
  if (value !== undefined) target[key] = value
}
