import { Ajv, type ErrorObject, type FuncKeywordDefinition, type ValidateFunction } from 'ajv'
import type { TSchema } from 'typebox'
import type { SchemaRule } from './field-schemas.ts'
import type { Kind } from './kinds.ts'
import { OBJECT_SCHEMAS } from './object-schemas.ts'
import { isJsonObject, ownObject, type JsonObject } from '../platform/json.ts'
import { didYouMean } from '../platform/similar-name.ts'

/**
 * A copy of the object as the API server's decoder returns it: null is unset, defaults are filled in, unknown fields
 * stay. Source: apiextensions-apiserver, schema/defaulting.
 */
export function decodeObject (kind: Kind['kind'], object: JsonObject): JsonObject {
  return decode(OBJECT_SCHEMAS[kind], object) as JsonObject // `decode` keeps the type of a value
}

/** A mistake against a schema: `spec.imagePullSecrets[0].name`, and the API server's words for it: `Required value`. */
export interface FieldError { readonly field: string, readonly message: string }

/**
 * The errors of a decoded object against the schema of its kind, one a field. Unknown fields are errors, as for
 * kubectl. The status is not validated: the API server drops it on writes to the object.
 */
export function validateObject (kind: Kind['kind'], object: JsonObject): FieldError[] {
  const { status, ...validated } = object
  const validate = validator(kind)
  validate(asDoubles(validated))
  const errors = (validate.errors ?? []).filter(({ keyword }) => keyword !== 'propertyNames').map(fieldError)
  return [...new Map(errors.toReversed().map((error) => [error.field, error])).values()].toReversed()
}

/** ajv takes a bigint for no integer. */
function asDoubles (value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(asDoubles)
  return isJsonObject(value)
    ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asDoubles(item)]))
    : value
}

/** The keywords of a schema that describe nested values. */
interface Nested {
  readonly properties?: Readonly<Record<string, TSchema>>
  readonly additionalProperties?: TSchema | false
  readonly items?: TSchema
  readonly default?: unknown
}

function decode (schema: Nested, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => decode(schema.items ?? {}, item))
  if (!isJsonObject(value)) return value
  const { properties = {}, additionalProperties } = schema
  const given = Object.entries(value).flatMap(([key, field]) => {
    const nested: Nested | undefined = Object.hasOwn(properties, key)
      ? properties[key]
      : additionalProperties || undefined
    if (nested === undefined) return [[key, field]]
    return field === null ? [] : [[key, decode(nested, field)]]
  })
  const defaults = Object.entries(properties).flatMap(([key, field]: [string, Nested]) =>
    field.default !== undefined && (value[key] ?? null) === null ? [[key, field.default]] : [])
  return Object.fromEntries([...given, ...defaults])
}

/** Compiling a schema takes 20 ms, so each is compiled once, when first used. */
const validators = new Map<Kind['kind'], ValidateFunction>()

function validator (kind: Kind['kind']): ValidateFunction {
  const validate = validators.get(kind) ?? kubernetesAjv().compile(OBJECT_SCHEMAS[kind])
  validators.set(kind, validate)
  return validate
}

/** ajv with the API server's keywords. Formats occur in the status only, which is not validated. */
function kubernetesAjv (): Ajv {
  const ajv = new Ajv({ strict: true, strictTypes: false, allErrors: true, verbose: true, validateFormats: false })
  ajv.addVocabulary(['x-kubernetes-list-type', 'x-kubernetes-preserve-unknown-fields'])
  ajv.addKeyword({ keyword: 'x-kubernetes-int-or-string', macro: () => ({ type: ['integer', 'string'] }) })
  ajv.addKeyword(checkedKeyword('x-kubernetes-list-map-keys', 'array', duplicates))
  ajv.addKeyword(checkedKeyword('x-kubernetes-validations', 'object', brokenRules))
  return ajv
}

/** An error of one of our keywords; `below` is a JSON pointer from the checked value. */
interface KeywordError { readonly below: string, readonly message: string }

function checkedKeyword (
  keyword: string, type: 'array' | 'object', check: (argument: unknown, value: unknown) => readonly KeywordError[]
): FuncKeywordDefinition {
  const compile: NonNullable<FuncKeywordDefinition['compile']> = (argument: unknown) => {
    const validate: ReturnType<NonNullable<FuncKeywordDefinition['compile']>> = (value: unknown, context) => {
      const at = context?.instancePath ?? ''
      validate.errors = check(argument, value)
        .map(({ below, message }) => ({ keyword, instancePath: at + below, params: {}, message }))
      return validate.errors.length === 0
    }
    return validate
  }
  return { keyword, type, errors: true, compile }
}

function duplicates (keys: unknown, items: unknown): KeywordError[] {
  const [key] = keys as [string] // as listByKey writes it
  const seen = new Set<unknown>()
  return (items as unknown[]).flatMap((item, at) => { // of type array
    const value = isJsonObject(item) ? item[key] : undefined
    if (value === undefined || seen.size < seen.add(value).size) return []
    return [{ below: `/${at}`, message: `Duplicate value: ${quoted({ [key]: value })}` }]
  })
}

function brokenRules (rules: unknown, self: unknown): KeywordError[] {
  const broken = (rules as SchemaRule[]).filter(({ holds }) => !holds(self as JsonObject)) // of type object
  return broken.map(({ fieldPath = '', reason, message }) =>
    ({ below: fieldPath.replace('.', '/'), message: `${REASONS[reason]}: ${message}` }))
}

const REASONS: Readonly<Record<SchemaRule['reason'], string>> = {
  FieldValueInvalid: 'Invalid value', FieldValueForbidden: 'Forbidden', FieldValueRequired: 'Required value'
}

function fieldError (error: ErrorObject): FieldError {
  const { missingProperty, additionalProperty } = error.params
  const child: unknown = missingProperty ?? additionalProperty ?? error.propertyName
  const steps = error.instancePath.split('/').slice(1).map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  if (typeof child === 'string') steps.push(child)
  return {
    field: steps.map((step) => /^[A-Za-z_][-\w]*$/.test(step) ? `.${step}` : `[${step}]`).join('').replace(/^\./, ''),
    message: MESSAGES[error.keyword]?.(error) ?? error.message ?? error.keyword
  }
}

/**
 * The API server's messages for the keywords of JSON Schema. Source: apiextensions-apiserver, validation.go;
 * kube-openapi, pkg/validation/errors.
 */
const MESSAGES: Readonly<Record<string, (error: ErrorObject) => string>> = {
  required: () => 'Required value',
  additionalProperties: ({ params, parentSchema, data }) => UNKNOWN_FIELD +
    didYouMean(String(params['additionalProperty']), unset(parentSchema, data)),
  type: ({ params, data }) => `Invalid value: "${jsonType(data)}": must be of type ${String(params['type'])}`,
  enum: ({ params, data }) => `Unsupported value: ${quoted(data)}: supported values: ` +
    (params['allowedValues'] as string[]).map(quoted).join(', '),
  pattern: ({ params, data }) => `Invalid value: ${quoted(data)}: should match '${String(params['pattern'])}'`,
  minLength: ({ params }) => `Invalid value: "": should be at least ${String(params['limit'])} chars long`,
  maxLength: ({ params }) => `Too long: may not be more than ${String(params['limit'])} bytes`,
  minimum: ({ params, data }) =>
    `Invalid value: ${String(data)}: should be greater than or equal to ${String(params['limit'])}`,
  maximum: ({ params, data }) =>
    `Invalid value: ${String(data)}: should be less than or equal to ${String(params['limit'])}`
}

/** The start of the message. */
export const UNKNOWN_FIELD = 'unknown field'

/** The fields of a schema that an object does not set. */
function unset (schema: unknown, object: unknown): string[] {
  if (!isJsonObject(schema) || !isJsonObject(object)) return []
  return Object.keys(ownObject(schema, 'properties')).filter((field) => !Object.hasOwn(object, field))
}

/** The value as JSON, truncated. */
function quoted (value: unknown): string {
  const json = JSON.stringify(value)
  return json.length > MAX_QUOTED ? `${json.slice(0, MAX_QUOTED)}…` : json
}

/** In UTF-16 code units: any Kubernetes name with its quotes. */
const MAX_QUOTED = 255

function jsonType (value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return Number.isInteger(value) ? 'integer' : typeof value
}
