import { metadataEntry, titleOf, valueAt, written, type FieldPath } from './field-path.ts'
import { jsonKind } from '../../platform/json-kind.ts'
import { isJsonObject, type JsonObject } from '../../platform/json.ts'
import type { TemplateProblem } from './problem.ts'

/**
 * What a message says of a path that leads nowhere: where it breaks off and, where the template is to blame, what to
 * write instead.
 */
export type MissingField = Pick<TemplateProblem, 'what' | 'remedy' | 'missing'>

export function missingField (service: JsonObject, path: FieldPath): MissingField {
  const missing = metadataEntry(path)
  if (missing === undefined) return dottedEntry(service, path) ?? brokenPath(service, path)
  return isQualifiedName(missing.key)
    ? { what: `${titleOf(path)} is not set on this service`, missing }
    : { what: `${titleOf(path)} cannot be set on any service, since keys are not made of such characters`, remedy: 'name another key, such as team or example.com/team' }
}

/**
 * Whether a label or annotation can have the key. A template may name anything, and what is no key must not find its
 * way into a command. Source: k8s.io/apimachinery, IsQualifiedName.
 */
export function isQualifiedName (key: string): boolean {
  return /^(?:[a-z0-9][-a-z0-9.]{0,252}\/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/.test(key)
}

/**
 * `.metadata.labels.app.kubernetes.io/name`: labels and annotations hold no fields, so the dots were meant to be part
 * of the key.
 */
function dottedEntry (service: JsonObject, path: FieldPath): MissingField | undefined {
  const whole = [...path.slice(0, 2), path.slice(2).join('.')]
  if (path.length < 4 || metadataEntry(whole) === undefined || !path.every((key) => typeof key === 'string')) { return undefined }
  const state =
    valueAt(service, whole) === undefined
      ? 'is not set on this service, and its dots'
      : 'is set on this service, but its dots'
  return { what: `${titleOf(whole)} ${state} are read as fields inside fields`, remedy: `write {${written(whole)}}` }
}

function brokenPath (service: JsonObject, path: FieldPath): MissingField {
  const at = path.findIndex((_, index) => valueAt(service, path.slice(0, index + 1)) === undefined)
  const parent = valueAt(service, path.slice(0, at))
  return typeof path[at] === 'number' ? missingItem(parent, path, at) : missingName(parent, path, at)
}

function missingItem (parent: unknown, path: FieldPath, at: number): MissingField {
  const title = titleOf(path.slice(0, at))
  return Array.isArray(parent)
    ? { what: `${title} is a list of ${parent.length}, without an item ${String(path[at])}`, remedy: 'choose an item that every service has' }
    : { what: `${title} is ${jsonKind(parent)}, not a list`, remedy: 'leave the index out' }
}

function missingName (parent: unknown, path: FieldPath, at: number): MissingField {
  const parentPath = path.slice(0, at)
  if (Array.isArray(parent)) {
    return {
      what: `${titleOf(parentPath)} is a list`,
      remedy: `choose an item, as in {${written([...parentPath, 0, ...path.slice(at)])}}`
    }
  }
  return isJsonObject(parent) || parent === null
    ? { what: `${titleOf(path.slice(0, at + 1))} is not set on this service`, remedy: 'set it, or name a field that every service has' }
    : { what: `${titleOf(parentPath)} is ${jsonKind(parent)}, without anything inside`, remedy: `write {${written(parentPath)}}` }
}
