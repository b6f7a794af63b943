import t from 'tap'
import { startCluster } from '../../support/cluster/cluster.ts'
import { expressions, OF_THIS_PROGRAM } from '../../support/builders/expressions.ts'
import { actionsOf, manifest } from '../../support/builders/manifests.ts'
import { codeIn, readPage, rowsOf } from '../../support/docs/pages.ts'
import { startProduct, startReconciler } from '../../support/programs/product.ts'
import { readExpression, readMetrics } from '../../support/docs/promql.ts'
import { until } from '../../support/until.ts'

const cluster = await startCluster()
const product = await startProduct(cluster)
const reconciler = await startReconciler(cluster, ['--admission-probe-interval', '200ms'])
const { kubectl } = cluster
const { apply, aNamespace } = actionsOf(cluster)
t.teardown(async () => {
  await reconciler.stop()
  await product.stop()
  await cluster.stop()
})

const page = async (probeUrl: string): Promise<string> => await (await fetch(`${probeUrl}/metrics`)).text()

/**
 * The metrics of both programs and of the API server, after an admitted, a refused, and a bypassed service, a failed
 * call, and a failed probe.
 */
async function servedMetrics (): Promise<Readonly<Record<'serve' | 'reconcile' | 'apiServer', string>>> {
  const namespace = await aNamespace('measured')
  await apply(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default' }), manifest({ namespace, name: 'a' }))
  await apply(manifest({ namespace, name: 'refused', spec: { routing: { enabled: true, pathTemplate: '/{' } } }))
  await until(
    async () =>
      (await page(reconciler.probeUrl)).includes('aim_config_services{') &&
      (await page(reconciler.probeUrl)).includes('aim_admission_probe_success')
  )
  const serve = await page(product.probeUrl)
  await product.stop()
  await until(async () => (await page(reconciler.probeUrl)).includes('aim_admission_probe_failures_total{'))
  const reconcile = await page(reconciler.probeUrl)
  await apply(manifest({ namespace, name: 'no-server' }))
  for (const kind of ['mutatingwebhookconfiguration', 'validatingwebhookconfiguration']) {
    await kubectl([
      'patch',
      kind,
      'aim-admission',
      '--type=json',
      '-p',
      JSON.stringify([{ op: 'add', path: '/webhooks/0/failurePolicy', value: 'Ignore' }])
    ])
  }
  // the API server takes a moment to see the new registration
  await until(async () => (await apply(manifest({ namespace, name: 'let-past' }))).code === 0)
  return { serve, reconcile, apiServer: (await kubectl(['get', '--raw', '/metrics'])).stdout }
}

const pages = await servedMetrics()

/** Labels whose values are known beforehand, so that one which never comes is a mistake. */
const CLOSED = ['kind', 'state', 'name']

t.test('every expression of the alerts and of the dashboard asks for metrics that are served, by labels and values that they have', async (t) => {
  const served = readMetrics(Object.values(pages).join('\n'))
  for (const [where, expression] of await expressions()) {
    const { selectors, grouped } = readExpression(expression.replaceAll(OF_THIS_PROGRAM, ''))
    for (const { metric, labels } of selectors) {
      const known = served.get(metric)
      t.ok(known, `${where}: ${metric} is served`)
      for (const { name, values } of labels) {
        t.ok(known?.has(name), `${where}: ${metric} has the label ${name}`)
        if (CLOSED.includes(name) && values.length > 0) {
          t.ok(
            values.some((value) => known?.get(name)?.has(value)),
            `${where}: ${name} of ${metric} may be ${values.join(' or ')}`
          )
        }
      }
      for (const name of grouped) t.ok(known?.has(name), `${where}: ${metric} has the label ${name} to group by`)
    }
  }
})

t.test('docs/reference/metrics.md has every metric that the programs serve, by its type and labels, and no other', async (t) => {
  const rows = rowsOf(await readPage('docs/reference/metrics.md'), 'metric', 'type', 'labels', 'served by', 'what')
  for (const program of ['serve', 'reconcile'] as const) {
    const documented = rows.filter(([, , , programs = '']) => programs.includes(`\`${program}\``))
    t.strictSame(
      [...pages[program].matchAll(/^# TYPE (\w+ \w+)$/gm)].map(([, type]) => type).sort(),
      documented.map(([name = '', type]) => `${codeIn(name)} ${type ?? ''}`).sort(),
      program
    )
    const served = readMetrics(pages[program])
    for (const [name = '', , labels = ''] of documented) {
      const known = [...served.get(codeIn(name))?.keys() ?? []].sort()
      if (known.length > 0) {
        t.strictSame(known, [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label).sort(), `${program}: ${name}`)
      }
    }
  }
})
