import { own, ownObject, type JsonObject } from '../platform/json.ts'
import type { ServedFields } from './ports.ts'

/** The fields of an OpenAPI schema, as the API server keeps them: where it keeps unknown fields, it has all. */
export function schemaFields (schema: JsonObject): ServedFields {
  return { has: (...path) => hasField(schema, path) }
}

/** Of the product's own definitions: they have every field that the program asks for. */
export const PRODUCT_FIELDS: ServedFields = { has: () => true }

function hasField (schema: JsonObject, [name, ...below]: readonly string[]): boolean {
  const items = ownObject(schema, 'items')
  if (name === undefined) return true
  if (Object.keys(items).length > 0) return hasField(items, [name, ...below])
  const property = own(ownObject(schema, 'properties'), name) ?? own(schema, 'additionalProperties')
  if (typeof property === 'object') return hasField(property as JsonObject, below)
  return own(schema, 'x-kubernetes-preserve-unknown-fields') === true
}
