import { Ajv, type ErrorObject, type FuncKeywordDefinition, type ValidateFunction } from 'ajv'
import { Guard } from 'typebox/guard'
import type { Kind } from './kinds.ts'
import { OBJECT_SCHEMAS } from './object-schemas.ts'
import type { SchemaRule } from './schema-rules.ts'
import type { JsonObject } from '../platform/json.ts'

/** One fault of an object against its schema. */
export interface FieldError {
  /** As Kubernetes writes it: `spec.imagePullSecrets[0].name`. */
  readonly field: string
  /** In the API server's words, without the field: `Required value`. */
  readonly message: string
}

/**
 * Every fault of the object against the schema of its kind, one a field; empty means that the API server would take it.
 * Unknown fields count, as for kubectl. The object is one that `decodeObject` returned, and is left as it is. Status is
 * not judged: the API server drops it on writes to the object.
 */
export function validateObject (kind: Kind['kind'], object: JsonObject): FieldError[] {
  const { status, ...judged } = object
  const validate = validator(kind)
  validate(judged)
  const errors = (validate.errors ?? []).filter(({ keyword }) => keyword !== 'propertyNames').map(fieldError)
  return [...new Map(errors.toReversed().map((error) => [error.field, error])).values()].toReversed()
}

const validators = new Map<Kind['kind'], ValidateFunction>()

function validator (kind: Kind['kind']): ValidateFunction {
  let validate = validators.get(kind)
  if (validate === undefined) {
    validate = kubernetesAjv().compile(OBJECT_SCHEMAS[kind])
    validators.set(kind, validate)
  }
  return validate
}

/** ajv that knows the API server's own keywords. Formats occur in the status alone. */
function kubernetesAjv (): Ajv {
  const ajv = new Ajv({ strict: true, strictTypes: false, allErrors: true, verbose: true, validateFormats: false })
  ajv.addVocabulary(['x-kubernetes-list-type', 'x-kubernetes-preserve-unknown-fields'])
  ajv.addKeyword({ keyword: 'x-kubernetes-int-or-string', macro: () => ({ type: ['integer', 'string'] }) })
  ajv.addKeyword(checkedKeyword('x-kubernetes-list-map-keys', 'array', duplicates))
  ajv.addKeyword(checkedKeyword('x-kubernetes-validations', 'object', brokenRules))
  return ajv
}

/** A fault that one of our keywords finds, at a JSON pointer below the value it judges. */
interface Finding { readonly below: string, readonly message: string }

type CompileKeyword = NonNullable<FuncKeywordDefinition['compile']>

function checkedKeyword (keyword: string, type: 'array' | 'object', check: (argument: unknown, value: unknown) => readonly Finding[]): FuncKeywordDefinition {
  const compile = (argument: unknown) => {
    const validate: ReturnType<CompileKeyword> = (value: unknown, context) => {
      const at = context?.instancePath ?? ''
      validate.errors = check(argument, value).map(({ below, message }) => ({
        keyword,
        instancePath: at + below,
        params: {},
        message
      }))
      return validate.errors.length === 0
    }
    return validate
  }
  return { keyword, type, errors: true, compile }
}

function duplicates (keys: unknown, items: unknown): Finding[] {
  const [key] = keys as [string] // what listByKey writes
  // ajv calls this for arrays alone
  const values = (items as unknown[]).map((item) => (Guard.IsObjectNotArray(item) ? item[key] : undefined))
  return values.flatMap((value, at) => value === undefined || values.indexOf(value) === at
    ? []
    : [{ below: `/${at}`, message: `Duplicate value: ${quoted({ [key]: value })}` }])
}

function brokenRules (rules: unknown, self: unknown): Finding[] {
  // ajv calls this for objects alone
  const broken = (rules as SchemaRule[]).filter(({ holds }) => !holds(self as JsonObject))
  return broken.map(({ fieldPath = '', reason, message }) => ({
    below: fieldPath.replace('.', '/'),
    message: `${REASONS[reason]}: ${message}`
  }))
}

const REASONS: Readonly<Record<SchemaRule['reason'], string>> = {
  FieldValueInvalid: 'Invalid value', FieldValueForbidden: 'Forbidden', FieldValueRequired: 'Required value'
}

function fieldError (error: ErrorObject): FieldError {
  const { missingProperty, additionalProperty } = error.params
  const child: unknown = missingProperty ?? additionalProperty ?? error.propertyName
  const steps = error.instancePath.split('/').slice(1).map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  return {
    field: fieldPath(typeof child === 'string' ? [...steps, child] : steps),
    message: WORDING[error.keyword]?.(error) ?? error.message ?? error.keyword
  }
}

function fieldPath (steps: readonly string[]): string {
  return steps.map((step) => /^[A-Za-z_][-\w]*$/.test(step) ? `.${step}` : `[${step}]`).join('').replace(/^\./, '')
}

/**
 * The API server's words for the keywords of JSON Schema. Source: apiextensions-apiserver, validation.go; kube-openapi,
 * pkg/validation/errors.
 */
const WORDING: Readonly<Record<string, (error: ErrorObject) => string>> = {
  required: () => 'Required value',
  additionalProperties: () => 'unknown field',
  type: ({ params, data }) => `Invalid value: "${jsonType(data)}": must be of type ${String(params['type'])}`,
  enum: ({ params, data }) =>
    `Unsupported value: ${quoted(data)}: supported values: ${(params['allowedValues'] as string[]).map(quoted).join(', ')}`,
  pattern: ({ params, data }) => `Invalid value: ${quoted(data)}: should match '${String(params['pattern'])}'`,
  minLength: ({ params }) => `Invalid value: "": should be at least ${String(params['limit'])} chars long`,
  maxLength: ({ params }) => `Too long: may not be more than ${String(params['limit'])} bytes`,
  minimum: ({ params, data }) =>
    `Invalid value: ${String(data)}: should be greater than or equal to ${String(params['limit'])}`,
  maximum: ({ params, data }) =>
    `Invalid value: ${String(data)}: should be less than or equal to ${String(params['limit'])}`
}

/** The value as JSON, cut where it is long. */
function quoted (value: unknown): string {
  const json = JSON.stringify(value)
  return json.length > MAX_QUOTED ? `${json.slice(0, MAX_QUOTED)}…` : json
}

/** Longest value that a message repeats, in UTF-16 code units: any Kubernetes name, and its quotes. */
const MAX_QUOTED = 255

function jsonType (value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return Number.isInteger(value) ? 'integer' : typeof value
}
