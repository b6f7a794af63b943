import { isJsonObject, jsonKind, valueAt, type JsonObject } from '../../platform/json.ts'
import { printable } from '../../platform/printable.ts'
import { didYouMean, firstNames } from '../../platform/similar-name.ts'
import type { ServedFields } from '../ports.ts'
import type { TemplateProblem } from './problem.ts'
import { readableNames } from './readable-fields.ts'

/** Field names and list indexes from the service to one value. A negative index counts from the end. */
export type FieldPath = readonly (string | number)[]

/** A path in messages: `label "team"`, `field .spec.env[0].name`. */
export function titleOf (path: FieldPath): string {
  if (path.length === 0) return 'the whole service'
  const entry = metadataEntry(path)
  return entry === undefined ? `field ${templateText(path)}` : `${entry.kind} "${printable(entry.key)}"`
}

/** The label or annotation that a path names; undefined for any other path. */
export function metadataEntry (
  [root, field, key, ...deeper]: FieldPath
): { kind: 'label' | 'annotation', key: string } | undefined {
  if (root !== 'metadata' || typeof key !== 'string' || deeper.length > 0) return undefined
  if (field === 'labels') return { kind: 'label', key }
  return field === 'annotations' ? { kind: 'annotation', key } : undefined
}

export type MissingField = Pick<TemplateProblem, 'what' | 'remedy' | 'asksForValue' | 'missing'>

/** Where the path breaks off and, if the template is to blame, what to write instead. */
export function missingField (service: JsonObject, path: FieldPath): MissingField {
  const missing = metadataEntry(path)
  if (missing !== undefined) return invalidKey(path) ?? { what: `${titleOf(path)} is not set on this service`, missing }
  const whole = dottedEntry(path)
  if (whole === undefined) return brokenPath(service, path)
  const isSet = valueAt(service, whole) !== undefined
  const state = isSet ? 'is set on this service, but' : 'is not set on this service, and'
  const what = `${titleOf(whole)} ${state} its dots are read as nested fields`
  return { what, remedy: `write {${templateText(whole)}}` }
}

/** Why no service can have a value there (`single`: one); undefined if one can, or the definition does not say. */
export function impossibleField (path: FieldPath, served: ServedFields, single: boolean): MissingField | undefined {
  const whole = dottedEntry(path)
  if (whole !== undefined) {
    return { what: `the dots of ${titleOf(whole)} are read as nested fields`, remedy: `write {${templateText(whole)}}` }
  }
  const at = path.findIndex((_, index) => served.shapeOf(path.slice(0, index + 1)).kind === 'missing')
  if (at !== -1) return noSuchField(path, at, served)
  return invalidKey(path) ?? (single ? severalValues(path, served) : undefined)
}

function noSuchField (path: FieldPath, at: number, served: ServedFields): MissingField {
  const [place, key] = [path.slice(0, at), path[at]]
  const { kind, names } = served.shapeOf(place)
  if (kind !== 'object' || typeof key !== 'string') return brokenAt(path, at, SHAPES[kind])
  const hint = didYouMean(key, readableNames(place, names))
  return {
    what: `no service has a field ${templateText(path.slice(0, at + 1))}${hint}`,
    remedy: `name a field of ${templateText(place)}${listed(place, names)}`
  }
}

function severalValues (path: FieldPath, served: ServedFields): MissingField | undefined {
  const { kind, names } = served.shapeOf(path)
  if (kind === 'list') {
    return { what: `${titleOf(path)} is a list`, remedy: `choose one item, as in {${templateText([...path, 0])}}` }
  }
  return kind === 'object'
    ? { what: `${titleOf(path)} is an object`, remedy: `name a field inside it${listed(path, names)}` }
    : undefined
}

function listed (place: FieldPath, names: readonly string[]): string {
  const first = firstNames(readableNames(place, names), MAX_LISTED)
  return first === '' ? '' : `: ${first}`
}

/** In characters: a warning has at most 256. */
const MAX_LISTED = 100
const SHAPES = { missing: '', unknown: '', scalar: 'a single value', object: 'an object', list: 'a list' }

function invalidKey (path: FieldPath): MissingField | undefined {
  const entry = metadataEntry(path)
  if (entry === undefined || isQualifiedName(entry.key)) return undefined
  const what = `${titleOf(path)} cannot be set on any service, because it is not a valid key`
  return { what, remedy: 'name another key, such as team or example.com/team' }
}

/** Whether a label can have this key, so that the key is safe in a command. Source: apimachinery, IsQualifiedName. */
export function isQualifiedName (key: string): boolean {
  return /^(?:[a-z0-9][-a-z0-9.]{0,252}\/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/.test(key)
}

/** `.metadata.labels.app.kubernetes.io/name`: labels hold no fields, so the dots belong to the key. */
function dottedEntry (path: FieldPath): FieldPath | undefined {
  const whole = [...path.slice(0, 2), path.slice(2).join('.')]
  const isDotted =
    path.length >= 4 && metadataEntry(whole) !== undefined && path.every((key) => typeof key === 'string')
  return isDotted ? whole : undefined
}

function brokenPath (service: JsonObject, path: FieldPath): MissingField {
  const at = path.findIndex((_, index) => valueAt(service, path.slice(0, index + 1)) === undefined)
  const [parentPath, key] = [path.slice(0, at), path[at]]
  const [parent, title] = [valueAt(service, parentPath), titleOf(parentPath)]
  if (typeof key === 'number' && Array.isArray(parent)) {
    const what = `${title} is a list of ${parent.length} and has no item ${key}`
    return { what, remedy: 'choose an item that every service has' }
  }
  if (typeof key === 'number' || !(isJsonObject(parent) || parent === null)) return brokenAt(path, at, jsonKind(parent))
  const what = `${titleOf(path.slice(0, at + 1))} is not set on this service`
  return { what, remedy: 'set it, or name a field that every service has', asksForValue: true }
}

/** `parent`: the kind of the value whose field or item the path names at `at`. */
function brokenAt (path: FieldPath, at: number, parent: string): MissingField {
  const place = path.slice(0, at)
  const title = titleOf(place)
  if (typeof path[at] === 'number') return { what: `${title} is ${parent}, not a list`, remedy: 'remove the index' }
  const below = path.slice(at)
  const item = templateText([...place, 0, ...below.slice(/^\d+$/.test(String(below[0])) ? 1 : 0)]) // `.0` means `[0]`
  return parent === 'a list'
    ? { what: `${title} is a list`, remedy: `choose an item, as in {${item}}` }
    : { what: `${title} is ${parent} and has no fields`, remedy: `write {${templateText(place)}}` }
}

/** A path as a template writes it: `.spec.env[0]['a.b']`. */
function templateText (path: FieldPath): string {
  const steps = path.map((key) => {
    if (typeof key === 'number') return `[${key}]`
    if (/^[\w-]+$/.test(key)) return `.${key}`
    return key.includes('\'') ? `["${key}"]` : `['${key}']`
  })
  return printable(steps.join(''))
}
