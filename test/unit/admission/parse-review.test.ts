import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { endOfValue, parseReview } from '../../../src/admission/fast-parse/parse-review.ts'
import { INJECTED_FIELDS_ANNOTATION } from '../../../src/api/meta.ts'
import { isJsonObject, ownObject } from '../../../src/platform/json.ts'

/** Documents per property; a longer run sets the environment variable. */
const RUNS = Number(process.env['AIM_ADMISSION_FUZZ_RUNS'] ?? 3_000)

/** The parsed text with the managed fields of the two objects emptied, or that it is not JSON. */
function meaning (parse: (text: string) => unknown, text: string): unknown {
  try {
    return emptied(parse(text))
  } catch {
    return 'not JSON'
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

/** The naive version. */
const parseWhole = (text: string): unknown => JSON.parse(text)
/** As long texts are parsed. */
const parse = (text: string): unknown => parseReview(text, 0)

/** Any strings, and some that could mislead the scanner. */
const word = fc.oneof(
  fc.constantFrom(
    'managedFields', '"managedFields":[', ',"managedFields":[]', '\\', '"', '\\"', ']', '}',
    '__proto__', 'constructor', 'metadata', 'ü', '\u2028', '\ud83d\ude00', ''
  ),
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

/** A document with one range replaced: usually invalid JSON, sometimes another document. */
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

t.test('parseReview equals JSON.parse except for managed fields', async (t) => {
  t.doesNotThrow(() => {
    fc.assert(fc.property(review, fc.constantFrom(undefined, 1), (document, blanks) => {
      const text = JSON.stringify(document, undefined, blanks)
      return isDeepStrictEqual(meaning(parse, text), meaning(parseWhole, text))
    }), { numRuns: RUNS })
  })
})

t.test('parseReview equals JSON.parse on damaged documents', async (t) => {
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(damaged, (text) => isDeepStrictEqual(meaning(parse, text), meaning(parseWhole, text))),
      { numRuns: 3 * RUNS }
    )
  })
})

t.test('endOfValue ends a valid JSON value', async (t) => {
  const json = fc.oneof(listOfFields, anyValue).map((value) => JSON.stringify(value))
  t.doesNotThrow(() => {
    fc.assert(fc.property(fc.oneof(damaged, json), fc.constantFrom('', ',"x":1}', ']', '"'), (text, behind) => {
      const end = endOfValue(text + behind, 0)
      return end === -1 || typeof JSON.parse((text + behind).slice(0, end)) !== 'undefined'
    }), { numRuns: 3 * RUNS })
  })
})

t.test('only the managed fields of the two objects are dropped', async (t) => {
  const fields = '[{"manager":"kubectl","fieldsV1":{"f:spec":{"k:{\\"name\\":\\"A\\"}":{".":{}}}}}]'
  const cases: Record<string, { text: string, want: unknown }> = {
    'managed fields of both objects': {
      text: `{"request":{"object":{"metadata":{"managedFields":${fields},"name":"a"}},` +
        `"oldObject":{"metadata":{"name":"b","managedFields":${fields}}}}}`,
      want: {
        request: {
          object: { metadata: { managedFields: [], name: 'a' } },
          oldObject: { metadata: { name: 'b', managedFields: [] } }
        }
      }
    },
    'kept outside metadata': {
      text: '{"request":{"object":{"metadata":{"managedFields":[{"a":"b"}]},"spec":{"managedFields":[{"a":"b"}]}}}}',
      want: {
        request: { object: { metadata: { managedFields: [{ a: 'b' }] }, spec: { managedFields: [{ a: 'b' }] } } }
      }
    },
    'a duplicate key': {
      text: '{"request":{"object":{"metadata":{"managedFields":["a"],"managedFields":["b"]}}}}',
      want: { request: { object: { metadata: { managedFields: ['b'] } } } }
    },
    'kept inside a string': {
      text: '{"request":{"object":{"metadata":{"annotations":{"a":",\\"managedFields\\":[{]"}}}}}',
      want: { request: { object: { metadata: { annotations: { a: ',"managedFields":[{]' } } } } }
    }
  }
  for (const [name, { text, want }] of Object.entries(cases)) t.strictSame(parse(text), want, name)
  const { text = '' } = cases['managed fields of both objects'] ?? {}
  t.strictSame(parseReview(text), JSON.parse(text), 'a short text keeps them')
  const lists = { managedFields: [{ manager: 'a' }] }
  const mayBeFilled = [
    { metadata: { ...lists, annotations: { [INJECTED_FIELDS_ANNOTATION]: '{}' } } },
    { metadata: lists, spec: { routing: { enabled: false } } },
    { metadata: lists, spec: { imagePullSecrets: [] } }
  ]
  const others = { metadata: { managedFields: [{ manager: 'b', fieldsV1: { 'f:spec': {} } }] } }
  for (const object of mayBeFilled) {
    for (const request of [{ object }, { object: others, oldObject: object }, { oldObject: others, object }]) {
      t.strictSame(parse(JSON.stringify({ request })), { request }, 'kept where a field may have been filled')
    }
  }
  const other = { metadata: lists, spec: { model: { enabled: false } } }
  const emptiedOther = { ...other, metadata: { managedFields: [] } }
  t.strictSame(parse(JSON.stringify({ request: { object: other } })), { request: { object: emptiedOther } })
})

t.test('parseReview equals JSON.parse on large reviews with and without managed fields', async (t) => {
  const long = JSON.stringify(
    Array.from({ length: 2_000 }, (_, at) => ({ manager: `m-${at}`, fieldsV1: { 'f:ü': {} } }))
  )
  for (const length of [200_000, 262_144, 1_031_912, 1_031_914]) {
    for (const padding of ['x', 'ü', ' ', '\\n']) {
      const env = padding.repeat(length / Buffer.byteLength(padding))
      for (const fields of ['[]', '["a"]', long, undefined]) {
        const metadata = fields === undefined ? '{"name":"a"}' : `{"managedFields":${fields},"name":"a"}`
        const text =
          `{"request":{"object":{"metadata":${metadata},"spec":"${env}"},"oldObject":{"metadata":${metadata}}}}`
        t.ok(
          isDeepStrictEqual(meaning(parse, text), meaning(parseWhole, text)),
          `${length} bytes of ${padding}, ${fields?.length ?? 'no'} managed fields`
        )
        for (const wrong of [text.slice(0, -1), `${text}}`, text.replace('"name":"a"', '"name":"a",')]) {
          t.throws(() => parse(wrong), SyntaxError)
        }
      }
    }
  }
})

t.test('rejects managed fields that are not JSON', async (t) => {
  const lists = [
    '[{"a":}]', '[{"a":"b",}]', '[{"a":"\u0001"}]', '["a" "b"]', '[{a:"b"}]', '["\\q"]',
    '[[}]', '["a"', '[,]', '[{"a"}]'
  ]
  for (const list of lists) {
    t.throws(
      () => parse(`{"request":{"object":{"metadata":{"managedFields":${list}}}}}`),
      SyntaxError,
      list
    )
  }
})
