import Type from 'typebox'
import type { Static, TNumberOptions, TObjectOptions, TProperties, TSchema, TStringOptions } from 'typebox'

/** What `kubectl explain` shows of a field below its first sentence, a line each. Required fields have no default. */
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

/** A free word or sentence that, where set, says something. */
export const wordField = (what: string, facts: FieldFacts) => textField(what, facts, { minLength: 1 })

export const flagField = (what: string, facts: FieldFacts) => Type.Boolean(explain(what, facts))

/**
 * One or more lowercase labels between dots, as most object names are. Source: RFC 1123; k8s.io/apimachinery,
 * IsDNS1123Subdomain.
 */
export const DNS_1123_SUBDOMAIN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'

/** The name of another object. */
export const nameField = (what: string, facts: FieldFacts) =>
  textField(what, { Format: 'DNS-1123 subdomain', ...facts }, { minLength: 1, maxLength: 253, pattern: DNS_1123_SUBDOMAIN })

/** The name of another object, where charts write an empty string for "unset". */
export const nameOrEmptyField = (what: string, facts: FieldFacts) =>
  textField(what, { Format: 'DNS-1123 subdomain', ...facts }, { maxLength: 253, pattern: `^$|${DNS_1123_SUBDOMAIN}` })

export const namespaceField = (what: string, facts: FieldFacts) =>
  textField(what, { Format: 'DNS-1123 label', ...facts }, { minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' })

export const integerField = (what: string, facts: FieldFacts, options: TNumberOptions) =>
  Type.Integer({ ...explain(what, facts), ...options })

/** A number of things; at most a Go int32, as Kubernetes has it. */
export const countField = (what: string, facts: FieldFacts, options: TNumberOptions) =>
  integerField(what, facts, { ...options, maximum: 2 ** 31 - 1 })

export const enumField = <const V extends string>(values: readonly V[], what: string, facts: FieldFacts) =>
  Type.Unsafe<V>({ type: 'string', enum: [...values], ...explain(what, facts) })

/** Only the fields it names. A CRD says so by silence, ajv by `additionalProperties: false`. */
export const objectField = <P extends TProperties>(properties: P, options: TObjectOptions & { readonly description: string }) =>
  Type.Object(properties, { additionalProperties: false, ...options })

/** A map with free keys. A structural schema knows no `patternProperties`, which is what TypeBox's Record writes. */
export const mapField = <V extends TSchema>(values: V, what: string, facts: FieldFacts) =>
  Type.Unsafe<Record<string, Static<V>>>({ type: 'object', additionalProperties: values, ...explain(what, facts) })

/** A list that is merged by one key of its items, which is unique in it. */
export const listByKey = <I extends TSchema>(key: 'name' | 'type', items: I, { description }: { description: string }) =>
  Type.Array(items, { description, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] })
