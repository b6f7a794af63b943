import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { alerts, expressions } from '../../support/builders/expressions.ts'
import { readExpression } from '../../support/docs/promql.ts'

t.test('every expression of the alerts and the dashboard parses and names a metric', async (t) => {
  const all = await expressions()
  t.ok(all.size > 40, String(all.size))
  for (const [where, expression] of all) t.ok(readExpression(expression).selectors.length > 0, where)
})

/** promtool of Prometheus is on the PATH. */
const hasPromtool = spawnSync('promtool', ['--version']).status === 0

const promtool = { skip: hasPromtool ? false : 'no promtool on the PATH' }

t.test('promtool accepts the alerts and every expression of the dashboard', promtool, async (t) => {
  const rules = [...(await expressions())].map(([where, expression], at) => ({
    record: `expression_${at}`,
    labels: { where },
    expr: expression.replaceAll('$__rate_interval', '5m')
  }))
  const file = path.join(t.testdir({ 'all.yaml': JSON.stringify({ groups: [{ name: 'all', rules }] }) }), 'all.yaml')
  for (const each of [file, path.resolve(import.meta.dirname, '../../../deploy/alerts.yaml')]) {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', each], { encoding: 'utf8' })
    t.equal(status, 0, stdout + stderr)
  }
})

t.test('the text of an alert by configuration has words for hidden names', async (t) => {
  const byName = (await alerts()).filter(({ expr }) => readExpression(expr).grouped.includes('namespace'))
  t.ok(byName.length > 0)
  for (const { alert, annotations: { summary } } of byName) {
    t.match(summary, '{{ with $labels.namespace }}{{ . }}/{{ end }}{{ or $labels.name "(names hidden)" }}', alert)
  }
})

t.test('an invalid expression is rejected', async (t) => {
  t.throws(() => readExpression('sum by (a (rate(b[5m]))'))
})

t.test('every alert has a severity, texts, and a section of the runbook', async (t) => {
  const runbook = await readFile(path.resolve(import.meta.dirname, '../../../docs/how-to/runbook.md'), 'utf8')
  const all = await alerts()
  for (const { alert, labels, annotations } of all) {
    t.ok(['info', 'warning', 'critical'].includes(labels.severity), alert)
    t.ok(annotations.summary !== '' && annotations.description !== '', alert)
    t.equal(annotations.runbook, `docs/how-to/runbook.md#${alert.toLowerCase()}`)
  }
  t.strictSame(
    [...runbook.matchAll(/^## (\w+)$/gm)].map(([, title]) => title),
    all.map(({ alert }) => alert),
    'sections of the runbook'
  )
})
