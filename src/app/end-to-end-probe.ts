import type { Registry } from 'prom-client'
import type { Log } from '../core/ports.ts'
import type { SendRequest } from '../kube/client/api-connection.ts'
import type { Fencing } from '../kube/client/fencing.ts'
import { admissionProbe } from '../kube/objects/admission-probe.ts'
import { pause, systemClock } from '../platform/clock.ts'
import { probeMetrics } from '../telemetry/reconcile-metrics.ts'
import type { ProbeSettings } from './settings.ts'

interface EndToEndProbeOptions {
  readonly settings: ProbeSettings
  readonly request: SendRequest
  readonly fencing: Fencing
  readonly registry: Registry
  readonly log: Log
}

/** The end-to-end probe of the leader: started and stopped with each term. */
export function endToEndProbe ({ settings, request, fencing, registry, log }: EndToEndProbeOptions) {
  const { interval, namespace } = settings
  const metrics = probeMetrics(registry)
  const probeAdmission = admissionProbe({ request, namespace, fencing })
  let last: string | undefined
  const probe = async (): Promise<void> => {
    const started = performance.now()
    const result = await probeAdmission()
    if (!fencing()) return
    const failure = result.kind === 'failed' ? result.failure : undefined
    metrics.record(failure, (performance.now() - started) / 1_000)
    if (failure === last) return
    if (result.kind === 'failed') log.error({ failure, reason: result.message, namespace }, 'end-to-end probe failed')
    else log.info({ namespace }, 'end-to-end probe recovered')
    last = failure
  }
  const probeRepeatedly = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await probe()
      await pause(systemClock, interval, signal)
    }
  }
  let stopping = new AbortController()
  let running: Promise<void> | undefined
  return {
    start: (): void => {
      if (interval === 0) return
      stopping = new AbortController()
      running = probeRepeatedly(stopping.signal)
    },
    stop: async (): Promise<void> => {
      stopping.abort()
      await running
      metrics.forget()
    }
  }
}
