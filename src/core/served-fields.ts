import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../platform/json.ts'
import type { FieldShape, ServedFields } from './ports.ts'

/** The fields of an OpenAPI schema, as the API server keeps them: where it keeps unknown fields, it has all. */
export function schemaFields (schema: JsonObject): ServedFields {
  return {
    has: (...path) => hasField(schema, path),
    shapeOf: (path) => path[0] === 'metadata' ? shapeAt(METADATA, path.slice(1)) : shapeAt(schema, path)
  }
}

const TEXT = { type: 'string' }
const FLAG = { type: 'boolean' }
const TEXTS = { type: 'object', additionalProperties: TEXT }

const objectOf = (properties: JsonObject): JsonObject => ({ type: 'object', properties })
const OWNER =
  objectOf({ apiVersion: TEXT, kind: TEXT, name: TEXT, uid: TEXT, controller: FLAG, blockOwnerDeletion: FLAG })

/** What templates can read of metadata: a served document only refers to its schema. Source: metav1.ObjectMeta. */
const METADATA = objectOf({
  ...Object.fromEntries(['name', 'namespace', 'uid', 'creationTimestamp', 'generateName'].map((key) => [key, TEXT])),
  labels: TEXTS,
  annotations: TEXTS,
  ownerReferences: { type: 'array', items: OWNER },
  finalizers: { type: 'array', items: TEXT }
})

/** Of the product's own definitions: they have every field that the program asks for. What is in a spec is unknown. */
export const PRODUCT_FIELDS: ServedFields = {
  ...schemaFields(objectOf({ apiVersion: TEXT, kind: TEXT, spec: {} })), has: () => true
}

function hasField (schema: JsonObject, [name, ...below]: readonly string[]): boolean {
  const items = ownObject(schema, 'items')
  if (name === undefined) return true
  if (Object.keys(items).length > 0) return hasField(items, [name, ...below])
  const property = own(ownObject(schema, 'properties'), name) ?? own(schema, 'additionalProperties')
  if (typeof property === 'object') return hasField(property as JsonObject, below)
  return own(schema, 'x-kubernetes-preserve-unknown-fields') === true
}

const UNKNOWN: FieldShape = { kind: 'unknown', names: [] }
const MISSING: FieldShape = { kind: 'missing', names: [] }
const KINDS = new Map<string, FieldShape['kind']>([
  ['object', 'object'], ['array', 'list'],
  ...['string', 'number', 'integer', 'boolean'].map((type) => [type, 'scalar'] as const)
])

function shapeAt (schema: unknown, path: ReadonlyArray<string | number>): FieldShape {
  if (!isJsonObject(schema)) return UNKNOWN
  const kind = KINDS.get(ownString(schema, 'type'))
  if (kind === undefined) return UNKNOWN
  const [key, ...below] = path
  switch (typeof key) {
    case 'string': return kind === 'object' ? propertyShape(schema, key, below) : MISSING
    case 'number': return kind === 'list' ? shapeAt(own(schema, 'items'), below) : MISSING
    default: return { kind, names: Object.keys(ownObject(schema, 'properties')).sort() }
  }
}

function propertyShape (schema: JsonObject, key: string, below: ReadonlyArray<string | number>): FieldShape {
  const property = own(ownObject(schema, 'properties'), key) ?? own(schema, 'additionalProperties')
  if (isJsonObject(property)) return shapeAt(property, below)
  return property === true || own(schema, 'x-kubernetes-preserve-unknown-fields') === true ? UNKNOWN : MISSING
}
