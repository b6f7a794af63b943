import type { TSchema } from 'typebox'
import { Guard } from 'typebox/guard'
import type { Kind } from './kinds.ts'
import { OBJECT_SCHEMAS } from './object-schemas.ts'
import type { JsonObject } from '../platform/json.ts'

/**
 * The object as the API server's decoder hands it on: a null counts as unset, defaults are filled in. A copy; unknown
 * fields stay for the validator to name. Source: apiextensions-apiserver, schema/defaulting.
 */
export function decodeObject (kind: Kind['kind'], object: JsonObject): JsonObject {
  return decode(OBJECT_SCHEMAS[kind], object) as JsonObject // an object stays an object
}

/** The keywords of a schema that say what lies below it. */
interface Below {
  readonly properties?: Readonly<Record<string, TSchema>>
  readonly additionalProperties?: TSchema | false
  readonly items?: TSchema
  readonly default?: unknown
}

function decode (schema: Below, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => decode(schema.items ?? {}, item))
  if (!Guard.IsObjectNotArray(value)) return value
  const given = Object.entries(value).flatMap(([key, field]) => {
    const below = fieldSchema(schema, key)
    return below === undefined ? [[key, field]] : field === null ? [] : [[key, decode(below, field)]]
  })
  return Object.fromEntries([...given, ...defaults(schema, value)])
}

function fieldSchema ({ properties = {}, additionalProperties }: Below, key: string): Below | undefined {
  if (Object.hasOwn(properties, key)) return properties[key]
  return additionalProperties === false ? undefined : additionalProperties
}

function defaults ({ properties = {} }: Below, value: Record<PropertyKey, unknown>): [string, unknown][] {
  return Object.entries(properties).flatMap(([key, field]: [string, Below]) =>
    field.default !== undefined && (value[key] ?? null) === null ? [[key, field.default]] : [])
}
