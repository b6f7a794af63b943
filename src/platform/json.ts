/** A JSON object of unknown content, as `JSON.parse` or a YAML reader makes it. Read own properties only. */
export type JsonObject = Readonly<Record<string, unknown>>

/** False for null and for lists. */
export function isJsonObject (value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An own property, never an inherited one such as `constructor`. As in the API server, null is unset. */
export function own (object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] ?? undefined : undefined
}

/** An own property that is an object. Anything else yields an empty object. */
export function ownObject (object: JsonObject, key: string): JsonObject {
  const value = own(object, key)
  return isJsonObject(value) ? value : EMPTY
}

/** The objects in an own property that is a list. Anything else yields an empty list. */
export function ownObjects (object: JsonObject, key: string): JsonObject[] {
  const list = own(object, key)
  return Array.isArray(list) ? list.filter(isJsonObject) : []
}

/** The strings in an own property that is a list. Anything else yields an empty list. */
export function ownStrings (object: JsonObject, key: string): string[] {
  const list = own(object, key)
  return Array.isArray(list) ? list.filter((item) => typeof item === 'string') : []
}

/** An own property that is a string. Anything else yields an empty string. */
export function ownString (object: JsonObject, key: string): string {
  const value = own(object, key)
  return typeof value === 'string' ? value : ''
}

/** Equality as JSON. Recursion follows `expected` only, so a hostile `actual` cannot deepen it. */
export function sameJson (expected: unknown, actual: unknown): boolean {
  if (Array.isArray(expected)) {
    return (
      Array.isArray(actual) &&
      actual.length === expected.length &&
      expected.every((item, at) => sameJson(item, actual[at]))
    )
  }
  if (!isJsonObject(expected)) return expected === actual
  if (!isJsonObject(actual)) return false
  const keys = Object.keys(expected)
  return (
    Object.keys(actual).length === keys.length &&
    keys.every((key) => Object.hasOwn(actual, key) && sameJson(expected[key], actual[key]))
  )
}

/** Whether the value has at most `limit` levels of nesting. Iterative: safe at any depth. */
export function nestsAtMost (value: unknown, limit: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return false
    level = level.flatMap((item): unknown[] => typeof item === 'object' && item !== null ? Object.values(item) : [])
  }
  return true
}

/** The kind of a JSON value in messages: `a list`. */
export function jsonKind (value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

const EMPTY: JsonObject = Object.freeze({})

/** Whether the JSON text of a value has at most so many characters, without escapes. Stops reading at the limit. */
export function fitsText (value: unknown, limit: number): boolean {
  let room = limit
  const open = [value]
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next === 'string') room -= next.length + 2
    else if (typeof next !== 'object' || next === null) room -= String(next).length
    else {
      if (!Array.isArray(next)) for (const key of Object.keys(next)) room -= key.length + 3
      const items: readonly unknown[] = Object.values(next)
      room -= items.length
      if (room >= 0) open.push(...items)
    }
    if (room < 0) return false
  }
  return true
}
