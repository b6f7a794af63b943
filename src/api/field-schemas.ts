import Type, {
  type Static, type TNumberOptions, type TObjectOptions, type TProperties, type TSchema, type TStringOptions
} from 'typebox'
import type { JsonObject } from '../platform/json.ts'

/** The lines that `kubectl explain` shows below the description of a field. Required fields have no default. */
export interface FieldFacts {
  readonly Format?: string
  readonly Unit?: string
  readonly Default?: string
  readonly Example?: string
}

export function explain (what: string, facts: FieldFacts = {}): { description: string } {
  return { description: [what, ...Object.entries(facts).map(([fact, text]) => `${fact}: ${text}`)].join('\n') }
}

export const textField = (what: string, facts: FieldFacts, options: TStringOptions = {}) =>
  Type.String({ ...explain(what, facts), ...options })

/** Free text that is not empty. */
export const wordField = (what: string, facts: FieldFacts) => textField(what, facts, { minLength: 1 })

export const flagField = (what: string, facts: FieldFacts) => Type.Boolean(explain(what, facts))

export const DNS_1123_LABEL = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'

/** As most object names. Source: RFC 1123; k8s.io/apimachinery, IsDNS1123Subdomain. */
export const DNS_1123_SUBDOMAIN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'

/** The name of another object. */
export const nameField = (what: string, facts: FieldFacts) =>
  textField(what, { Format: 'DNS-1123 subdomain', ...facts },
    { minLength: 1, maxLength: 253, pattern: DNS_1123_SUBDOMAIN })

/** The name of another object, or an empty string for "unset", as charts write it. */
export const nameOrEmptyField = (what: string, facts: FieldFacts) =>
  textField(what, { Format: 'DNS-1123 subdomain', ...facts }, { maxLength: 253, pattern: `^$|${DNS_1123_SUBDOMAIN}` })

export const namespaceField = (what: string, facts: FieldFacts) =>
  textField(what, { Format: 'DNS-1123 label', ...facts }, { minLength: 1, maxLength: 63, pattern: DNS_1123_LABEL })

export const integerField = (what: string, facts: FieldFacts, options: TNumberOptions) =>
  Type.Integer({ ...explain(what, facts), ...options })

/** At most a Go int32, as in Kubernetes. */
export const countField = (what: string, facts: FieldFacts, options: TNumberOptions = { minimum: 0 }) =>
  integerField(what, facts, { ...options, maximum: 2 ** 31 - 1 })

export const enumField = <const V extends string>(values: readonly V[], what: string, facts: FieldFacts) =>
  Type.Unsafe<V>({ type: 'string', enum: [...values], ...explain(what, facts) })

/** Without unknown fields: a CRD implies `additionalProperties: false`, ajv needs it. */
export const objectField = <P extends TProperties>(
  properties: P, options: TObjectOptions & { readonly description: string }
) => Type.Object(properties, { additionalProperties: false, ...options })

/** A map with free keys. TypeBox's Record writes `patternProperties`, which structural schemas do not allow. */
export const mapField = <V extends TSchema>(values: V, what: string, facts: FieldFacts) =>
  Type.Unsafe<Record<string, Static<V>>>({ type: 'object', additionalProperties: values, ...explain(what, facts) })

/** A list that is merged by one key of its items, which is unique in it. */
export const listByKey = <I extends TSchema>(key: 'name' | 'type', items: I, options: { description: string }) =>
  Type.Array(items, { ...options, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] })

/** A rule across fields, stated twice: as CEL for the API server and as a function for offline validation. */
export interface SchemaRule {
  /** CEL over `self`, the object with the rule. */
  readonly rule: string
  /** The same check as the CEL. Not part of the CRD: JSON omits functions. */
  readonly holds: (self: JsonObject) => boolean
  readonly message: string
  /** Relative to `self`, with a leading dot; absent for `self`. */
  readonly fieldPath?: `.${string}`
  readonly reason: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired'
}
