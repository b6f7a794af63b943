import t from 'tap'
import { parse } from 'yaml'
import { SEGMENT_FORMS, type SegmentForm } from '../../../src/core/path/segment.ts'
import { compilePathTemplate, renderPath, type RenderedPath } from '../../../src/core/path/template.ts'
import { READABLE_METADATA } from '../../../src/core/path/readable-fields.ts'
import { codeIn, readPage, rowsOf } from '../../support/docs/pages.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const page = await readPage('docs/reference/path-templates.md')
const SERVICE = parse(page.blocks.find(({ language }) => language === 'yaml')?.text ?? '') as JsonObject

function render (template: string, service: JsonObject = SERVICE, form?: SegmentForm): RenderedPath {
  const compilation = compilePathTemplate(template)
  return compilation.kind === 'invalid'
    ? { kind: 'invalid', problems: compilation.problems }
    : renderPath(compilation, service, form)
}

t.test('every template of the page renders the path beside it', async (t) => {
  const rows = rowsOf(page, 'template', 'path')
  t.ok(rows.length >= 20)
  for (const [template = '', path = ''] of rows) {
    t.same(render(codeIn(template)), { kind: 'path', path: codeIn(path) }, template)
  }
})

t.test('every template of the page has the path of each form', async (t) => {
  const rows = rowsOf(page, 'template', ...SEGMENT_FORMS.map((form) => `\`${form}\``))
  t.ok(rows.length >= 2)
  for (const [template = '', ...paths] of rows) {
    for (const [index, form] of SEGMENT_FORMS.entries()) {
      t.same(render(codeIn(template), SERVICE, form), { kind: 'path', path: codeIn(paths[index] ?? '') }, template)
    }
  }
})

t.test('every invalid template of the page is refused with the code and reason beside it', async (t) => {
  const rows = rowsOf(page, 'template', 'code', 'because')
  t.ok(rows.length >= 15)
  for (const [template = '', code = '', because] of rows) {
    const rendered = render(codeIn(template))
    t.same(
      rendered.kind === 'invalid' && rendered.problems.map(({ code, what }) => ({ code, what })),
      [{ code: codeIn(code), what: because }],
      template
    )
  }
})

t.test('every pending template of the page waits for the field beside it', async (t) => {
  const { name, ...metadata } = SERVICE['metadata'] as JsonObject // present in the example of the page
  const unnamed = { ...SERVICE, metadata: { ...metadata, generateName: 'llama-' } }
  const rows = rowsOf(page, 'template', 'waits for')
  t.equal(rows.length, 3)
  for (const [cell = '', needs = ''] of rows) {
    const [template = '', unnamedService] = cell.split(' of a service with ')
    t.same(
      render(codeIn(template), unnamedService === undefined ? SERVICE : unnamed),
      { kind: 'pending', needs: codeIn(needs) },
      cell
    )
  }
})

/** Template that reaches a limit of the page with `most`. */
const AT_LIMIT: Readonly<Record<string, (most: number) => string>> = {
  'characters of a template, as it is written': (most) => 'a'.repeat(most),
  'bytes of a template': (most) => '🚀'.repeat(most / 4),
  'expressions in a template': (most) => '{.kind}'.repeat(most),
  'bytes of an expression': (most) => `{"${'a'.repeat(most - '{""}'.length)}"}`,
  'characters of a path, in its final form': (most) => '/é'.padEnd(most - '%C3%A9'.length + 'é'.length, 'a')
}

t.test('every limit matches the page', async (t) => {
  const rows = rowsOf(page, 'what', 'most', 'code beyond it')
  t.same(rows.map(([what]) => what), Object.keys(AT_LIMIT))
  for (const [what = '', most, code = ''] of rows) {
    const template = AT_LIMIT[what] ?? (() => '')
    const codes = (count: number): string[] => {
      const rendered = render(template(count))
      return rendered.kind === 'invalid' ? rendered.problems.map(({ code }) => code) : []
    }
    t.notOk(codes(Number(most)).includes(codeIn(code)), `${what}: ${most ?? ''}`)
    // The widest character has four bytes.
    t.ok(codes(Number(most) + 4).includes(codeIn(code)), `${what}: more`)
  }
})

t.test('the page names all fields of metadata that a template may read', async (t) => {
  const named = /Of `metadata` a template may read ([^;]+);/.exec(page.text)?.[1] ?? ''
  t.same([...named.matchAll(/`(\w+)`/g)].map(([, name]) => name).sort(), [...READABLE_METADATA].sort())
})
