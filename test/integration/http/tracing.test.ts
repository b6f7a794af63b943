import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { systemClock } from '../../../src/platform/clock.ts'
import { startTracing } from '../../../src/telemetry/tracing.ts'
import { aRequest, aReview } from '../../support/builders/a-review.ts'
import { anAdmissionServer } from '../../support/http/admission-server.ts'
import { listening } from '../../support/processes.ts'
import { startProgram } from '../../support/programs/program.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CALLER = 'b7ad6b7169203331'
const HEADERS = { 'content-type': 'application/json', traceparent: `00-${TRACE}-${CALLER}-01` }

interface Exported {
  readonly resourceSpans: ReadonlyArray<{ readonly scopeSpans: ReadonlyArray<{ readonly spans: readonly Span[] }> }>
}
type Span = Readonly<Record<'name' | 'traceId' | 'spanId' | 'parentSpanId', string>>

/** A collector that responds with the status, or never. */
async function aCollector (
  t: Test, status?: number
): Promise<{ endpoint: string, spans: Span[], paths: string[] }> {
  const [spans, paths]: [Span[], string[]] = [[], []]
  const server = createServer((request, response) => {
    paths.push(request.url ?? '')
    text(request).then((body) => {
      if (status === undefined) return
      const { resourceSpans } = JSON.parse(body) as Exported // as the exporter writes it
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)))
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    }).catch((error: unknown) => { t.error(error) })
  })
  const port = await listening(server)
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { endpoint: `http://127.0.0.1:${port}`, spans, paths }
}

const log = { info: () => undefined, warn: () => undefined, error: () => undefined }

t.test('a review has a span for each phase, below the span of the API server', async (t) => {
  const { endpoint, spans, paths } = await aCollector(t, 200)
  const tracing = await startTracing({ endpoint: `${endpoint}/` }, { version: '1', log, clock: systemClock })
  const { client, logged } = await anAdmissionServer(t, { tracing })
  t.equal((await client.call({ body: aReview(), headers: HEADERS })).status, 200)
  await tracing.stop()
  t.strictSame(paths, ['/v1/traces'])
  const review = spans.find(({ name }) => name === 'review mutate-aimservices')
  t.match(review, { traceId: TRACE, parentSpanId: CALLER })
  for (const name of ['decode', 'judge', 'respond']) {
    t.match(spans.find((span) => span.name === name), { traceId: TRACE, parentSpanId: review?.spanId }, name)
  }
  t.match(logged(), [{ msg: 'review ended', traceId: TRACE }])
})

t.test('a malformed traceparent starts a trace of its own', async (t) => {
  const { endpoint, spans } = await aCollector(t, 200)
  const tracing = await startTracing({ endpoint }, { version: '1', log, clock: systemClock })
  const { client, logged } = await anAdmissionServer(t, { tracing })
  await client.call({ body: aReview(), headers: { ...HEADERS, traceparent: '00-zz-1' } })
  await tracing.stop()
  t.match(logged(), [{ traceId: /^[0-9a-f]{32}$/ }])
  t.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1)
})

for (const [name, status] of [['fails', 500], ['never responds', undefined]] as const) {
  t.test(`a collector that ${name} costs neither a review nor the shutdown`, async (t) => {
    const { endpoint } = await aCollector(t, status)
    const tracing = await startTracing({ endpoint }, { version: '1', log, clock: systemClock })
    const { client } = await anAdmissionServer(t, { tracing })
    t.match(await client.call({ body: aReview(), headers: HEADERS }), {
      status: 200, body: { response: { uid: aRequest()['uid'], allowed: true } }
    })
    await tracing.stop()
  })
}

/** Prints the modules of OpenTelemetry that are loaded; prom-client loads the interface alone. */
const HOOK = `import { registerHooks } from 'node:module'
registerHooks({ load (url, context, next) {
  if (/@opentelemetry.(?!api)/.test(url)) console.error(JSON.stringify({ msg: 'loaded', url }))
  return next(url, context)
} })`

t.test('without the flag and the variables, nothing of OpenTelemetry is loaded', async (t) => {
  const serve = ['serve', '--manifests', 'deploy/examples', '--port', '0', '--probe-port', '0', '--drain-min', '0s']
  const env = { NODE_OPTIONS: `--import=${t.testdir({ 'hook.mjs': HOOK })}/hook.mjs` }
  for (const [flags, more, loads] of [
    [[], {}, false],
    [['--otlp-endpoint', 'http://127.0.0.1:9'], {}, true],
    [[], { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }, true],
    [[], { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_SDK_DISABLED: 'true' }, false]
  ] as const) {
    const program = startProgram([...serve, ...flags], { ...env, ...more })
    await program.logged('serving')
    t.equal(program.entries.some(({ msg }) => msg === 'loaded'), loads, JSON.stringify([flags, more]))
    t.equal(await program.stop('SIGINT'), 0)
  }
})
