import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { stringify } from 'yaml'
import { readPlain } from '../../../src/offline/plain-yaml.ts'
import { readAllWithYaml, readManifests, type DocumentReader } from '../../../src/offline/read-manifests.ts'

const FIELDS = ['metadata.name', 'spec.env[0].value', 'spec.a', 'metadata.labels[team]', 'nowhere', '']

/** All that is told of a text. */
function told (text: string, reader?: DocumentReader): unknown {
  const { manifests, faults } = readManifests(text, reader)
  return {
    manifests: manifests.map(({ object, position, positionOf }) => ({
      object,
      json: JSON.stringify(object),
      position,
      fields: FIELDS.map(positionOf)
    })),
    faults
  }
}

const HEAD = 'apiVersion: v1\nkind: X\n'
const plain = [
  'a: 1', 'metadata:\n  name: x\n  labels:\n    team: nlp', 'spec:\n  env:\n  - name: A\n    value: "1"\n  - name: B', 'spec:\n  env:\n    - name: A\n      value: 1',
  'list:\n- a\n- 1\n- true\n- "x"', 'none:', 'none:\nother: b', 'image: ghcr.io/silogen/a:1.2', 'quantity: 8Gi', 'empty: {}\nlist: []', '# a comment', '', "path: '/a/{.b}'", 'a: two words', "path: /{.a}/{.b['c']}/x(1),2"
]
const others = [
  'a: 1', 'a: yes', 'a: 0777', 'a: 1_000', 'a: 12:30:45', 'a: 2026-01-31', 'a: .5', 'a: 1e3', 'a: 0x1f', 'a: ~', 'a: null', 'a: Null', 'a: -1', 'a: +1', 'a: NaN', 'a: .inf', 'on: 1', 'y: 1',
  'true: 1', 'null: a', '1: a', 'a: "\\n"', "a: 'it''s'", 'a: |\n  text\n  more', 'a: >-\n  text', 'a: x\n  continued', 'a: "x\n  y"', 'a: [1, 2]', 'a: {b: 1}', 'a: [1', 'a: "', 'a: &x 1', 'b: *x',
  '<<: {a: 1}', 'a: !!str 1', 'a: x # comment', 'a:x', 'a:  x', 'a: x ', 'a:\n\tb: 1', 'a:\n  b: 1\n c: 2', '- a', '-', '- - a', '- a: 1\n  b: 2\n- c', 'a:\n- b\nc: 1', 'a:\n  - b\n - c', '? a', 'é: ü', 'a: é', '   ',
  'a: a: b', 'a: http://x/y', 'a: b:', 'a: %x', 'a: @x', 'a: `x', '--- # c', '--- a', '...', '%YAML 1.1', '__proto__: 1', 'constructor: 1', 'a: {}\n  b', 'items:\n- {}', 'a: -', 'a: - b', 'a: 9007199254740993', 'a: "x" y',
  'a: \'x\' # c', '"a": 1', "'a': 1", 'a: ---', 'a: x---', 'a: /', 'a: _', 'a: 1.0', 'a: 1.2.3', 'a: 10m', 'a: 1d', 'a: 1f', 'a: 1E', 'a: 0o7', 'a: 0b1', 'a: 1k', 'a: e1', 'a: E-2', 'e3: a', '---', 'kind: List\nitems:\n- apiVersion: v1\n  kind: A'
]
const document = fc.oneof(
  fc.array(fc.constantFrom(...plain), { maxLength: 3 }).map((parts) => `${HEAD}${parts.join('\n')}`),
  fc.array(fc.oneof(fc.constantFrom(...plain), fc.constantFrom(...others)), { maxLength: 4 }).map((parts) => `${HEAD}${parts.join('\n')}`),
  fc.array(fc.constantFrom(...others), { maxLength: 3 }).map((parts) => parts.join('\n')),
  fc.json().map((json) => `{"apiVersion":"v1","kind":"X","a":${json}}`),
  fc.jsonValue().map((value) => JSON.stringify({ apiVersion: 'v1', kind: 'X', a: value }, undefined, 2)),
  fc.jsonValue().map((value) => stringify({ apiVersion: 'v1', kind: 'X', a: value }))
)
const text = fc.tuple(fc.array(document, { minLength: 1, maxLength: 4 }), fc.constantFrom('\n---\n', '\n---\n', '\n---\n# c\n', '\n--- \n', '\n...\n---\n', '\r\n---\r\n'), fc.constantFrom('', '\n', '\n---\n', '\n---'))
  .map(([documents, between, end]) => documents.join(between) + end)

/** The first of some texts of which the two readers do not tell the same. */
function differing (texts: fc.Arbitrary<string>): string | undefined {
  const { counterexample } = fc.check(
    fc.property(texts, (given) => isDeepStrictEqual(told(given), told(given, readAllWithYaml))),
    { numRuns: 1_500 }
  )
  return counterexample?.[0]
}

t.test('a text is read as a YAML reader reads it: objects, their places and those of their fields, and faults', async (t) => {
  t.equal(differing(text), undefined)
})

t.test('characters that are changed, added or left out in a plain text change nothing of that', async (t) => {
  const sound = `${HEAD}metadata:\n  name: x\n  labels:\n    team: nlp\nspec:\n  env:\n  - name: A\n    value: "1"\n  a: 8Gi\n---\n${HEAD}spec:\n  a: true\n`
  const characters = fc.constantFrom(...Array.from(' \n:-#"\'{}[]&*!|>%@`,?~.0189aeyn\t\r\\é'))
  const edit = fc.tuple(fc.nat(sound.length), fc.nat(2), fc.option(characters, { nil: '' }))
  t.equal(differing(fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) =>
    edits.reduce((text, [at, count, added]) => text.slice(0, at) + added + text.slice(at + count), sound))), undefined)
})

t.test('what programs write is plain', async (t) => {
  for (const part of plain) t.ok(readPlain(`${HEAD}${part}\n`), part)
  t.ok(readPlain(JSON.stringify({ apiVersion: 'v1', kind: 'X', a: [1, 'b', null] }, undefined, 2)))
})
