import type { IncomingHttpHeaders } from 'node:http'
import type { Span } from '@opentelemetry/api'
import type { Log } from '../core/ports.ts'
import { within, type Clock } from '../platform/clock.ts'
import { errorMessage } from '../platform/error-message.ts'

/** The spans of one review: one for the whole, and one for each of its phases. */
export interface ReviewTrace {
  /** Undefined if the review is not traced. */
  readonly traceId: string | undefined
  /** Ends the phase before. */
  readonly begin: (phase: 'decode' | 'judge' | 'respond') => void
  readonly end: (attributes: Readonly<Record<string, string>>) => void
}

export interface Tracing {
  readonly traceReview: (webhook: string, headers: IncomingHttpHeaders) => ReviewTrace
  /** Sends what is left, for at most 2 s. */
  readonly stop: () => Promise<void>
}

export interface TracingSettings {
  /** The base URL of a collector (OTLP over HTTP); undefined: as the variables OTEL_EXPORTER_OTLP_* say. */
  readonly endpoint: string | undefined
}

const STOP_MS = 2_000

/** Loads OpenTelemetry, which no other module imports. A collector that fails is logged, and costs its spans only. */
export async function startTracing (
  { endpoint }: TracingSettings, { version, log, clock }: { version: string, log: Log, clock: Clock }
): Promise<Tracing> {
  const [api, core, resources, sdk, otlp] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/core'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http')
  ])
  core.setGlobalErrorHandler((error) => { log.warn({ error: errorMessage(error) }, 'failed to export spans') })
  const exporter = new otlp.OTLPTraceExporter(endpoint === undefined ? {} : { url: tracesUrl(endpoint) })
  const provider = new sdk.TracerProvider({
    resource: resources.resourceFromAttributes({ 'service.name': 'aim-admission', 'service.version': version })
      .merge(resources.detectResources({
        detectors: [resources.resourceAttributesEnvDetector, resources.serviceNameEnvDetector]
      })),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.AlwaysOnSampler() }),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter })]
  })
  const tracer = provider.getTracer('aim-admission', version)
  const propagator = new core.W3CTraceContextPropagator()
  return {
    traceReview: (webhook, headers) => {
      const parent = propagator.extract(api.ROOT_CONTEXT, headers, api.defaultTextMapGetter)
      const review = tracer.startSpan(`review ${webhook}`, { kind: api.SpanKind.SERVER }, parent)
      const context = api.trace.setSpan(api.ROOT_CONTEXT, review)
      let phase: Span | undefined
      return {
        traceId: review.spanContext().traceId,
        begin: (name) => {
          phase?.end()
          phase = tracer.startSpan(name, {}, context)
        },
        end: (attributes) => {
          phase?.end()
          review.setAttributes(attributes).end()
        }
      }
    },
    stop: async () => { await within(clock, STOP_MS, provider.shutdown().catch(() => undefined)) }
  }
}

function tracesUrl (endpoint: string): string {
  return `${endpoint.replace(/\/+$/, '')}/v1/traces`
}
