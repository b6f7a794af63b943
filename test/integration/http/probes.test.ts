import t from 'tap'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { buildProbes } from '../../../src/server/probes.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { anAdmissionServer } from '../../support/http/admission-server.ts'

t.test('the probes', async (t) => {
  let why: string | undefined = 'AIMService: not listed yet'
  const metrics = createMetrics('1.2.3')
  let problem: string | undefined
  const probes = buildProbes({ notReadyReason: () => why, problem: () => problem, registry: metrics.registry })
  const url = await probes.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => { await probes.close() })
  const get = async (path: string) => {
    const response = await fetch(url + path)
    return { status: response.status, body: await response.text(), type: response.headers.get('content-type') }
  }

  t.test('/healthz succeeds', async (t) => {
    t.match(await get('/healthz'), { status: 200, body: 'ok\n' })
  })

  t.test('/readyz says why the server is not ready', async (t) => {
    t.match(await get('/readyz'), { status: 503, body: 'not ready: AIMService: not listed yet\n' })
    why = undefined
    t.match(await get('/readyz'), { status: 200, body: 'ok\n' })
  })

  t.test('/readyz of a ready server reports a problem of the reconciler', async (t) => {
    problem = 'namespace a does not exist'
    t.match(await get('/readyz'), { status: 200, body: 'ok\nwarning: namespace a does not exist\n' })
    problem = undefined
  })

  t.test('/readyz escapes hidden characters of a reason', async (t) => {
    problem = 'a\u001B[31m\nb'
    const warned = await get('/readyz')
    why = 'c\u202E\nd'
    const refused = await get('/readyz')
    why = problem = undefined
    t.equal(warned.body, 'ok\nwarning: a\\u{1b}[31m b\n')
    t.equal(refused.body, 'not ready: c\\u{202e} d\n')
  })

  t.test('/metrics has the documented names and no others', async (t) => {
    const { status, body, type } = await get('/metrics')
    t.match({ status, type }, { status: 200, type: /^text\/plain; version=0\.0\.4/ })
    t.strictSame([...body.matchAll(/^# TYPE (\S+ \S+)$/gm)].map(([, name]) => name).sort(), [
      'aim_admission_build_info gauge',
      'aim_admission_cache_age_seconds gauge',
      'aim_admission_cache_bytes gauge',
      'aim_admission_cache_objects gauge',
      'aim_admission_cache_oversized_configs gauge',
      'aim_admission_cache_partial_services gauge',
      'aim_admission_cache_synced gauge',
      'aim_admission_certificate_expiry_timestamp_seconds gauge',
      'aim_admission_certificate_reload_errors_total counter',
      'aim_admission_client_gone_total counter',
      'aim_admission_deadline_exceeded_total counter',
      'aim_admission_refusals_total counter',
      'aim_admission_request_duration_seconds histogram',
      'aim_admission_requests_in_flight gauge',
      'aim_admission_requests_total counter',
      'aim_admission_reviews_recorded_total counter',
      'aim_admission_watch_restarts_total counter',
      'rest_client_requests_total counter'
    ])
    t.match(body, /^aim_admission_build_info\{version="1\.2\.3"\} 1$/m)
  })

  t.test('the duration buckets start at 0.25 ms', async (t) => {
    metrics.duration.observe({ webhook: 'mutate-aimservices' }, 0.0002)
    t.match((await get('/metrics')).body, /_bucket\{le="0\.00025",webhook="mutate-aimservices"\} 1/)
  })

  t.test('two servers in one process do not share metrics', async (t) => {
    t.notMatch(await createMetrics('1.2.3').registry.metrics(), /mutate-aimservices/)
  })
})

t.test('a scrape takes little CPU time beside reviews', async (t) => {
  const { client, metrics } = await anAdmissionServer(t)
  const times: number[] = []
  for (let round = 0; round < 50; round++) {
    const reviews = [client.post(aReview()), client.post(aReview())]
    const before = process.cpuUsage()
    await metrics.registry.metrics()
    const { user, system } = process.cpuUsage(before)
    times.push((user + system) / 1_000)
    for (const { status } of await Promise.all(reviews)) t.equal(status, 200)
  }
  const median = times.toSorted((a, b) => a - b)[25] ?? Infinity
  t.ok(median < 5, `${median.toFixed(2)} ms of CPU time per scrape`)
})

t.test('/ redirects to the playground where it is served', async (t) => {
  const playground = t.testdir({ 'index.html': '<title>playground</title>' })
  const probes = buildProbes({ notReadyReason: () => undefined, registry: createMetrics('1.2.3').registry, playground })
  t.teardown(async () => { await probes.close() })
  t.match(await probes.inject('/'), { statusCode: 302, headers: { location: '/playground/' } })
  t.match(await probes.inject('/playground/'), { statusCode: 200, body: /playground/ })
})

t.test('every response limits what a browser may do with it', async (t) => {
  const playground = t.testdir({ 'index.html': '<title>playground</title>', 'app.js': '' })
  const probes = buildProbes({ notReadyReason: () => '', registry: createMetrics('1.2.3').registry, playground })
  t.teardown(async () => { await probes.close() })
  for (const url of ['/', '/playground/', '/playground/app.js', '/playground/missing', '/readyz', '/metrics', '/x']) {
    const { headers } = await probes.inject(url)
    t.match(headers, { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' }, url)
    const policy = String(headers['content-security-policy'])
    for (const part of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"]) {
      t.ok(policy.includes(part), `${url}: ${part}`)
    }
    t.notMatch(policy, /script-src[^;]*(unsafe-inline|\*|https?:)/, url)
    t.equal(policy.includes('script-src'), url.startsWith('/playground'), url)
  }
})
