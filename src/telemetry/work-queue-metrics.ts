import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** What the metrics read off a queue whenever they are asked for. Ages in milliseconds. */
export interface MeasuredQueue { readonly depth: number, readonly ages: readonly number[] }

const BUCKETS = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1_000]

/**
 * Metrics of work queues under the names of client-go's. Source: k8s.io/component-base/metrics/prometheus/workqueue.
 */
export function workQueueMetrics (registry: Registry) {
  const registers = [registry]
  const labelNames = ['name']
  const queues = new Map<string, () => MeasuredQueue | undefined>()
  const adds = new Counter({ name: 'workqueue_adds_total', help: 'Keys added.', labelNames, registers })
  const retries = new Counter({
    name: 'workqueue_retries_total',
    help: 'Keys whose work failed and is tried again.',
    labelNames,
    registers
  })
  const waits = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'How long keys wait, in seconds.',
    labelNames,
    buckets: BUCKETS,
    registers
  })
  const works = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'How long the work on keys takes, in seconds.',
    labelNames,
    buckets: BUCKETS,
    registers
  })
  const read = (name: string, help: string, value: (queue: MeasuredQueue) => number): void => {
    const gauge: Gauge = new Gauge({
      name, help, labelNames, registers, collect: () => { for (const [queue, measured] of queues) gauge.set({ name: queue }, valueOf(measured(), value)) }
    })
  }
  read('workqueue_depth', 'Keys that wait.', ({ depth }) => depth)
  read(
    'workqueue_unfinished_work_seconds',
    'How long all keys that are worked on have been so together, in seconds.',
    ({ ages }) => ages.reduce((sum, age) => sum + age, 0) / 1_000
  )
  read(
    'workqueue_longest_running_processor_seconds',
    'How long one key has been worked on, at most, in seconds.',
    ({ ages }) => Math.max(0, ...ages) / 1_000
  )
  return {
    /** `measured` is asked for the queue that works at present, where one does. */
    observe: (name: string, measured: () => MeasuredQueue | undefined) => {
      queues.set(name, measured)
      return {
        onAdd: () => { adds.inc({ name }) },
        onStart: (waitedMs: number) => { waits.observe({ name }, waitedMs / 1_000) },
        onEnd: (ranMs: number) => { works.observe({ name }, ranMs / 1_000) },
        onRetry: () => { retries.inc({ name }) }
      }
    }
  }
}

function valueOf (queue: MeasuredQueue | undefined, value: (queue: MeasuredQueue) => number): number {
  return queue === undefined ? 0 : value(queue)
}
