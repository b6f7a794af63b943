import { isJsonObject, own } from '../../../platform/json.ts'

/** A place where two JSON values differ. */
export interface Difference {
  /** Field names and list indexes from the root. */
  readonly path: ReadonlyArray<string | number>
  /** Undefined where the field is to be absent. */
  readonly wanted: unknown
  /** Undefined where the field is absent. */
  readonly found: unknown
}

/**
 * Every place where `found` is not as `wanted`, in the order of the fields. Lists are compared as a whole: their order
 * counts.
 */
export function differences (wanted: unknown, found: unknown, path: Difference['path'] = []): Difference[] {
  if (isJsonObject(wanted) && isJsonObject(found)) {
    const keys = [...new Set([...Object.keys(wanted), ...Object.keys(found)])]
    return keys.flatMap((key) => differences(own(wanted, key), own(found, key), [...path, key]))
  }
  return JSON.stringify(canonical(wanted)) === JSON.stringify(canonical(found)) ? [] : [{ path, wanted, found }]
}

/** What differs, for people: `timeoutSeconds is 30, not 5`. */
export function differenceText ({ path, wanted, found }: Difference): string {
  const field = path.map((key) => typeof key === 'number' ? `[${key}]` : `.${key}`).join('').replace(/^\./, '')
  if (found === undefined) return `${field} is not set, and should be ${shown(wanted)}`
  return wanted === undefined
    ? `${field} is ${shown(found)}, and should not be set`
    : `${field} is ${shown(found)}, not ${shown(wanted)}`
}

/** Longest value that a message repeats, in UTF-16 code units. */
const MAX_SHOWN = 120

function shown (value: unknown): string {
  const json = JSON.stringify(value)
  return json.length > MAX_SHOWN ? `${json.slice(0, MAX_SHOWN)}…` : json
}

/** The same value with the keys of its objects in order. */
function canonical (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, canonical(value[key])]))
}
