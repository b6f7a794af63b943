import { isJsonObject, type JsonObject } from '../../platform/json.ts'
import { printable } from '../../platform/printable.ts'

/** Field names and list indexes that lead from the service to one value. A negative index counts from the end. */
export type FieldPath = readonly (string | number)[]

/** The value that a path leads to; undefined where it leads nowhere. Reads own properties only. */
export function valueAt (service: JsonObject, path: FieldPath): unknown {
  let value: unknown = service
  for (const key of path) {
    if (typeof key === 'number') value = Array.isArray(value) ? value.at(key) : undefined
    else value = isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
    if (value === undefined) return undefined
  }
  return value
}

/** How a message names what a path leads to: `label "team"`, `field .spec.env[0].name`. */
export function titleOf (path: FieldPath): string {
  if (path.length === 0) return 'the service as a whole'
  const entry = metadataEntry(path)
  return entry === undefined ? `field ${written(path)}` : `${entry.kind} "${printable(entry.key)}"`
}

/** The label or annotation that a path names, where it names one. */
export function metadataEntry ([root, field, key, ...deeper]: FieldPath): { kind: 'label' | 'annotation', key: string } | undefined {
  if (root !== 'metadata' || typeof key !== 'string' || deeper.length > 0) return undefined
  if (field === 'labels') return { kind: 'label', key }
  return field === 'annotations' ? { kind: 'annotation', key } : undefined
}

/** A path as a template names it: `.spec.env[0]['a.b']`. */
export function written (path: FieldPath): string {
  return printable(
    path
      .map((key) => (typeof key === 'number' ? `[${key}]` : /^[\w-]+$/.test(key) ? `.${key}` : inBrackets(key)))
      .join('')
  )
}

function inBrackets (key: string): string {
  return key.includes('\'') ? `["${key}"]` : `['${key}']`
}
