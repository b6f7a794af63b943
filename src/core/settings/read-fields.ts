import type { ParentReference } from '../../api/runtime-config.ts'
import { definedFields, isJsonObject, own, type JsonObject } from '../../platform/json.ts'

/** An object with a field of a type that its schema does not allow. The API server's own validation refuses it. */
export interface Malformed {
  readonly kind: 'malformed'
  /** Field path of the first such field. */
  readonly field: string
  /** What the schema allows there: `a string`. */
  readonly expected: string
}

/** Thrown by the readers below and turned into a Malformed value by `orMalformed`. */
class WrongType extends Error {
  readonly malformed: Malformed
  constructor (field: string, expected: string) {
    super(field)
    this.malformed = { kind: 'malformed', field, expected }
  }
}

/** The result of `read`, or the first field of a wrong type. */
export function orMalformed<T> (read: () => T): T | Malformed {
  try {
    return read()
  } catch (error) {
    if (error instanceof WrongType) return error.malformed
    throw error
  }
}

/** An object field; empty if unset. */
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

export function booleanAt (parent: JsonObject, key: string, path: string): boolean | undefined {
  const value = own(parent, key)
  if (value !== undefined && typeof value !== 'boolean') throw new WrongType(path, 'true or false')
  return value
}

/** The names in a list of `{name}`; an entry with an empty name refers to no object. */
export function namesAt (parent: JsonObject, key: string, path: string): readonly string[] {
  const value = own(parent, key) ?? []
  if (!Array.isArray(value)) throw new WrongType(path, 'a list')
  return value.flatMap((item: unknown, at) => {
    if (!isJsonObject(item)) throw new WrongType(`${path}[${at}]`, 'an object with a name')
    const name = stringAt(item, 'name', `${path}[${at}].name`) ?? ''
    return name === '' ? [] : [name]
  })
}

/** The known fields of a ParentReference. Source: Gateway API v1, ParentReference. */
export function parentReferenceAt (parent: JsonObject, key: string, path: string): ParentReference | undefined {
  if (own(parent, key) === undefined) return undefined
  const value = objectAt(parent, key, path)
  const name = stringAt(value, 'name', `${path}.name`)
  if (name === '') throw new WrongType(`${path}.name`, 'a name of at least one character')
  if (name === undefined) throw new WrongType(`${path}.name`, 'a name')
  const port = own(value, 'port')
  if (port !== undefined && !Number.isInteger(port)) throw new WrongType(`${path}.port`, 'a whole number')
  const [group, kind, namespace, sectionName] =
    ['group', 'kind', 'namespace', 'sectionName'].map((field) => stringAt(value, field, `${path}.${field}`))
  const fields = definedFields({ group, kind, namespace, name, sectionName, port })
  return fields as unknown as ParentReference // each field was checked above
}

/** The routing settings that a service and a configuration have in common. Unset is not false. */
export interface RoutingFields {
  readonly enabled: boolean | undefined
  readonly gatewayRef: ParentReference | undefined
  readonly pathTemplate: string | undefined
}

export function routingAt (spec: JsonObject): RoutingFields {
  const routing = objectAt(spec, 'routing', 'spec.routing')
  return {
    enabled: booleanAt(routing, 'enabled', 'spec.routing.enabled'),
    gatewayRef: parentReferenceAt(routing, 'gatewayRef', 'spec.routing.gatewayRef'),
    pathTemplate: stringAt(routing, 'pathTemplate', 'spec.routing.pathTemplate') || undefined
  }
}
