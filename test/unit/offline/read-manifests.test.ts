import t from 'tap'
import { readManifests } from '../../../src/offline/read-manifests.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const HEAD = 'apiVersion: v1\nkind: X\n'

const objects: Record<string, { text: string, want: JsonObject[] }> = {
  'an empty text has no object': { text: '', want: [] },
  'documents that contain only comments are skipped': { text: '# a\n---\n---\n# b\n', want: [] },
  'documents are read in order': {
    text: `${HEAD}a: 1\n---\n${HEAD}a: 2\n`,
    want: [
      { apiVersion: 'v1', kind: 'X', a: 1 },
      { apiVersion: 'v1', kind: 'X', a: 2 }
    ]
  },
  'JSON is read': { text: '{"apiVersion": "v1",\n\t"kind": "X"}', want: [{ apiVersion: 'v1', kind: 'X' }] },
  'the items of a List replace it': {
    text: `apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A}\n- {apiVersion: v1, kind: B}\n---\n${HEAD}`,
    want: [{ apiVersion: 'v1', kind: 'A' }, { apiVersion: 'v1', kind: 'B' }, { apiVersion: 'v1', kind: 'X' }]
  },
  'yes and on are booleans, as kubectl reads them': {
    text: `${HEAD}a: yes\nb: [on, "on", off]\n`,
    want: [{ apiVersion: 'v1', kind: 'X', a: true, b: [true, 'on', false] }]
  },
  'dates and times are strings, as kubectl reads them': {
    text: `${HEAD}a: 2026-01-31\nb: 12:30:45\n`,
    want: [{ apiVersion: 'v1', kind: 'X', a: '2026-01-31', b: '12:30:45' }]
  },
  'values of JSON need no separator': {
    text: '{"apiVersion":"v1","kind":"A"}\n{"apiVersion":"v1","kind":"B"}{"apiVersion":"v1","kind":"C"}',
    want: [{ apiVersion: 'v1', kind: 'A' }, { apiVersion: 'v1', kind: 'B' }, { apiVersion: 'v1', kind: 'C' }]
  },
  'items without a kind have that of their List': {
    text: 'apiVersion: v1\nkind: XList\nitems:\n- {a: 1}\n',
    want: [{ apiVersion: 'v1', kind: 'X', a: 1 }]
  },
  'an integer above 2^53 keeps its digits': {
    text: `${HEAD}a: 9007199254740993\n`,
    want: [{ apiVersion: 'v1', kind: 'X', a: 9007199254740993n }]
  },
  'an integer as a key keeps its digits': {
    text: `${HEAD}a: {9007199254740993: 1}\n`,
    want: [{ apiVersion: 'v1', kind: 'X', a: { '9007199254740993': 1 } }]
  },
  'anchors and merge keys are resolved': {
    text: `${HEAD}a: &a {b: 1}\nc: {<<: *a, d: 2}\n`,
    want: [{ apiVersion: 'v1', kind: 'X', a: { b: 1 }, c: { b: 1, d: 2 } }]
  }
}
for (const [name, { text, want }] of Object.entries(objects)) {
  t.test(name, async (t) => {
    const { manifests, faults } = readManifests(text)
    t.same(manifests.map(({ object }) => object), want)
    t.same(faults, [])
  })
}

const faulty: Record<string, { text: string, line: number, column: number, reason: RegExp }> = {
  'an open bracket': { text: `${HEAD}a: [1\nb: 2\n`, line: 4, column: 1, reason: /^the closing bracket is missing, / },
  'a tab as indentation': { text: `${HEAD}a:\n\tb: 1\n`, line: 4, column: 1, reason: /^a tab indents this line/ },
  'a duplicate key': { text: `${HEAD}a: 1\na: 2\n`, line: 4, column: 1, reason: /^the key "a" occurs twice in this map: remove one$/ },
  'a fault in the second document': { text: `${HEAD}---\n${HEAD}a: "\n`, line: 7, column: 1, reason: /quote/ },
  'an alias without its anchor': { text: `${HEAD}a: *b\n`, line: 3, column: 4, reason: /^no anchor &b stands before the alias \*b/ },
  'aliases that multiply': {
    text: `${HEAD}a: &a [${'x,'.repeat(99)}]\nb: &b [${'*a,'.repeat(99)}]\nc: [${'*b,'.repeat(99)}]\n`,
    line: 5,
    column: 8,
    reason: /^aliases multiply this document too much/
  },
  'an unrendered template as a value': {
    text: `${HEAD}a: {{ .Values.x }}\n`, line: 3, column: 4, reason: /^this is an unrendered template/
  },
  'an unrendered template at the start': {
    text: `{{- if .Values.x }}\n${HEAD}{{- end }}\n`, line: 1, column: 1, reason: /^this is an unrendered template/
  },
  'a quoted template beside another fault': {
    text: `${HEAD}a: "{{ .x }}"\nb: c: d\n`, line: 4, column: 4, reason: /^a second ": " stands on this line/
  },
  'a trailing comma in JSON': {
    text: '{"apiVersion": "v1",\n"kind": "X",}', line: 2, column: 13, reason: /^this is not JSON, and a text that starts with \{/
  },
  'a fault in the second value of JSON': {
    text: '{"apiVersion": "v1", "kind": "X"}\n{"a": 1', line: 2, column: 8, reason: /^this is not JSON/
  },
  'a List in a List': {
    text: 'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: List, items: []}\n',
    line: 4,
    column: 3,
    reason: /^a List contains a List: move its items/
  },
  'a document that is not an object': {
    text: `${HEAD}---\nhello\n`,
    line: 4,
    column: 1,
    reason: /set apiVersion and kind/
  },
  'an object without a kind': {
    text: 'apiVersion: v1\n',
    line: 1,
    column: 1,
    reason: /set apiVersion and kind/
  },
  'an item of a List without a kind': {
    text: 'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A}\n- apiVersion: v1\n',
    line: 5,
    column: 3,
    reason: /set apiVersion and kind/
  }
}
for (const [name, { text, line, column, reason }] of Object.entries(faulty)) {
  t.test(`${name} is reported once, by line and column`, async (t) => {
    const { faults: [fault, ...others] } = readManifests(text)
    t.match(fault, { position: { line, column }, reason })
    t.notMatch(fault?.reason, /\n/)
    t.same(others, [])
  })
}

t.test('excessive nesting is a fault, not a crash', async (t) => {
  t.match(readManifests('['.repeat(100_000)), { manifests: [], faults: [{ position: { line: 1 } }] })
})

t.test('the position of an object is its start', async (t) => {
  const { manifests } = readManifests(
    `# first\n${HEAD}---\napiVersion: v1\nkind: List\nitems:\n- kind: A\n  apiVersion: v1\n`
  )
  t.same(manifests.map(({ position }) => position), [{ line: 2, column: 1 }, { line: 8, column: 3 }])
})

const NESTED = `# first
${HEAD}---
${HEAD}metadata:
  name: x
  labels: {app.kubernetes.io/name: chat, team: nlp}
spec: &spec
  env:
  - name: A
    value: "1"
other: *spec
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: X}
- apiVersion: v1
  kind: X
  spec: {a: 1}
`
const fields: Record<string, { at: number, line: number, column: number }> = {
  'metadata.name': { at: 1, line: 8, column: 9 },
  'metadata.labels[team]': { at: 1, line: 9, column: 48 },
  'metadata.labels[app.kubernetes.io/name]': { at: 1, line: 9, column: 36 },
  'metadata.labels[missing]': { at: 1, line: 9, column: 3 },
  'spec.env[0].value': { at: 1, line: 13, column: 12 },
  'spec.env[0]': { at: 1, line: 12, column: 5 },
  'spec.env[3].name': { at: 1, line: 11, column: 3 },
  'other.env[0].name': { at: 1, line: 12, column: 11 },
  missing: { at: 1, line: 5, column: 1 },
  'spec.a': { at: 3, line: 22, column: 13 },
  '': { at: 3, line: 20, column: 3 }
}
for (const [field, { at, line, column }] of Object.entries(fields)) {
  t.test(`the position of the field "${field}" is that of its value or closest parent`, async (t) => {
    t.same(readManifests(NESTED).manifests[at]?.positionOf(field), { line, column })
  })
}
