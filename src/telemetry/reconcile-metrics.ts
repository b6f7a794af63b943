import type { Registry } from 'prom-client'
import type { RuntimeConfigKind } from '../api/runtime-config.ts'
import { atScrape, metricsIn } from './metrics.ts'

/** One configuration and the counts of its services. */
interface CountedConfig {
  readonly kind: RuntimeConfigKind
  readonly namespace: string
  readonly name: string
  readonly services: { readonly total: number, readonly current: number, readonly failing: number }
}

/** Read at each scrape. */
export interface MeasuredReconciler {
  /** Name of the election. */
  readonly election: string
  readonly leads: () => boolean
  readonly unobserved: () => number
  readonly configs: () => Iterable<CountedConfig>
  readonly limit: () => MeasuredLimit | undefined
}

/** `floors`: the latency without queueing by kind of write, in milliseconds. */
interface MeasuredLimit {
  readonly current: number
  readonly running: number
  readonly floors: ReadonlyMap<string, number>
}

/** Whether labels hold names that users chose: of configurations, namespaces, and field managers. */
export type MetricNames = 'shown' | 'hidden'

/** The metrics of the reconciler, except those of its queues. */
export function reconcileMetrics (registry: Registry, read: MeasuredReconciler, names: MetricNames) {
  const { gauge } = metricsIn(registry)
  atScrape(gauge('leader_election_master_status', '1 while this replica leads.', ['name']), (metric) => {
    metric.set({ name: read.election }, read.leads() ? 1 : 0)
  })
  atScrape(gauge('aim_admission_unobserved_services',
    'Services whose last change no webhook observed, not fixed yet.'), (metric) => { metric.set(read.unobserved()) })
  atScrape(gauge('aim_config_services',
    'Services that use a configuration: all (total), with its present version (current), degraded (failing).',
    ['kind', 'namespace', 'name', 'state']), (metric) => {
    metric.reset()
    const isNamed = namedConfigs(names)
    const unnamed = new Map<string, number>()
    for (const { kind, namespace, name, services } of read.configs()) {
      const hasNames = isNamed(namespace)
      for (const [state, count] of Object.entries(services)) {
        const sum = `${kind} ${state}`
        if (hasNames) metric.set({ kind, namespace, name, state }, count)
        else unnamed.set(sum, (unnamed.get(sum) ?? 0) + count)
      }
    }
    for (const [sum, count] of unnamed) {
      const [kind = '', state = ''] = sum.split(' ')
      metric.set({ kind, state }, count)
    }
  })
  atScrape(gauge('aim_admission_reconcile_limit',
    'Keys that the reconciler may process at once; it follows write latency.'), (metric) => {
    metric.set(read.limit()?.current ?? 0)
  })
  atScrape(gauge('aim_admission_reconcile_running', 'Keys that the reconciler processes.'), (metric) => {
    metric.set(read.limit()?.running ?? 0)
  })
  atScrape(gauge('aim_admission_write_latency_floor_seconds',
    'Latency of a write that waits for no other, by kind of write.', ['write']), (metric) => {
    metric.reset()
    for (const [write, ms] of read.limit()?.floors ?? []) metric.set({ write }, ms / 1_000)
  })
  const managers = new Set<string>()
  const countByManager = (name: string, help: string) => {
    const counter = metricsIn(registry).counter(name, help, ['manager'])
    counter.inc({ manager: OTHERS }, 0) // served from the start, so that alerts can refer to it
    return (manager: string): void => {
      if (names === 'shown' && managers.size < MAX_MANAGERS) managers.add(manager)
      counter.inc({ manager: managers.has(manager) ? manager : OTHERS })
    }
  }
  return {
    onContest: countByManager('aim_admission_status_conflicts_total',
      'Statuses written again because another writer removed a part, by field manager.'),
    onGivenUp: countByManager('aim_admission_status_fields_given_up_total',
      'Fields and conditions of a status that were left to another field manager, by manager.')
  }
}

/** Whether the next configuration of a namespace has a series of its own. All others are added up by kind. */
function namedConfigs (names: MetricNames): (namespace: string) => boolean {
  const named = new Map<string, number>()
  let namespaced = 0
  return (namespace) => {
    const isNamespaced = namespace !== ''
    const count = named.get(namespace) ?? 0
    if (names === 'hidden' || count >= (isNamespaced ? MAX_OF_NAMESPACE : MAX_CONFIGS)) return false
    if (isNamespaced && namespaced++ >= MAX_CONFIGS) return false
    named.set(namespace, count + 1)
    return true
  }
}

/** Configurations with a series of their own: of all namespaces together (of the cluster as many), and of one. */
const MAX_CONFIGS = 2_000
const MAX_OF_NAMESPACE = 20

/** Field managers with a metric of their own: clients choose their names. */
const MAX_MANAGERS = 20
const OTHERS = 'other'

/** The metrics of the end-to-end probe. They are registered only while this replica probes. */
export function probeMetrics (registry: Registry) {
  const success = metricsIn().gauge(SUCCESS, '1 while a service sent through the API server is admitted correctly.')
  const duration = metricsIn().gauge(DURATION, 'Duration of the last probe through the API server.')
  const failures = metricsIn(registry)
    .counter('aim_admission_probe_failures_total', 'Failed probes, by reason.', ['reason'])
  return {
    /** A probe ended. `failure`: from a closed set; undefined after a success. */
    record: (failure: string | undefined, seconds: number): void => {
      success.set(failure === undefined ? 1 : 0)
      duration.set(seconds)
      if (failure !== undefined) failures.inc({ reason: failure })
      for (const metric of [success, duration]) registry.registerMetric(metric)
    },
    forget: (): void => { for (const name of [SUCCESS, DURATION]) registry.removeSingleMetric(name) }
  }
}

const SUCCESS = 'aim_admission_probe_success'
const DURATION = 'aim_admission_probe_duration_seconds'

/** Read from a queue at each scrape. Ages in milliseconds. */
export interface MeasuredQueue { readonly depth: number, readonly ages: readonly number[] }

const BUCKETS = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1_000]

/** Metrics of work queues, named as in client-go. Source: k8s.io/component-base/metrics/prometheus/workqueue. */
export function workQueueMetrics (registry: Registry) {
  const { counter, gauge, histogram } = metricsIn(registry)
  const label = { label: 'name', buckets: BUCKETS }
  const adds = counter('workqueue_adds_total', 'Added keys.', ['name'])
  const retries = counter('workqueue_retries_total', 'Keys retried after a failure.', ['name'])
  const waits = histogram('workqueue_queue_duration_seconds', 'Time that keys wait, in seconds.', label)
  const works = histogram('workqueue_work_duration_seconds', 'Time to process keys, in seconds.', label)
  const queues = new Map<string, () => MeasuredQueue | undefined>()
  const measured = (name: string, help: string, value: (queue: MeasuredQueue) => number): void => {
    atScrape(gauge(name, help, ['name']), (metric) => {
      for (const [queue, measure] of queues) metric.set({ name: queue }, value(measure() ?? { depth: 0, ages: [] }))
    })
  }
  measured('workqueue_depth', 'Keys that wait.', ({ depth }) => depth)
  measured('workqueue_unfinished_work_seconds', 'Total time that the keys in process have taken so far, in seconds.',
    ({ ages }) => ages.reduce((sum, age) => sum + age, 0) / 1_000)
  measured('workqueue_longest_running_processor_seconds',
    'Longest time that a key in process has taken so far, in seconds.', ({ ages }) => Math.max(0, ...ages) / 1_000)
  return {
    /** `measure` returns the queue that works at present, if any. */
    observe: (name: string, measure: () => MeasuredQueue | undefined) => {
      queues.set(name, measure)
      return {
        onAdd: () => { adds.inc({ name }) },
        onStart: (waitedMs: number) => { waits.observe({ name }, waitedMs / 1_000) },
        onEnd: (ranMs: number) => { works.observe({ name }, ranMs / 1_000) },
        onRetry: () => { retries.inc({ name }) }
      }
    }
  }
}
