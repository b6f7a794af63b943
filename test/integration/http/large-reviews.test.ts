import t from 'tap'
import type { Test } from 'tap'
import { systemClock } from '../../../src/platform/clock.ts'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { LargeReviews } from '../../../src/server/offload/large-reviews.ts'
import { SERVER_LIMITS, type ServerLimits } from '../../../src/server/limits.ts'
import { RequestBody } from '../../../src/server/overload/read-body.ts'
import { aReview, reviewOf } from '../../support/builders/a-review.ts'
import { anAdmissionServer, testPair } from '../../support/http/admission-server.ts'
import { ApiServerClient, type Reply } from '../../support/cluster/api-server-client.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { aClusterConfig, aConfig, aService } from '../../support/builders/objects.ts'
import { until } from '../../support/until.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const TEMPLATE = "/{.metadata.namespace}/{.metadata.labels['team']}/{.metadata.name}"
const GATEWAY = { name: 'kserve-gateway', namespace: 'kgateway-system' }
const routing = { enabled: true, gatewayRef: GATEWAY, pathTemplate: TEMPLATE }
const PADDING = 'x'.repeat(SERVER_LIMITS.largeReview)
const ENV = [{ name: 'LARGE', value: PADDING }]

interface Options {
  readonly limits?: Partial<ServerLimits>
  readonly waitingBytes?: number
  readonly clock?: ManualClock
}

/** A server that hands large reviews over, and one that does not, over the same world. */
async function twoServers (t: Test, { limits = {}, waitingBytes = SERVER_LIMITS.arrivingBytes, clock }: Options = {}) {
  const policy = { missingConfig: 'warn', missingBlock: 'refuse' } as const
  const admission = newAdmissionEngine(policy)
  admission.sinks.AIMRuntimeConfig.upsert(aConfig({ routing, serviceAccountName: 'runtime' }))
  admission.sinks.AIMClusterRuntimeConfig.upsert(
    aClusterConfig({ routing: { ...routing, pathTemplate: '/{.spec.model.ref}' } })
  )
  const held = { routing: { enabled: true, gatewayRef: GATEWAY, path: '/ml-team/taken/llama-chat' } }
  admission.sinks.AIMService.upsert(aService({ name: 'holder', spec: { resolvedRuntimeConfig: held } }))
  const large = new LargeReviews({ world: admission.world, policy, clock: clock ?? systemClock, waitingBytes })
  const servers = { webhooks: admission.webhooks, limits }
  const [handing, judging] = [await anAdmissionServer(t, { ...servers, large }), await anAdmissionServer(t, servers)]
  t.teardown(async () => { await large.close() })
  /** Each on a connection of its own. */
  const together = async (count: number, body: string, path?: string): Promise<Reply[]> => await Promise.all(Array.from({ length: count }, async () => {
    const client = new ApiServerClient(handing.url, testPair.caPem)
    return await client.post(body, path).finally(() => { client.close() })
  }))
  return { admission, large, handing, judging, together }
}

/** The request of a review that is large for its environment. */
function large (it: { readonly namespace?: string, readonly labels?: JsonObject, readonly spec?: JsonObject, readonly more?: JsonObject } = {}): JsonObject {
  const { namespace = 'ml-team', labels = { team: 'nlp' }, spec = {}, more = {} } = it
  const object = {
    metadata: { namespace, name: 'llama-chat', labels },
    spec: { model: { ref: 'meta-llama-3-8b' }, env: ENV, ...spec }
  }
  return { namespace, object, ...more }
}

const WEBHOOKS = ['/mutate/aimservices', '/validate/aimservices', '/validate/aimruntimeconfigs']

const cases: Readonly<Record<string, JsonObject>> = {
  'a service with a configuration': large(),
  'one that lacks a label': large({ labels: {} }),
  'one whose path is taken': large({ labels: { team: 'taken' } }),
  'one under the cluster configuration': large({ namespace: 'elsewhere' }),
  'one without a configuration': large({ spec: { runtimeConfigName: 'none' } }),
  'one with a template of its own that fails': large({ spec: { routing: { pathTemplate: '/{.metadata.nothing}' } } }),
  'one with a wrong type': large({ spec: { runtimeConfigName: 7 } }),
  'one whose answer is large': large({
    spec: { imagePullSecrets: Array.from({ length: 10_000 }, (_, at) => ({ name: `${at}-${'x'.repeat(100)}` })) }
  }),
  'one that goes': large({
    more: { object: { metadata: { deletionTimestamp: '2026-11-24T10:00:00Z' }, spec: { env: ENV } } }
  }),
  'an update': large({ more: { operation: 'UPDATE', oldObject: aService({ spec: { env: ENV } }) } }),
  'a dry run': large({ more: { dryRun: true } }),
  'a deletion': large({ more: { operation: 'DELETE', oldObject: aService({ spec: { env: ENV } }) } }),
  'another kind': large({ more: { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } } }),
  'no object': { ...large(), object: null, options: PADDING },
  'an object without a spec': { ...large(), object: { metadata: { name: PADDING } } }
}

t.test('a large review gets the answer that it would get without a thread, and is counted as it would be', async (t) => {
  const { handing, judging } = await twoServers(t)
  for (const path of WEBHOOKS) {
    for (const [name, request] of Object.entries(cases)) {
      const [own, other] = [
        await judging.client.post(aReview(request), path),
        await handing.client.post(aReview(request), path)
      ]
      t.equal(own.status, 200)
      t.strictSame([other.status, other.body], [own.status, own.body], `${path}: ${name}`)
      t.equal(other.headers['content-length'], own.headers['content-length'])
    }
  }
  for (const name of ['aim_admission_requests_total', 'aim_admission_refusals_total', 'aim_admission_requests_in_flight', 'aim_admission_request_duration_seconds_count']) {
    t.strictSame(await handing.metricLines(name), await judging.metricLines(name), name)
  }
  t.strictSame(handing.logged().map(withoutTime), judging.logged().map(withoutTime))
})

function withoutTime (line: unknown): object {
  return { ...line as object, ms: undefined } // a line of a log is an object
}

t.test('however deep a field is that tells which configuration a review waits for, it is answered as without a thread', async (t) => {
  const { handing, judging } = await twoServers(t)
  const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
  for (const levels of [1_000, 6_000, 50_000]) {
    for (const field of ['name', 'generateName', 'deletionTimestamp', 'runtimeConfigName', 'spec']) {
      const inMetadata = ['name', 'generateName', 'deletionTimestamp'].includes(field)
      const metadata = { namespace: 'ml-team', name: 'llama-chat', ...(inMetadata && { [field]: 'DEEP' }) }
      const spec =
        field === 'spec' ? 'DEEP' : { env: ENV, ...(field === 'runtimeConfigName' && { runtimeConfigName: 'DEEP' }) }
      const body = aReview({ object: { metadata, spec, padding: PADDING } }).replace('"DEEP"', deep(levels))
      const [own, other] = [await judging.client.post(body), await handing.client.post(body)]
      t.strictSame([other.status, other.body], [own.status, own.body], `${field}: ${levels} levels`)
    }
  }
  t.equal((await handing.client.post(aReview(large()))).status, 200, 'and the next is answered')
})

t.test('a large body that is no review is answered as a small one is', async (t) => {
  const { handing, judging } = await twoServers(t)
  for (const body of [PADDING, `{"a":"${PADDING}"}`, reviewOf(PADDING), `${aReview(large())}}`, Buffer.from(aReview(large({ labels: { team: 'ü' } })), 'latin1')]) {
    const [own, other] = [await judging.client.post(body), await handing.client.post(body)]
    t.equal(own.status, 400)
    t.strictSame([other.status, other.body], [own.status, own.body])
  }
})

t.test('a small review does not wait for large ones', async (t) => {
  const { handing, together } = await twoServers(t)
  const answered: string[] = []
  const largest = aReview({ ...large({ spec: { env: [{ name: 'LARGE', value: 'x'.repeat(6 * 1024 * 1024) }] } }) })
  const calls = together(4, largest).then((replies) => {
    t.strictSame(replies.map(({ status }) => status), [200, 200, 200, 200])
    answered.push('large')
  })
  await until(() => handing.gate.inFlight > 0)
  t.equal((await handing.client.post(aReview())).status, 200)
  answered.push('small')
  await calls
  t.strictSame(answered, ['small', 'large'])
  t.equal(handing.gate.inFlight, 0)
})

t.test('a large service waits for the configuration that is applied with it', async (t) => {
  const { admission, handing } = await twoServers(t)
  const config = aConfig({ routing }, { name: 'fresh' })
  t.match(await handing.client.post(aReview({
    kind: { group: 'aim.silogen.ai', version: 'v1alpha1', kind: 'AIMRuntimeConfig' }, name: 'fresh', object: config
  }), '/validate/aimruntimeconfigs'), { body: { response: { allowed: true } } })
  const reply = handing.client.post(aReview(large({ spec: { runtimeConfigName: 'fresh' } })))
  await until(() => handing.gate.inFlight === 1)
  setTimeout(() => { admission.sinks.AIMRuntimeConfig.upsert(config) }, 50)
  const { body } = await reply
  t.match(body, { response: { allowed: true, patchType: 'JSONPatch', warnings: undefined } })
})

t.test('beyond what may wait, the API server is asked to come back', async (t) => {
  const { handing, together } = await twoServers(t, { waitingBytes: 2 * PADDING.length })
  const replies = await together(8, aReview(large()))
  const statuses = replies.map(({ status }) => status)
  t.ok(statuses.includes(200))
  t.ok(statuses.includes(503))
  t.match(
    replies.find(({ status }) => status === 503),
    { headers: { 'retry-after': '1' }, body: { error: /try again/ } }
  )
  t.match((await handing.metricLines('aim_admission_requests_total')).join(), /outcome="unavailable"/)
  t.equal((await handing.client.post(aReview(large()))).status, 200, 'and when it has, it is let in')
})

t.test('what waits is counted by the memory that it takes, not by its length', async (t) => {
  const { large: reviews } = await twoServers(t, { waitingBytes: 1024 * 1024 })
  const body = new RequestBody(SERVER_LIMITS.reviewBytes)
  body.add(Buffer.alloc(2 * 1024 * 1024).subarray(0, 100))
  t.equal(body.length, 100)
  t.match(await reviews.handOver(body, () => false), { kind: 'full' })
})

t.test('a caller that leaves while its large review is judged is counted, and is no defect', async (t) => {
  const { handing } = await twoServers(t)
  const body = aReview(large())
  for (let time = 0; time < 4; time++) {
    const socket = await handing.client.connect()
    socket.write(
      `POST /mutate/aimservices HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    )
    await until(() => handing.gate.inFlight > 0)
    socket.destroy()
    await until(() => handing.gate.inFlight === 0)
  }
  // on a busy machine, one may have its answer
  t.match((await handing.metricLines('aim_admission_client_gone_total')).join(), /_total [1-4]$/)
  t.strictSame(handing.logged().filter((line) => (line as { level: number }).level > 20), [])
  t.equal((await handing.client.post(body)).status, 200)
})

t.test('what nobody waits for any more is not judged', async (t) => {
  const { handing, together } = await twoServers(t)
  // which may be closed unanswered
  await together(4, aReview(large()), '/mutate/aimservices?timeout=1ms').catch(() => [])
  await until(() => handing.gate.inFlight === 0)
  t.strictSame(
    await handing.metricLines(
      'aim_admission_requests_total{webhook="mutate-aimservices",operation="CREATE",outcome="patched"'
    ),
    []
  )
  t.match((await handing.metricLines('aim_admission_deadline_exceeded_total')).join(), /_total [1-4]$/)
})

t.test('a thread that ends fails what it holds, and the next review starts another', async (t) => {
  const { large: reviews, handing } = await twoServers(t)
  const reply = handing.client.post(aReview(large()))
  await until(() => handing.gate.inFlight === 1)
  await reviews.close()
  t.match(await reply, { status: 500, body: { error: /defect/ } })
  t.match(handing.logged(), [{ level: 50, error: /thread that judges large reviews has ended/ }])
  t.equal((await handing.client.post(aReview(large()))).status, 200)
})

t.test('a thread without work is ended after a minute', async (t) => {
  const clock = new ManualClock()
  const { large: reviews, handing } = await twoServers(t, { clock })
  t.equal((await handing.client.post(aReview(large()))).status, 200)
  t.equal(reviews.hasThread, true)
  clock.pass(59_000)
  t.equal(reviews.hasThread, true)
  t.equal((await handing.client.post(aReview(large()))).status, 200)
  clock.pass(59_000)
  t.equal(reviews.hasThread, true, 'a minute since the last')
  clock.pass(1_000)
  await until(() => !reviews.hasThread)
  t.equal((await handing.client.post(aReview(large()))).status, 200)
})
