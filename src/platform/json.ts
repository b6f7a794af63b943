/** A JSON object of unknown content, as `JSON.parse` or a YAML reader makes it. Read own properties only. */
export type JsonObject = Readonly<Record<string, unknown>>

/** TypeScript does not declare it yet. Source: ECMAScript proposal "JSON.parse source text access". */
const RAW = JSON as unknown as { rawJSON (text: string): unknown }
// an integer of 64 bits is a bigint where a double loses digits
// eslint-disable-next-line no-extend-native -- JSON.stringify has no other way to write a bigint
Object.defineProperty(BigInt.prototype, 'toJSON', {
  configurable: true,
  value (this: bigint) { return RAW.rawJSON(String(this)) }
})

/**
 * Parses like JSON.parse, except that integers of 64 bits are exact, as in the API server: where a double would lose
 * digits, they are a bigint.
 */
export function parseJson (text: string): unknown {
  const value: unknown = JSON.parse(text)
  return withExactIntegers(value, text, [value])
}

/** The value of a text as parsed, or with exact integers if one of these parts of it has any beyond 2^53. */
export function withExactIntegers (value: unknown, text: string, parts: readonly unknown[]): unknown {
  return parts.some((part) => hasUnsafeInteger(part)) ? parseExactly(text) : value
}

/** Deeper values are parsed exactly, which is safe at any depth. */
const MAX_WALK = 500

/** Of a value that JSON.parse made. Takes 8 to 11 % of the CPU of JSON.parse. */
function hasUnsafeInteger (value: unknown, depth = 0): boolean {
  if (typeof value === 'number') return Math.abs(value) > Number.MAX_SAFE_INTEGER
  if (typeof value !== 'object' || value === null) return false
  if (depth > MAX_WALK) return true
  if (Array.isArray(value)) return value.some((item) => typeof item !== 'string' && hasUnsafeInteger(item, depth + 1))
  for (const key in value) {
    const item = (value as JsonObject)[key]
    if (typeof item !== 'string' && hasUnsafeInteger(item, depth + 1)) return true
  }
  return false
}

/** Marks integers while parsing; a client cannot guess the text. */
const MARK = `${Math.random()}:`
/**
 * Strings are matched to skip the digits in them. Fractions and exponents are no integers, and more digits do not fit
 * in 64 bits: to read millions of them as a bigint would take long.
 */
const TOKENS = /"[^"\\]*(?:\\[^][^"\\]*)*"|(?<![\d.eE+-])-?\d{16,19}(?![\d.eE])/g

/** A valid text. Five times faster than a reviver. */
function parseExactly (text: string): unknown {
  const marked = text.replaceAll(TOKENS, (token) =>
    !token.startsWith('"') && isExact(token) ? `"${MARK}${token}"` : token)
  const root: Record<string, unknown> = { value: JSON.parse(marked) }
  const open = [root]
  for (let container = open.pop(); container !== undefined; container = open.pop()) {
    for (const [key, item] of Object.entries(container)) {
      if (typeof item === 'object' && item !== null) open.push(item as Record<string, unknown>)
      // an own key, also if it is `__proto__`
      else if (typeof item === 'string' && item.startsWith(MARK)) {
        Object.defineProperty(container, key, { value: BigInt(item.slice(MARK.length)) })
      }
    }
  }
  return root['value']
}

/** Whether these are digits of 64 bits that a double loses. */
function isExact (digits: string): boolean {
  return String(Number(digits)) !== digits && BigInt.asIntN(64, BigInt(digits)) === BigInt(digits)
}

/** The object of a JSON text; undefined for any other text. */
export function parseObject (text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** False for null and for lists. */
export function isJsonObject (value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An own property, never an inherited one such as `constructor`. As in the API server, null is unset. */
export function own (object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] ?? undefined : undefined
}

/** The value at a path of fields and list items; a negative index counts from the end. Undefined without one. */
export function valueAt (object: unknown, path: readonly (string | number)[]): unknown {
  let value = object
  for (const key of path) {
    if (typeof key === 'number') value = Array.isArray(value) ? value.at(key) : undefined
    else value = isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
    if (value === undefined) return undefined
  }
  return value
}

/** Without the fields that are undefined. A key `__proto__` is data. */
export function definedFields (object: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
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
      Array.isArray(actual) && actual.length === expected.length &&
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
  if (typeof value === 'object') return 'an object'
  return typeof value === 'bigint' ? 'a number' : `a ${typeof value}`
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
      if (room >= 0) for (const item of items) open.push(item) // a call has a limit of arguments
    }
    if (room < 0) return false
  }
  return true
}
