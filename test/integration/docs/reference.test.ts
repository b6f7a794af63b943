import t from 'tap'
import { ROTATE_ANNOTATION } from '../../../certs/read-cluster.ts'
import { commandLinePage, fieldsPage, metricsPage, readmePage } from '../../../tools/reference-pages.ts'
import { INJECTED_FIELDS_ANNOTATION, BLOCK_ANNOTATION, ROLLOUT_ANNOTATION } from '../../../src/api/meta.ts'
import { OBJECT_SCHEMAS } from '../../../src/api/object-schemas.ts'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { PROBE_FAILURES } from '../../../src/kube/objects/admission-probe.ts'
import type { ReviewOutcome } from '../../../src/admission/judge.ts'
import { codeIn, readPage, rowsOf } from '../../support/docs/pages.ts'

const page = await readPage('docs/reference/fields.md')
const metrics = await readPage('docs/reference/metrics.md')

t.test('the generated parts of the pages match the program', async (t) => {
  t.ok(page.text === fieldsPage(page.text), 'docs/reference/fields.md: run npm run render')
  t.ok(metrics.text === await metricsPage(metrics.text), 'docs/reference/metrics.md: run npm run render')
  const { text } = await readPage('docs/reference/command-line.md')
  t.ok(text === await commandLinePage(text), 'docs/reference/command-line.md: run npm run render')
  const readme = await readPage('README.md')
  t.ok(readme.text === await readmePage(readme.text), 'README.md: run npm run render')
  t.ok(readme.text.split('\n').length <= 150, 'README.md has at most 150 lines')
  t.strictSame(readme.text.split('\n').filter((line) => line.length > 100), [], 'README.md has at most 100 columns')
})

t.test('every field of a spec is in the table of its kind', async (t) => {
  for (const [kind, { properties: { spec } }] of Object.entries(OBJECT_SCHEMAS)) {
    const fields = page.tables.find(({ under }) => under === kind)?.rows.map(([field = '']) => codeIn(field)) ?? []
    const { properties } = spec as { properties: object } // the spec of every kind is an object
    for (const field of Object.keys(properties)) t.ok(fields.includes(`spec.${field}`), `${kind} ${field}`)
  }
})

/** Exhaustive by its type. */
const OUTCOMES: Readonly<Record<ReviewOutcome, true>> = {
  allowed: true,
  patched: true,
  warned: true,
  refused: true,
  unmatched: true,
  unavailable: true,
  error: true
}

t.test('the page has all values of the labels', async (t) => {
  const values = Object.fromEntries(
    rowsOf(metrics, 'label', 'values').map(([label = '', cell = '']) => [
      label,
      [...cell.matchAll(/`([\w-]+)`/g)].map(([, value]) => value)
    ])
  )
  t.same(
    values['`webhook`'],
    newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' }).webhooks.map(({ name }) => name)
  )
  t.same(values['`outcome`'], Object.keys(OUTCOMES))
  const reasons = rowsOf(await readPage('docs/how-to/runbook.md'), 'reason', 'what to do')
  t.same(reasons.map(([reason = '']) => codeIn(reason)), PROBE_FAILURES)
})

t.test('the page has the annotations that the program reads', async (t) => {
  t.same(
    rowsOf(page, 'annotation', 'on', 'does').map(([annotation = '']) => codeIn(annotation)),
    [INJECTED_FIELDS_ANNOTATION, BLOCK_ANNOTATION, ROLLOUT_ANNOTATION, ROTATE_ANNOTATION]
  )
})
