import type { Registry } from 'prom-client'
import { cacheMetrics, createMetrics, newRegistry } from '../src/telemetry/metrics.ts'
import { probeMetrics, reconcileMetrics, workQueueMetrics } from '../src/telemetry/reconcile-metrics.ts'

/** Every metric that `serve` or `reconcile` serves, as Markdown: the very words of the registries. */
export async function metricReference (): Promise<string> {
  const [serve, reconcile] = await Promise.all([createMetrics('0').registry, reconcilerRegistry()].map(metricsOf))
  const all = new Map([...serve ?? [], ...reconcile ?? []].toSorted(([a], [b]) => a < b ? -1 : 1))
  const rows = Array.from(all, ([name, { type, help, labels }]) => {
    const programs = [
      ...(serve?.has(name) === true ? ['`serve`'] : []),
      ...(reconcile?.has(name) === true ? ['`reconcile`'] : [])
    ]
    return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${programs.join(', ')} | ${help} |\n`
  })
  return `| metric | type | labels | served by | what |\n|---|---|---|---|---|\n${rows.join('')}`
}

/** As `reconcile` has it while it leads. */
function reconcilerRegistry (): Registry {
  const registry = newRegistry('0')
  cacheMetrics(registry)
  workQueueMetrics(registry)
  reconcileMetrics(registry, { election: '', leads: () => true, unobserved: () => 0, configs: () => [] })
  probeMetrics(registry).record(undefined, 0)
  return registry
}

interface MetricFacts { readonly type: string, readonly help: string, readonly labels: readonly string[] }

async function metricsOf (registry: Registry): Promise<ReadonlyMap<string, MetricFacts>> {
  const page = await registry.metrics()
  return new Map(Array.from(page.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\w+)$/gm), ([, name = '', help = '', type = '']) => {
    // prom-client keeps it, its types do not tell
    const labels: unknown = Reflect.get(registry.getSingleMetric(name) ?? {}, 'labelNames')
    return [name, { type, help, labels: Array.isArray(labels) ? labels.map(String) : [] }]
  }))
}
