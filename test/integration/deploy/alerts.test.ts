import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { alerts, expressions, OF_THIS_PROGRAM } from '../../support/builders/expressions.ts'
import { readExpression } from '../../support/docs/promql.ts'

t.test('every expression of the alerts and the dashboard parses and names a metric', async (t) => {
  const all = await expressions()
  t.ok(all.size > 40, String(all.size))
  for (const [where, expression] of all) t.ok(readExpression(expression).selectors.length > 0, where)
})

t.test('a metric whose name other programs of a cluster use is read from this program alone', async (t) => {
  const shared = /^(?:workqueue|rest_client|process|nodejs)_/
  let found = 0
  for (const [where, expression] of await expressions()) {
    const metrics = readExpression(expression).selectors.map(({ metric }) => metric)
    const count = metrics.filter((metric) => shared.test(metric)).length
    found += count
    if (count > 0) t.equal(expression.split(`${OF_THIS_PROGRAM})`).length - 1, count, where)
  }
  t.ok(found > 5)
})

t.test('the dashboard can be imported: ids, data source, units, and a grid without overlaps', async (t) => {
  const { panels, templating } = JSON.parse(
    await readFile(path.resolve(import.meta.dirname, '../../../deploy/dashboards/aim-admission.json'), 'utf8')
  ) as Dashboard
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length, 'every id is unique')
  t.match(templating.list, [{ name: 'datasource', type: 'datasource', query: 'prometheus' }])
  const cells = new Set<string>()
  for (const { title, type, gridPos: { x, y, w, h }, datasource, targets = [], fieldConfig } of panels) {
    // without them, Grafana shows a number above 80 in red
    if (type === 'stat') t.match(fieldConfig.defaults.thresholds, { steps: [{ value: null }] }, title)
    t.ok(x + w <= 24, `${title} is within the 24 columns`)
    const covered = Array.from({ length: w * h }, (_, at) => `${x + at % w}/${y + Math.floor(at / w)}`)
    t.strictSame(covered.filter((cell) => cells.has(cell)), [], `${title} covers no other panel`)
    for (const cell of covered) cells.add(cell)
    if (type === 'row') continue
    const sources = new Set([datasource, ...targets.map((target) => target.datasource)].map(({ uid }) => uid))
    t.strictSame([...sources], ['$' + '{datasource}'], `${title} uses the variable`)
    t.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, `${title}: every refId is unique`)
    for (const { expr } of targets) {
      const isTime = /_seconds(?!_count)/.test(expr)
      const expected = isTime ? ['s'] : /\b(?:rate|irate)\(/.test(expr) ? ['reqps', 'short'] : ['none', 'short']
      t.ok(expected.includes(fieldConfig.defaults.unit), `${title}: ${fieldConfig.defaults.unit} of ${expr}`)
    }
  }
})

/** As much of the JSON model of Grafana as the test reads. */
interface Dashboard {
  readonly templating: { readonly list: readonly object[] }
  readonly panels: ReadonlyArray<{
    readonly id: number
    readonly title: string
    readonly type: string
    readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>
    readonly datasource: { readonly uid: string }
    readonly targets?: ReadonlyArray<{
      readonly refId: string, readonly expr: string, readonly datasource: { readonly uid: string }
    }>
    readonly fieldConfig: { readonly defaults: { readonly unit: string, readonly thresholds?: object } }
  }>
}

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
