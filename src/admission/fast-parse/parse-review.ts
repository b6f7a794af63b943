/**
 * Perf: CPU to decode an UPDATE of 100 KB, 33 % less than JSON.parse of the whole text; remove if the gain drops below
 * 10 %. None if all requests have the same fields. `JSON.parse` is the naive version, and the oracle of the tests.
 */
import { mayBeFilled } from '../../core/settings/filled-fields.ts'
import { isJsonObject, own, ownObject, withExactIntegers } from '../../platform/json.ts'

/** In characters. Shorter texts are parsed whole: to look for the lists takes 5 of 14 µs of a review of 3 KB. */
const SHORT = 16 * 1024

/**
 * Parses a review like JSON.parse, except that `metadata.managedFields` of its two objects become empty lists: their
 * many distinct keys are slow to parse. They are still checked to be JSON. They are kept in a short text, and if
 * something may have been filled: no other rule reads them. Integers of a spec are exact: a bigint beyond 2^53. Throws
 * a SyntaxError.
 */
export function parseReview (text: string, short = SHORT): unknown {
  const lists = text.length < short ? [] : managedFieldsIn(text)
  const review = (lists.length > 0 ? parseWithout(text, lists) : undefined) ?? JSON.parse(text) as unknown
  const request = isJsonObject(review) ? ownObject(review, 'request') : {}
  return withExactIntegers(review, text, ['object', 'oldObject'].map((key) => own(ownObject(request, key), 'spec')))
}

/** Offsets: the end is exclusive. */
interface Range { readonly start: number, readonly end: number }

/** As the API server encodes it, without blanks. */
const KEY = '"managedFields":['
const [QUOTE, BACKSLASH, COLON, COMMA, SPACE] = [0x22, 0x5c, 0x3a, 0x2c, 0x20]
const [OPEN_BRACE, CLOSE_BRACE, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5d]
/** From the code of an opening brace or bracket to that of the closing one. */
const TO_CLOSING = 2

/** The lists behind this key; empty if any of them needs JSON.parse. */
function managedFieldsIn (text: string): readonly Range[] {
  const found: Range[] = []
  for (let key = text.indexOf(KEY); key !== -1;) {
    const start = key + KEY.length - 1
    const end = endOfValue(text, start)
    // a quote after a comma or brace starts a string: in valid JSON, this is a key and not part of a string
    const before = text.charCodeAt(key - 1)
    if (end === -1 || (before !== COMMA && before !== OPEN_BRACE)) return []
    found.push({ start, end })
    key = text.indexOf(KEY, end)
  }
  return found
}

/** Replaces the first list while parsing, and each further one the next number; a client cannot guess it. */
const PLACEHOLDER = Math.random()

/** Undefined if the text is not valid JSON, or a list is not the managed fields of one of the two objects. */
function parseWithout (text: string, lists: readonly Range[]): unknown {
  let short = ''
  let from = 0
  for (const [at, { start, end }] of lists.entries()) {
    short += text.slice(from, start) + String(PLACEHOLDER + at)
    from = end
  }
  try {
    const review: unknown = JSON.parse(short + text.slice(from))
    return replacePlaceholders(review, text, lists) === lists.length ? review : undefined
  } catch {
    return undefined
  }
}

/** Puts back an empty list for each placeholder, or the whole list if a rule needs it. Returns their number. */
function replacePlaceholders (review: unknown, text: string, lists: readonly Range[]): number {
  const request = isJsonObject(review) ? ownObject(review, 'request') : {}
  const [object, oldObject] = [ownObject(request, 'object'), ownObject(request, 'oldObject')]
  const areNeeded = mayBeFilled(object, oldObject) || mayBeFilled(oldObject, {})
  let count = 0
  for (const each of [object, oldObject]) {
    const metadata: Record<string, unknown> = ownObject(each, 'metadata')
    const list = lists.find((_, at) => own(metadata, 'managedFields') === PLACEHOLDER + at)
    if (list === undefined) continue
    metadata['managedFields'] = areNeeded ? JSON.parse(text.slice(list.start, list.end)) as unknown : []
    count++
  }
  return count
}

/**
 * The offset behind the JSON value at `start`; -1 if it is invalid, or needs JSON.parse: blanks, numbers, booleans,
 * nulls, and escapes other than `\"` and `\\`. Source: RFC 8259.
 */
export function endOfValue (json: string, start: number): number {
  const closings: number[] = [] // of the open containers
  for (let at = start; at !== -1;) {
    const closing = json.charCodeAt(at) + TO_CLOSING
    const isContainer = closing === CLOSE_BRACE || closing === CLOSE_BRACKET
    if (isContainer && json.charCodeAt(at + 1) !== closing) {
      closings.push(closing)
      at = memberValue(json, at + 1, closing)
    } else {
      let end = isContainer ? at + 2 : endOfString(json, at)
      for (; json.charCodeAt(end) === closings[closings.length - 1]; end++) closings.pop()
      if (closings.length === 0) return end
      at = json.charCodeAt(end) === COMMA ? memberValue(json, end + 1, closings[closings.length - 1]) : -1
    }
  }
  return -1
}

/** The offset of the value of a member that starts at `at`: behind its key in an object. */
function memberValue (json: string, at: number, closing: number | undefined): number {
  if (closing !== CLOSE_BRACE) return at
  const end = endOfString(json, at)
  return json.charCodeAt(end) === COLON ? end + 1 : -1
}

function endOfString (json: string, open: number): number {
  if (json.charCodeAt(open) !== QUOTE) return -1
  for (let at = open + 1; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === QUOTE) return at + 1
    if (code < SPACE) return -1
    if (code === BACKSLASH) {
      const escaped = json.charCodeAt(++at)
      if (escaped !== QUOTE && escaped !== BACKSLASH) return -1
    }
  }
  return -1
}
