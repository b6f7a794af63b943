import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { endOfValue } from '../../../src/admission/fast-parse/end-of-value.ts'
import { parseReview } from '../../../src/admission/fast-parse/parse-review.ts'
import { isJsonObject, ownObject } from '../../../src/platform/json.ts'

/** How many documents of each sort are tried; more where the environment says so. */
const RUNS = Number(process.env['AIM_ADMISSION_FUZZ_RUNS'] ?? 3_000)

/** What a text says once the managed fields of the two objects are emptied, or that it is no JSON. */
function meaning (parse: (body: Buffer) => unknown, text: string): unknown {
  try {
    return emptied(parse(Buffer.from(text)))
  } catch {
    return 'no JSON'
  }
}

function emptied (review: unknown): unknown {
  return JSON.parse(JSON.stringify(review), function (this: Record<string, unknown>, key, value: unknown): unknown {
    if (key !== '') return value
    for (const metadata of places(value)) if (Array.isArray(metadata['managedFields'])) metadata['managedFields'] = []
    return value
  })
}

function places (review: unknown): Array<Record<string, unknown>> {
  const request = isJsonObject(review) ? ownObject(review, 'request') : {}
  return ['object', 'oldObject'].map((key) => ownObject(ownObject(request, key), 'metadata'))
}

const whole = (body: Buffer): unknown => JSON.parse(body.toString('utf8'))

/** Keys and texts that lead a reader astray, beside any others. */
const word = fc.oneof(
  fc.constantFrom('managedFields', '"managedFields":[', ',"managedFields":[]', '\\', '"', '\\"', ']', '}', '__proto__', 'constructor', 'metadata', 'ü', '\u2028', '\ud83d\ude00', ''),
  fc.string({ unit: 'binary', maxLength: 6 })
)
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    word,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    tie('list'),
    tie('object')
  ),
  list: fc.array(tie('value'), { maxLength: 4 }),
  object: fc.dictionary(word, tie('value'), { maxKeys: 4 })
}))
const listOfFields = fc.array(
  fc.dictionary(word, fc.oneof(word, fc.dictionary(word, fc.constant({}))), { maxKeys: 4 }),
  { maxLength: 3 }
)
const anyMetadata = fc.record({
  name: word,
  managedFields: fc.oneof({ weight: 4, arbitrary: listOfFields }, anyValue),
  annotations: fc.dictionary(word, word, { maxKeys: 3 })
}, { requiredKeys: [] })
const anyObject = fc.record({ metadata: anyMetadata, spec: anyValue }, { requiredKeys: [] })
const request = {
  uid: word,
  object: fc.oneof(anyObject, anyValue),
  oldObject: fc.oneof(anyObject, anyValue),
  managedFields: listOfFields
}
const review = fc.record({ request: fc.record(request, { requiredKeys: [] }), more: anyValue })

/** A document with one stretch of it replaced: nearly always no JSON any more, and sometimes another. */
const damage = fc.oneof(
  fc.constantFrom('', '"', ',', ':', '[', ']', '{', '}', '\\', ' ', '\n', '\u0001', '0', 'null', '"managedFields":[],'),
  word
)
const damaged = fc.tuple(review, fc.nat(), fc.nat(6), damage)
  .map(([document, at, length, insert]) => {
    const text = JSON.stringify(document)
    const start = at % (text.length + 1)
    return text.slice(0, start) + insert + text.slice(start + length)
  })

t.test('the quick reader says what JSON.parse says, but for the managed fields', async (t) => {
  t.doesNotThrow(() => {
    fc.assert(fc.property(review, fc.constantFrom(undefined, 1), (document, blanks) => {
      const text = JSON.stringify(document, undefined, blanks)
      return isDeepStrictEqual(meaning(parseReview, text), meaning(whole, text))
    }), { numRuns: RUNS })
  })
})

t.test('and of a document that is damaged somewhere, too', async (t) => {
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(damaged, (text) => isDeepStrictEqual(meaning(parseReview, text), meaning(whole, text))),
      { numRuns: 3 * RUNS }
    )
  })
})

t.test('where a value ends, it is JSON up to there, and nowhere before', async (t) => {
  t.doesNotThrow(() => {
    fc.assert(fc.property(fc.oneof(damaged, fc.oneof(listOfFields, anyValue).map((value) => JSON.stringify(value))), fc.constantFrom('', ',"x":1}', ']', '"'), (text, behind) => {
      const end = endOfValue(Buffer.from(text + behind), 0)
      return end === -1 || typeof JSON.parse(Buffer.from(text + behind).toString('utf8', 0, end)) !== 'undefined'
    }), { numRuns: 3 * RUNS })
  })
})

t.test('managed fields of the two objects are left out, and only these', async (t) => {
  const fields = '[{"manager":"kubectl","fieldsV1":{"f:spec":{"k:{\\"name\\":\\"A\\"}":{".":{}}}}}]'
  const cases: Record<string, { text: string, want: unknown }> = {
    'of both': {
      text: `{"request":{"object":{"metadata":{"managedFields":${fields},"name":"a"}},"oldObject":{"metadata":{"name":"b","managedFields":${fields}}}}}`,
      want: {
        request: {
          object: { metadata: { managedFields: [], name: 'a' } },
          oldObject: { metadata: { name: 'b', managedFields: [] } }
        }
      }
    },
    'not those elsewhere': {
      text: '{"request":{"object":{"metadata":{"managedFields":[{"a":"b"}]},"spec":{"managedFields":[{"a":"b"}]}}}}',
      want: {
        request: { object: { metadata: { managedFields: [{ a: 'b' }] }, spec: { managedFields: [{ a: 'b' }] } } }
      }
    },
    'not those that a second key replaces': {
      text: '{"request":{"object":{"metadata":{"managedFields":["a"],"managedFields":["b"]}}}}',
      want: { request: { object: { metadata: { managedFields: ['b'] } } } }
    },
    'not what only looks like them, inside a text': {
      text: '{"request":{"object":{"metadata":{"annotations":{"a":",\\"managedFields\\":[{]"}}}}}',
      want: { request: { object: { metadata: { annotations: { a: ',"managedFields":[{]' } } } } }
    }
  }
  for (const [name, { text, want }] of Object.entries(cases)) t.strictSame(parseReview(Buffer.from(text)), want, name)
})

t.test('a large review says the same, with managed fields and without, short and long', async (t) => {
  const long = JSON.stringify(
    Array.from({ length: 2_000 }, (_, at) => ({ manager: `m-${at}`, fieldsV1: { 'f:ü': {} } }))
  )
  for (const length of [200_000, 262_144, 1_031_912, 1_031_914]) {
    for (const padding of ['x', 'ü', ' ', '\\n']) {
      const env = padding.repeat(length / Buffer.byteLength(padding))
      for (const fields of ['[]', '["a"]', long, undefined]) {
        const metadata = fields === undefined ? '{"name":"a"}' : `{"managedFields":${fields},"name":"a"}`
        const text = `{"request":{"object":{"metadata":${metadata},"spec":"${env}"},"oldObject":{"metadata":${metadata}}}}`
        t.ok(
          isDeepStrictEqual(meaning(parseReview, text), meaning(whole, text)),
          `${length} bytes of ${padding}, ${fields?.length ?? 'no'} managed fields`
        )
        for (const wrong of [text.slice(0, -1), `${text}}`, text.replace('"name":"a"', '"name":"a",')]) { t.throws(() => parseReview(Buffer.from(wrong)), SyntaxError) }
      }
    }
  }
})

t.test('managed fields that are no JSON make the review none', async (t) => {
  for (const list of ['[{"a":}]', '[{"a":"b",}]', '[{"a":"\u0001"}]', '["a" "b"]', '[{a:"b"}]', '["\\q"]', '[[}]', '["a"', '[,]', '[{"a"}]']) {
    t.throws(
      () => parseReview(Buffer.from(`{"request":{"object":{"metadata":{"managedFields":${list}}}}}`)),
      SyntaxError,
      list
    )
  }
})
