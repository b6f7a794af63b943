import { Counter, Gauge, type Registry } from 'prom-client'

/**
 * The metrics of the end-to-end probe: there while this replica probes, since the value of one that does not would mean
 * nothing.
 */
export interface ProbeMetrics {
  /** A probe ended. `failure` is of a closed set; undefined where it succeeded. */
  readonly record: (failure: string | undefined, seconds: number) => void
  readonly forget: () => void
}

export function probeMetrics (registry: Registry): ProbeMetrics {
  const success = new Gauge({
    name: 'aim_admission_probe_success',
    help: '1 while a service sent through the API server is admitted as it should be.',
    registers: []
  })
  const duration = new Gauge({
    name: 'aim_admission_probe_duration_seconds',
    help: 'How long the last probe through the API server took.',
    registers: []
  })
  const failures = new Counter({
    name: 'aim_admission_probe_failures_total',
    help: 'Failed probes, by reason.',
    labelNames: ['reason'],
    registers: [registry]
  })
  return {
    record: (failure, seconds) => {
      success.set(failure === undefined ? 1 : 0)
      duration.set(seconds)
      if (failure !== undefined) failures.inc({ reason: failure })
      for (const metric of [success, duration]) registry.registerMetric(metric)
    },
    forget: () => {
      for (const name of ['aim_admission_probe_success', 'aim_admission_probe_duration_seconds']) { registry.removeSingleMetric(name) }
    }
  }
}
