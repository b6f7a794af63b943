import { isJsonObject, jsonKind, type JsonObject } from '../../platform/json.ts'
import { printable } from '../../platform/printable.ts'
import type { TemplateProblem } from './problem.ts'

/** Field names and list indexes from the service to one value. A negative index counts from the end. */
export type FieldPath = readonly (string | number)[]

/** Undefined if the path does not exist. Reads own properties only. */
export function valueAt (service: JsonObject, path: FieldPath): unknown {
  let value: unknown = service
  for (const key of path) {
    if (typeof key === 'number') value = Array.isArray(value) ? value.at(key) : undefined
    else value = isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
    if (value === undefined) return undefined
  }
  return value
}

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

/** A problem of a path that does not exist. */
export type MissingField = Pick<TemplateProblem, 'what' | 'remedy' | 'missing'>

/** Where the path breaks off and, if the template is to blame, what to write instead. */
export function missingField (service: JsonObject, path: FieldPath): MissingField {
  const missing = metadataEntry(path)
  if (missing === undefined) return dottedEntry(service, path) ?? brokenPath(service, path)
  return isQualifiedName(missing.key)
    ? { what: `${titleOf(path)} is not set on this service`, missing }
    : {
        what: `${titleOf(path)} cannot be set on any service, because it is not a valid key`,
        remedy: 'name another key, such as team or example.com/team'
      }
}

/** Whether a label can have this key, so that the key is safe in a command. Source: apimachinery, IsQualifiedName. */
export function isQualifiedName (key: string): boolean {
  return /^(?:[a-z0-9][-a-z0-9.]{0,252}\/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/.test(key)
}

/** `.metadata.labels.app.kubernetes.io/name`: labels hold no fields, so the dots belong to the key. */
function dottedEntry (service: JsonObject, path: FieldPath): MissingField | undefined {
  const whole = [...path.slice(0, 2), path.slice(2).join('.')]
  const isDotted =
    path.length >= 4 && metadataEntry(whole) !== undefined && path.every((key) => typeof key === 'string')
  if (!isDotted) return undefined
  const state =
    valueAt(service, whole) === undefined ? 'is not set on this service, and' : 'is set on this service, but'
  return {
    what: `${titleOf(whole)} ${state} its dots are read as nested fields`,
    remedy: `write {${templateText(whole)}}`
  }
}

function brokenPath (service: JsonObject, path: FieldPath): MissingField {
  const at = path.findIndex((_, index) => valueAt(service, path.slice(0, index + 1)) === undefined)
  const [parentPath, key] = [path.slice(0, at), path[at]]
  const [parent, title] = [valueAt(service, parentPath), titleOf(parentPath)]
  if (typeof key === 'number') {
    return Array.isArray(parent)
      ? {
          what: `${title} is a list of ${parent.length} and has no item ${key}`,
          remedy: 'choose an item that every service has'
        }
      : { what: `${title} is ${jsonKind(parent)}, not a list`, remedy: 'remove the index' }
  }
  if (Array.isArray(parent)) {
    const item = templateText([...parentPath, 0, ...path.slice(at)])
    return { what: `${title} is a list`, remedy: `choose an item, as in {${item}}` }
  }
  return isJsonObject(parent) || parent === null
    ? {
        what: `${titleOf(path.slice(0, at + 1))} is not set on this service`,
        remedy: 'set it, or name a field that every service has'
      }
    : { what: `${title} is ${jsonKind(parent)} and has no fields`, remedy: `write {${templateText(parentPath)}}` }
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
