import { GATEWAY_DEFAULTS } from '../../api/kinds.ts'
import { INJECTED_FIELDS_ANNOTATION, LAST_APPLIED_ANNOTATION } from '../../api/meta.ts'
import { annotationOf, withAnnotation } from '../../api/object-meta.ts'
import {
  definedFields, isJsonObject, own, ownObject, ownObjects, ownString, parseObject, sameJson, valueAt, type JsonObject
} from '../../platform/json.ts'

/** The fields of a service that admission can fill, by their path. */
export const FILLABLE_FIELDS = [
  'spec.routing.enabled', 'spec.routing.gatewayRef', 'spec.routing.pathTemplate', 'spec.imagePullSecrets',
  'spec.serviceAccountName'
] as const
export type FillableField = typeof FILLABLE_FIELDS[number]

/** The fields that admission filled, with their values. The annotation has the same as JSON. */
export type FilledFields = Readonly<Partial<Record<FillableField, unknown>>>

/** `object`: the user's own part, which everything is resolved from. `filled`: what admission filled. */
export interface OwnPart { readonly object: JsonObject, readonly filled: FilledFields }

/**
 * Separates what admission filled from what the user wrote. A field is filled if the annotation has its value, and no
 * user claims it. A claim is server-side apply, the manifest of `kubectl apply`, or an own value that is stored. What
 * no client wrote, because the definition of the kind defaults it, is not the user's either. Pure.
 */
export function separateFilled (object: JsonObject, stored: JsonObject): OwnPart {
  if (!mayBeFilled(object, stored)) return { object, filled: NONE }
  const records = [annotatedFields(object), annotatedFields(stored)] as const
  const evidence = { stored, records, claims: newClaims(object, stored) }
  const filled: Partial<Record<FillableField, unknown>> = {}
  let rest = object
  for (const field of FILLABLE_FIELDS) {
    const value = fieldIn(object, field)
    const { own: kept, filled: recorded } = separateField(field, value, evidence)
    if (recorded !== undefined) filled[field] = recorded
    if (kept === undefined && value !== undefined) rest = withoutValue(rest, PATHS[field], evidence.claims)
    else if (kept !== value) rest = withValue(rest, PATHS[field], kept)
  }
  return { object: hasRecord(object) ? withAnnotation(rest, INJECTED_FIELDS_ANNOTATION, undefined) : rest, filled }
}

/** Whether admission may have filled a field of the object. Only then, `separateFilled` reads managed fields. */
export function mayBeFilled (object: JsonObject, stored: JsonObject): boolean {
  return hasRecord(object) || hasRecord(stored) || FILLABLE_FIELDS.some((field) => isEmpty(fieldIn(object, field)))
}

function hasRecord (object: JsonObject): boolean {
  return annotationOf(object, INJECTED_FIELDS_ANNOTATION) !== ''
}

interface Evidence {
  readonly stored: JsonObject
  /** What was filled, as the object and the stored one say. */
  readonly records: readonly FilledFields[]
  readonly claims: Claims
}

/** Which part of a value is the user's, and what admission filled. */
function separateField (
  field: FillableField, value: unknown, { stored, records, claims }: Evidence
): { readonly own: unknown, readonly filled?: unknown } {
  if (value === undefined) return { own: undefined }
  const recorded = records.map((record) => record[field]).filter((each) => each !== undefined)
  if (claims.isDeclared(field, value)) {
    return { own: recorded.reduce<unknown>((left, each) => withoutLeftovers(left, each, claims.parts(field)), value) }
  }
  const same = recorded.find((each) => isSameValue(each, value))
  if (same !== undefined && !isStoredAsOwn(field, value, { stored, claims })) return { own: undefined, filled: same }
  return { own: isEmpty(value) && claims.isUnclaimed(field) ? undefined : value }
}

/** A value that the definition of the kind may set, or that server-side apply leaves behind. */
function isEmpty (value: unknown): boolean {
  return value === false || (Array.isArray(value) && value.length === 0)
}

const NONE: FilledFields = Object.freeze({})

/** The service with the filled fields and their annotation. */
export function withFilled (object: JsonObject, filled: FilledFields): JsonObject {
  const record = filledText(filled)
  if (record === undefined) return object
  return withAnnotation(withFields(object, filled), INJECTED_FIELDS_ANNOTATION, record)
}

function withFields (object: JsonObject, filled: FilledFields): JsonObject {
  return fieldsIn(filled).reduce((whole, field) => withValue(whole, PATHS[field], filled[field]), object)
}

/** The value of the annotation; undefined if nothing is filled. */
export function filledText (filled: FilledFields): string | undefined {
  const fields = fieldsIn(filled)
  const record = Object.fromEntries(fields.map((field) => [field, filled[field]]))
  return fields.length === 0 ? undefined : JSON.stringify(record)
}

function fieldsIn (filled: FilledFields): FillableField[] {
  return FILLABLE_FIELDS.filter((field) => filled[field] !== undefined)
}

/** By the object around them, the fields of a service that differ once others are filled; undefined: to be removed. */
export function filledChanges (
  given: JsonObject, { object, filled }: OwnPart, next: FilledFields
): Array<readonly [parent: readonly string[], fields: JsonObject]> {
  const wanted = withFields(object, next)
  const changes = (parent: readonly string[], names: readonly string[]): JsonObject => {
    const [before, after] = [at(given, parent), at(wanted, parent)]
    return Object.fromEntries(names.flatMap((name): Array<[string, unknown]> => {
      const [old, value] = [before, after].map((fields) => isJsonObject(fields) ? own(fields, name) : undefined)
      if (value !== undefined) return isSameValue(value, old) ? [] : [[name, value]]
      const path = [...parent, name].join('.')
      return Object.keys(filled).some((field) => field.startsWith(path)) ? [[name, undefined]] : []
    }))
  }
  return at(wanted, ROUTING) === undefined
    ? [[SPEC, changes(SPEC, ['routing', ...SPEC_FIELDS])]]
    : [[ROUTING, changes(ROUTING, ROUTING_FIELDS)], [SPEC, changes(SPEC, SPEC_FIELDS)]]
}

const SPEC = ['spec']
const ROUTING = ['spec', 'routing']
const [SPEC_FIELDS = [], ROUTING_FIELDS = []] = [SPEC, ROUTING].map((parent) =>
  FILLABLE_FIELDS.map((field) => field.split('.'))
    .flatMap((path) => path.slice(0, -1).join('.') === parent.join('.') ? path.slice(-1) : []))

/** What an annotation says was filled. Users can write anything there; only known fields count. */
function annotatedFields (object: JsonObject): FilledFields {
  const record = parseObject(annotationOf(object, INJECTED_FIELDS_ANNOTATION)) ?? {}
  return definedFields(Object.fromEntries(FILLABLE_FIELDS.map((field) => [field, own(record, field)])))
}

/**
 * Whether the value was the user's before this request, so that an annotation in the request cannot make it a filled
 * one. A value that no client claims was filled in this request, before another webhook had admission run again.
 */
function isStoredAsOwn (
  field: FillableField, value: unknown, { stored, claims }: Pick<Evidence, 'stored' | 'claims'>
): boolean {
  if (claims.isUnclaimed(field)) return false
  const before = fieldIn(stored, field)
  return before !== undefined && isSameValue(value, before) && !isSameValue(annotatedFields(stored)[field], before)
}

/** What a user says about fields besides their values. */
interface Claims {
  /** Whether server-side apply, or the manifest of `kubectl apply` in this request, has the field. */
  isDeclared (field: FillableField, value: unknown): boolean
  /** Whether no client claims the field, as far as the object has managed fields. Manifests in files have none. */
  isUnclaimed (field: FillableField): boolean
  /** The fields of an object, or the names of a list, that are declared; undefined: all. */
  parts (field: FillableField): ReadonlySet<string> | undefined
  /** Whether an object around fields is declared, also without them. */
  declaresObject (path: readonly string[]): boolean
}

/** Source: Kubernetes, "Server-Side Apply", and FieldsV1 of meta/v1. */
function newClaims (object: JsonObject, stored: JsonObject): Claims {
  const managers = ownObjects(ownObject(object, 'metadata'), 'managedFields')
    .filter((manager) => ownString(manager, 'subresource') === '')
    .map((manager) => ({ applies: own(manager, 'operation') === 'Apply', fields: ownObject(manager, 'fieldsV1') }))
  const applied = managers.filter(({ applies }) => applies)
  const text = annotationOf(object, LAST_APPLIED_ANNOTATION)
  const manifest = parseObject(text) ?? {}
  // an older one may have what another client removed since
  const isNew = text !== annotationOf(stored, LAST_APPLIED_ANNOTATION)
  const owners = (field: FillableField): typeof managers =>
    managers.filter(({ fields }) => ownedAt(fields, PATHS[field]) !== undefined)
  return {
    isDeclared: (field, value) =>
      owners(field).some(({ applies }) => applies) || (isNew && isPartOf(fieldIn(manifest, field), value)),
    isUnclaimed: (field) => managers.length > 0 && fieldIn(manifest, field) === undefined &&
      owners(field).every(({ applies, fields }) => !applies && ownedAt(fields, MANIFEST_PATH) !== undefined),
    parts: (field) => {
      const parts = [...partsOf(fieldIn(manifest, field)).keys()]
      for (const { fields } of applied) {
        const owned = ownedAt(fields, PATHS[field])
        const keys = Object.keys(owned ?? {}).filter((key) => key !== '.')
        if (owned !== undefined && keys.length === 0) return undefined
        parts.push(...keys.map(partOf))
      }
      return new Set(parts)
    },
    declaresObject: (path) =>
      at(manifest, path) !== undefined || applied.some(({ fields }) => ownedAt(fields, path) !== undefined)
  }
}

/** Its owner declares in this annotation what it wrote. */
const MANIFEST_PATH = ['metadata', 'annotations', LAST_APPLIED_ANNOTATION]

function ownedAt (fields: JsonObject, path: readonly string[]): JsonObject | undefined {
  const owned = at(fields, path.map((key) => `f:${key}`))
  return isJsonObject(owned) ? owned : undefined
}

/** `f:name` is the field `name`; `k:{"name":"x"}` the entry `x` of a list. */
function partOf (key: string): string {
  return key.startsWith('k:') ? ownString(parseObject(key.slice(2)) ?? {}, 'name') : key.slice(2)
}

/** The fields of an object, or the entries of a list by name. */
function partsOf (value: unknown): ReadonlyMap<string, unknown> {
  if (Array.isArray(value)) return new Map(value.filter(isJsonObject).map((item) => [ownString(item, 'name'), item]))
  return new Map(isJsonObject(value) ? Object.entries(value) : [])
}

/** Whether a declared value is all or a part of the value. */
function isPartOf (declared: unknown, value: unknown): boolean {
  if (typeof declared !== 'object') return declared !== undefined && declared === value
  const parts = partsOf(value)
  const declaredParts = [...partsOf(declared)]
  return declaredParts.length === 0
    ? [declared, value].every((each) => Array.isArray(each) && each.length === 0)
    : declaredParts.every(([key, part]) => parts.has(key) && sameJson(part, parts.get(key)))
}

/** An own value replaces a filled one whole: without the parts that a merge of the two left behind. */
function withoutLeftovers (value: unknown, recorded: unknown, declared: ReadonlySet<string> | undefined): unknown {
  if (declared === undefined || typeof value !== 'object' || typeof recorded !== 'object') return value
  const before = partsOf(withoutDefaults(recorded))
  const isLeftover = (key: string, part: unknown): boolean =>
    !declared.has(key) && before.has(key) && sameJson(before.get(key), part)
  if (Array.isArray(value)) {
    const kept = value.filter((item) => !isJsonObject(item) || !isLeftover(ownString(item, 'name'), item))
    return kept.length === value.length ? value : kept
  }
  if (!isJsonObject(value)) return value
  const kept = Object.entries(value).filter(([key, part]) => !isLeftover(key, part))
  return kept.length === Object.keys(value).length ? value : Object.fromEntries(kept)
}

/** Some definitions default the group and kind of a gateway. */
function isSameValue (one: unknown, other: unknown): boolean {
  return one !== undefined && sameJson(withoutDefaults(one), withoutDefaults(other))
}

function withoutDefaults (value: unknown): unknown {
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([key, part]) => own(GATEWAY_DEFAULTS, key) !== part))
}

export function fieldIn (object: JsonObject, field: FillableField): unknown {
  return at(object, PATHS[field])
}

const PATHS = Object.fromEntries(FILLABLE_FIELDS.map((field) => [field, field.split('.')])) as unknown as
  Record<FillableField, readonly string[]> // each field has an entry

/** As in the API server, null is unset. */
function at (object: JsonObject, path: readonly string[]): unknown {
  return valueAt(object, path) ?? undefined
}

function withValue (object: JsonObject, path: readonly string[], value: unknown): JsonObject {
  const [key = '', ...more] = path
  return { ...object, [key]: more.length === 0 ? value : withValue(ownObject(object, key), more, value) }
}

/** Without the object around the field, if nothing is left in it that a user wrote. */
function withoutValue (object: JsonObject, path: readonly string[], claims: Claims): JsonObject {
  const [parent, key] = [path.slice(0, -1), path[path.length - 1] ?? '']
  const { [key]: removed, ...rest } = at(object, parent) as JsonObject // the field was found in it
  const isEmptied = parent.length > 1 && Object.keys(rest).length === 0 && !claims.declaresObject(parent)
  return isEmptied ? withoutValue(object, parent, claims) : withValue(object, parent, rest)
}
