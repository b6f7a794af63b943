import { isJsonObject, own, ownObject } from '../../platform/json.ts'
import { endOfValue } from './end-of-value.ts'

/**
 * What the JSON of a review says, but for the managed fields of its two objects, which nobody reads: these are checked
 * to be JSON, and come out as empty lists. They are what JSON.parse takes the longest for: many objects with keys that
 * occur once. Throws as JSON.parse does. The bytes are valid UTF-8.
 */
export function parseReview (body: Buffer): unknown {
  return (
    parseWithout(body, managedFieldsIn(body)) ??
    JSON.parse(body.length < LARGE ? body.toString('utf8') : padded(body).toString('utf8'))
  )
}

interface Stretch { readonly start: number, readonly end: number }

/** As the API server writes it, without blanks. */
const KEY = Buffer.from('"managedFields":[')
const [COMMA, OPEN_BRACE] = [0x2c, 0x7b]

/** The lists that stand behind such a key; none where one of them is left to JSON.parse. */
function managedFieldsIn (body: Buffer): readonly Stretch[] {
  const found: Stretch[] = []
  for (let key = body.indexOf(KEY); key !== -1;) {
    const start = key + KEY.length - 1
    const end = endOfValue(body, start)
    // behind a comma or brace the first quote is none inside a string: in valid JSON this is a key, and replacing its
    // value by another keeps valid what was
    const isKey = body[key - 1] === COMMA || body[key - 1] === OPEN_BRACE
    if (!isKey || end === -1) return []
    found.push({ start, end })
    key = body.indexOf(KEY, end)
  }
  return found
}

/** Stands in for a list that is left out; a number that nobody can guess. */
const STAND_IN = Math.random()

/**
 * What is there without these stretches; undefined where it is no JSON, or one of them is not the managed fields of one
 * of the two objects.
 */
function parseWithout (body: Buffer, stretches: readonly Stretch[]): unknown {
  if (stretches.length === 0) return undefined
  try {
    const review: unknown = JSON.parse(body.length < LARGE ? shortened(body, stretches) : blanked(body, stretches))
    return emptied(review) === stretches.length ? review : undefined
  } catch {
    return undefined // what is wrong with it, if anything, shows when it is parsed whole
  }
}

function shortened (body: Buffer, stretches: readonly Stretch[]): string {
  let text = ''
  let from = 0
  for (const { start, end } of stretches) {
    text += body.toString('utf8', from, start) + String(STAND_IN)
    from = end
  }
  return text + body.toString('utf8', from)
}

/** Leaves the stretches to blanks, which cost less than a text that is put together. */
function blanked (body: Buffer, stretches: readonly Stretch[]): string {
  const bytes = padded(body)
  for (const { start, end } of stretches) {
    if (end - start < String(STAND_IN).length) return shortened(body, stretches)
    bytes.fill(' ', start, end)
    bytes.write(String(STAND_IN), start)
  }
  return bytes.toString('utf8')
}

/**
 * In bytes. From about here on a text in V8's heap costs more than its parsing: the heap gets pages of its own for it,
 * and gives them back.
 */
const LARGE = 256 * 1024
/** From here on Node keeps a text outside of the heap. Source: Node, string_bytes.cc, EXTERN_APEX. */
const OUTSIDE = 0xFBEE9 + 1

/** A copy, with blanks behind it where it is too short to be kept outside of the heap. */
function padded (body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(Math.max(body.length, OUTSIDE))
  body.copy(bytes)
  return bytes.fill(' ', body.length)
}

/** Puts an empty list in place of each stand-in, and says of how many. */
function emptied (review: unknown): number {
  const request = isJsonObject(review) ? ownObject(review, 'request') : {}
  let count = 0
  for (const key of ['object', 'oldObject']) {
    // of the review just parsed, which is nobody else's
    const metadata: Record<string, unknown> = ownObject(ownObject(request, key), 'metadata')
    if (own(metadata, 'managedFields') !== STAND_IN) continue
    metadata['managedFields'] = []
    count++
  }
  return count
}
