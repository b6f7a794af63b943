import t from 'tap'
import { Registry } from 'prom-client'
import { reconcileMetrics, type MetricNames } from '../../../src/telemetry/reconcile-metrics.ts'

const config = (namespace: string, name: string, total = 1) => ({
  kind: namespace === '' ? 'AIMClusterRuntimeConfig' : 'AIMRuntimeConfig',
  namespace,
  name,
  services: { total, current: total, failing: 0 }
} as const)

/** The metrics while these configurations exist. */
function measured (configs: ReadonlyArray<ReturnType<typeof config>>, names: MetricNames) {
  const registry = new Registry()
  const read = { election: 'e', leads: () => true, unobserved: () => 0, configs: () => configs, limit: () => undefined }
  const { onContest } = reconcileMetrics(registry, read, names)
  return {
    onContest,
    page: async () => await registry.metrics(),
    /** Of all services of each configuration. */
    totals: async () => (await registry.metrics()).split('\n')
      .filter((line) => /^aim_config_services\{.*state="total"/.test(line))
      .map((line) => line.slice('aim_config_services'.length))
  }
}

t.test('each configuration has its own series while names are shown', async (t) => {
  const { totals } = measured([config('a', 'x', 2), config('', 'x', 3)], 'shown')
  t.strictSame(await totals(), [
    '{kind="AIMRuntimeConfig",namespace="a",name="x",state="total"} 2',
    '{kind="AIMClusterRuntimeConfig",namespace="",name="x",state="total"} 3'
  ])
})

t.test('hidden names are in no label: counts are added up by kind, at each scrape', async (t) => {
  const configs = [config('tenant-a', 'x', 2), config('tenant-b', 'y', 3), config('', 'z')]
  const { totals, page, onContest } = measured(configs, 'hidden')
  onContest('tenant-a')
  for (const scrape of ['first', 'second']) {
    t.strictSame(await totals(), [
      '{kind="AIMRuntimeConfig",state="total"} 5', '{kind="AIMClusterRuntimeConfig",state="total"} 1'
    ], scrape)
  }
  t.notMatch(await page(), /tenant-|[xyz]"/)
  t.match(await page(), 'aim_admission_status_conflicts_total{manager="other"} 1')
})

t.test('the first twenty field managers have series of their own, and all others share one', async (t) => {
  const { page, onContest } = measured([], 'shown')
  for (let at = 0; at < 1_000; at++) onContest(`manager-${at % 500}`)
  const series = (await page()).split('\n').filter((line) => line.startsWith('aim_admission_status_conflicts_total{'))
  t.equal(series.length, 20 + 1)
  t.ok(series.includes('aim_admission_status_conflicts_total{manager="manager-19"} 2'))
  t.ok(series.includes('aim_admission_status_conflicts_total{manager="other"} 960'))
})

t.test('a namespace with many configurations takes no series from others', async (t) => {
  const flood = Array.from({ length: 30_000 }, (_, at) => config('evil', `x${at}`))
  const { totals } = measured([...flood, config('victim', 'x'), config('', 'x')], 'shown')
  const series = await totals()
  t.equal(series.length, 20 + 2 + 1)
  t.strictSame(series.slice(20), [
    '{kind="AIMRuntimeConfig",namespace="victim",name="x",state="total"} 1',
    '{kind="AIMClusterRuntimeConfig",namespace="",name="x",state="total"} 1',
    '{kind="AIMRuntimeConfig",state="total"} 29980'
  ])
})

t.test('many namespaces have a bounded number of series, and take none from cluster configurations', async (t) => {
  const namespaces = Array.from({ length: 5_000 }, (_, at) => config(`team-${at}`, 'x'))
  const { totals } = measured([...namespaces, config('', 'x')], 'shown')
  const series = await totals()
  t.equal(series.length, 2_000 + 1 + 1)
  t.ok(series.includes('{kind="AIMRuntimeConfig",state="total"} 3000'))
  t.ok(series.includes('{kind="AIMClusterRuntimeConfig",namespace="",name="x",state="total"} 1'))
})
