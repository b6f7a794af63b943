import type { Registry } from 'prom-client'
import type { Logger } from 'pino'
import { systemClock } from '../platform/clock.ts'
import { probeAdmission } from '../kube/objects/admission-probe.ts'
import type { SendRequest } from '../kube/client/api-connection.ts'
import type { Fencing } from '../kube/client/fencing.ts'
import { RepeatedProbe } from '../reconcile/repeated-probe.ts'
import { probeMetrics } from '../telemetry/reconcile-metrics.ts'
import type { ProbeSettings } from '../cli/flags/settings.ts'

export interface EndToEndProbeOptions {
  readonly settings: ProbeSettings
  readonly request: SendRequest
  readonly fencing: Fencing
  readonly registry: Registry
  readonly log: Logger
}

/** The end-to-end probe of the replica that leads: started when it begins to, stopped when it ceases. */
export function endToEndProbe ({ settings: { interval, namespace }, request, fencing, registry, log }: EndToEndProbeOptions) {
  const metrics = probeMetrics(registry)
  let last: string | undefined
  const probe = async (): Promise<void> => {
    const started = performance.now()
    const result = await probeAdmission({ request, namespace, fencing })
    if (!fencing()) return
    const failure = result.kind === 'failed' ? result.failure : undefined
    metrics.record(failure, (performance.now() - started) / 1_000)
    if (failure === last) return
    if (result.kind === 'failed') log.error({ failure, message: result.message, namespace }, 'a service sent through the API server is not admitted as it should be')
    else log.info({ namespace }, 'a service sent through the API server is admitted as it should be again')
    last = failure
  }
  let running: RepeatedProbe | undefined
  return {
    start: (): void => {
      if (interval === 0) return
      running = new RepeatedProbe({ interval, clock: systemClock, probe })
      running.start()
    },
    stop: async (): Promise<void> => {
      await running?.stop()
      running = undefined
      metrics.forget()
    }
  }
}
