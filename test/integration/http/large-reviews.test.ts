import t, { type Test } from 'tap'
import { systemClock } from '../../../src/platform/clock.ts'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { OFFLINE_DEFINITION } from '../../../src/offline/review-objects.ts'
import { LargeReviews } from '../../../src/server/offload/large-reviews.ts'
import { SERVER_LIMITS, type ServerLimits } from '../../../src/server/limits.ts'
import { RequestBody } from '../../../src/server/overload/read-body.ts'
import { aReview, reviewOf } from '../../support/builders/a-review.ts'
import { anAdmissionServer, testPair } from '../../support/http/admission-server.ts'
import { ApiServerClient, type Reply } from '../../support/cluster/api-server-client.ts'
import { aClusterConfig, aConfig, aService } from '../../support/builders/objects.ts'
import { rawRequest } from '../../support/http/raw-request.ts'
import { until } from '../../support/until.ts'
import type { JsonObject } from '../../../src/platform/json.ts'
import { readRuntimeConfig, type RuntimeConfig } from '../../../src/core/settings/runtime-config.ts'

const TEMPLATE = "/{.metadata.namespace}/{.metadata.labels['team']}/{.metadata.name}"
const GATEWAY = { name: 'kserve-gateway', namespace: 'kgateway-system' }
const routing = { enabled: true, gatewayRef: GATEWAY, pathTemplate: TEMPLATE }
const PADDING = 'x'.repeat(SERVER_LIMITS.largeReviewBytes)
const ENV = [{ name: 'LARGE', value: PADDING }]

/** Configurations stay recent, however slow the machine is. */
const STILL_CLOCK = { ...systemClock, now: () => 0 }

interface Options {
  readonly limits?: Partial<ServerLimits>
  readonly waitingBytes?: number
  readonly idleMs?: number
  readonly onJudged?: () => void
}

/** Two servers over the same world: `offloading` has a worker for large reviews, `judging` has none. */
async function twoServers (t: Test, options: Options = {}) {
  const { limits = {}, waitingBytes = SERVER_LIMITS.arrivingBytes, ...more } = options
  const policy = { missingConfig: 'warn', missingBlock: 'refuse' } as const
  const admission = newAdmissionEngine(policy, { clock: STILL_CLOCK, served: OFFLINE_DEFINITION })
  admission.sinks.AIMRuntimeConfig.upsert(aConfig({ routing, serviceAccountName: 'runtime' }))
  admission.sinks.AIMClusterRuntimeConfig.upsert(
    aClusterConfig({ routing: { ...routing, pathTemplate: '/{.spec.model.ref}' } })
  )
  const held = { routing: { enabled: true, gatewayRef: GATEWAY, path: '/ml-team/taken/llama-chat' } }
  admission.sinks.AIMService.upsert(aService({ name: 'holder', spec: { resolvedRuntimeConfig: held } }))
  const large = new LargeReviews({ world: admission.world, policy, waitingBytes, ...more })
  const servers = { webhooks: admission.webhooks, limits }
  const [offloading, judging] = [await anAdmissionServer(t, { ...servers, large }), await anAdmissionServer(t, servers)]
  t.teardown(async () => { await large.close() })
  /** Each on a new connection. */
  const together = async (count: number, body: string, path?: string): Promise<Reply[]> => {
    const post = async (): Promise<Reply> => {
      const client = new ApiServerClient(offloading.url, testPair.caPem)
      return await client.post(body, path).finally(() => { client.close() })
    }
    return await Promise.all(Array.from({ length: count }, post))
  }
  return { admission, large, offloading, judging, together }
}

interface LargeRequest {
  readonly namespace?: string
  readonly labels?: JsonObject
  readonly spec?: JsonObject
  readonly more?: JsonObject
}

/** A request with a large environment. */
function large (it: LargeRequest = {}): JsonObject {
  const { namespace = 'ml-team', labels = { team: 'nlp' }, spec = {}, more = {} } = it
  const object = {
    metadata: { namespace, name: 'llama-chat', labels },
    spec: { model: { ref: 'meta-llama-3-8b' }, env: ENV, ...spec }
  }
  return { namespace, object, ...more }
}

function readConfig (object: JsonObject): RuntimeConfig {
  const config = readRuntimeConfig('AIMRuntimeConfig', object)
  if (config.kind === 'malformed') throw new Error(config.expected)
  return config
}

const WEBHOOKS = ['/mutate/aimservices', '/validate/aimservices', '/validate/aimruntimeconfigs']

const cases: Readonly<Record<string, JsonObject>> = {
  'a service with a configuration': large(),
  'a service without a label': large({ labels: {} }),
  'a service whose path is taken': large({ labels: { team: 'taken' } }),
  'a service with a cluster configuration': large({ namespace: 'elsewhere' }),
  'a service without a configuration': large({ spec: { runtimeConfigName: 'none' } }),
  'a service with an invalid template': large({ spec: { routing: { pathTemplate: '/{.metadata.nothing}' } } }),
  'a service with a field that none can have': large({ spec: { routing: { pathTemplate: '/{.spec.model.nam}' } } }),
  'a service with a wrong type': large({ spec: { runtimeConfigName: 7 } }),
  'a service with a large response': large({
    spec: { imagePullSecrets: Array.from({ length: 10_000 }, (_, at) => ({ name: `${at}-${'x'.repeat(100)}` })) }
  }),
  'a service being deleted': large({
    more: { object: { metadata: { deletionTimestamp: '2026-11-24T10:00:00Z' }, spec: { env: ENV } } }
  }),
  'an update': large({ more: { operation: 'UPDATE', oldObject: aService({ spec: { env: ENV } }) } }),
  'a dry run': large({ more: { dryRun: true } }),
  'a deletion': large({ more: { operation: 'DELETE', oldObject: aService({ spec: { env: ENV } }) } }),
  'another kind': large({ more: { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } } }),
  'no object': { ...large(), object: null, options: PADDING },
  'an object without a spec': { ...large(), object: { metadata: { name: PADDING } } }
}

t.test('the worker responds, counts and logs like the main thread', async (t) => {
  const { offloading, judging } = await twoServers(t)
  for (const path of WEBHOOKS) {
    for (const [name, request] of Object.entries(cases)) {
      const [own, other] = [
        await judging.client.post(aReview(request), path),
        await offloading.client.post(aReview(request), path)
      ]
      t.equal(own.status, 200)
      t.strictSame([other.status, other.body], [own.status, own.body], `${path}: ${name}`)
      t.equal(other.headers['content-length'], own.headers['content-length'])
    }
  }
  for (const part of ['requests_total', 'refusals_total', 'requests_in_flight', 'request_duration_seconds_count']) {
    const name = `aim_admission_${part}`
    t.strictSame(await offloading.metricLines(name), await judging.metricLines(name), name)
  }
  t.strictSame(offloading.logged().map(withoutTime), judging.logged().map(withoutTime))
})

function withoutTime (line: unknown): object {
  return { ...line as object, ms: undefined } // a line of a log is an object
}

t.test('the worker accepts outlined fields of any depth', async (t) => {
  const { offloading, judging } = await twoServers(t)
  const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
  for (const levels of [1_000, 6_000, 50_000]) {
    for (const field of ['name', 'generateName', 'deletionTimestamp', 'runtimeConfigName', 'spec']) {
      const inMetadata = ['name', 'generateName', 'deletionTimestamp'].includes(field)
      const metadata = { namespace: 'ml-team', name: 'llama-chat', ...(inMetadata && { [field]: 'DEEP' }) }
      const spec =
        field === 'spec' ? 'DEEP' : { env: ENV, ...(field === 'runtimeConfigName' && { runtimeConfigName: 'DEEP' }) }
      const body = aReview({ object: { metadata, spec, padding: PADDING } }).replace('"DEEP"', deep(levels))
      const [own, other] = [await judging.client.post(body), await offloading.client.post(body)]
      t.strictSame([other.status, other.body], [own.status, own.body], `${field}: ${levels} levels`)
    }
  }
  t.equal((await offloading.client.post(aReview(large()))).status, 200, 'the next review succeeds')
})

t.test('rejects a large malformed body like a small one', async (t) => {
  const { offloading, judging } = await twoServers(t)
  const notUtf8 = Buffer.from(aReview(large({ labels: { team: 'ü' } })), 'latin1')
  for (const body of [PADDING, `{"a":"${PADDING}"}`, reviewOf(PADDING), `${aReview(large())}}`, notUtf8]) {
    const [own, other] = [await judging.client.post(body), await offloading.client.post(body)]
    t.equal(own.status, 400)
    t.strictSame([other.status, other.body], [own.status, own.body])
  }
})

t.test('small reviews do not wait for large ones', async (t) => {
  const { offloading, together } = await twoServers(t)
  const answered: string[] = []
  const largest = aReview({ ...large({ spec: { env: [{ name: 'LARGE', value: 'x'.repeat(6 * 1024 * 1024) }] } }) })
  const calls = together(4, largest).then((replies) => {
    t.strictSame(replies.map(({ status }) => status), [200, 200, 200, 200])
    answered.push('large')
  })
  await until(() => offloading.gate.inFlight > 0)
  t.equal((await offloading.client.post(aReview())).status, 200)
  answered.push('small')
  await calls
  t.strictSame(answered, ['small', 'large'])
  t.equal(offloading.gate.inFlight, 0)
})

t.test('a large service waits for the configuration applied with it', async (t) => {
  const { admission, offloading } = await twoServers(t)
  const config = aConfig({ routing }, { name: 'fresh' })
  t.match(await offloading.client.post(aReview({
    kind: { group: 'aim.silogen.ai', version: 'v1alpha1', kind: 'AIMRuntimeConfig' }, name: 'fresh', object: config
  }), '/validate/aimruntimeconfigs'), { body: { response: { allowed: true } } })
  const reply = offloading.client.post(aReview(large({ spec: { runtimeConfigName: 'fresh' } })))
  await until(() => offloading.gate.inFlight === 1)
  setTimeout(() => { admission.sinks.AIMRuntimeConfig.upsert(config) }, 50)
  const { body } = await reply
  t.match(body, { response: { allowed: true, patchType: 'JSONPatch', warnings: undefined } })
})

t.test('sheds large reviews beyond the bytes that may wait', async (t) => {
  const { offloading, together } = await twoServers(t, { waitingBytes: 2 * PADDING.length })
  const replies = await together(8, aReview(large()))
  const statuses = replies.map(({ status }) => status)
  t.ok(statuses.includes(200))
  t.ok(statuses.includes(503))
  t.match(
    replies.find(({ status }) => status === 503),
    { headers: { 'retry-after': '1' }, body: { error: /try again/ } }
  )
  t.match((await offloading.metricLines('aim_admission_requests_total')).join(), /outcome="unavailable"/)
  t.equal((await offloading.client.post(aReview(large()))).status, 200, 'a later review is admitted')
})

t.test('counts waiting bodies by the memory that they keep', async (t) => {
  const { large: reviews } = await twoServers(t, { waitingBytes: 1024 * 1024 })
  const body = new RequestBody(SERVER_LIMITS.reviewBytes)
  body.add(Buffer.alloc(2 * 1024 * 1024).subarray(0, 100))
  t.equal(body.length, 100)
  const result = await reviews.read(body, { webhook: 'mutate-aimservices', abandonReason: () => undefined })
  t.match(result, { kind: 'abandoned', reason: 'overloaded' })
})

t.test('a client that disconnects during a large review is counted, and is not a defect', async (t) => {
  const { offloading } = await twoServers(t)
  const body = aReview(large())
  for (let time = 0; time < 4; time++) {
    const socket = await offloading.client.connect()
    socket.write(rawRequest(body))
    await until(() => offloading.gate.inFlight > 0)
    socket.destroy()
    await until(() => offloading.gate.inFlight === 0)
  }
  // on a busy machine, some may get their response
  t.match((await offloading.metricLines('aim_admission_client_gone_total')).join(), /_total [1-4]$/)
  t.strictSame(offloading.logged().filter((line) => (line as { level: number }).level > 20), [])
  t.equal((await offloading.client.post(body)).status, 200)
})

t.test('does not judge a large review after its deadline', async (t) => {
  const { offloading, together } = await twoServers(t)
  // connections may be closed without a response
  await together(4, aReview(large()), '/mutate/aimservices?timeout=1ms').catch(() => [])
  await until(() => offloading.gate.inFlight === 0)
  t.strictSame(
    await offloading.metricLines(
      'aim_admission_requests_total{webhook="mutate-aimservices",operation="CREATE",outcome="patched"'
    ),
    []
  )
  t.match((await offloading.metricLines('aim_admission_deadline_exceeded_total')).join(), /_total [1-4]$/)
})

t.test('a thread that ends fails its review, and the next review starts another', async (t) => {
  const { large: reviews, offloading } = await twoServers(t)
  const reply = offloading.client.post(aReview(large()))
  await until(() => reviews.hasThread)
  await reviews.close()
  t.match(await reply, { status: 500, body: { error: /defect/ } })
  t.match(offloading.logged(), [{ level: 50, outcome: 'error', error: /[Tt]erminating/ }])
  t.equal((await offloading.client.post(aReview(large()))).status, 200)
})

t.test('a thread that ends fails no review that waits for its turn', async (t) => {
  const { admission, large: reviews, offloading, together } = await twoServers(t)
  const config = aConfig({ routing }, { name: 'fresh' })
  admission.world.pendingConfigs.announce(readConfig(config))
  const holder = together(1, aReview(large({ spec: { runtimeConfigName: 'fresh' } })))
  await until(() => reviews.hasThread && offloading.gate.inFlight === 1)
  const waiting = together(1, aReview(large()))
  await until(() => offloading.gate.inFlight === 2)
  await reviews.close()
  admission.sinks.AIMRuntimeConfig.upsert(config)
  t.match(await holder, [{ status: 500 }])
  t.match(await waiting, [{ status: 200 }])
})

t.test('an idle thread ends, and the next review starts another', async (t) => {
  const { large: reviews, offloading } = await twoServers(t, { idleMs: 50 })
  t.equal((await offloading.client.post(aReview(large()))).status, 200)
  await until(() => !reviews.hasThread)
  t.equal((await offloading.client.post(aReview(large()))).status, 200)
})

t.test('reports each judgement of the worker', async (t) => {
  let judged = 0
  const { offloading } = await twoServers(t, { onJudged: () => { judged++ } })
  await offloading.client.post(aReview(large()))
  await offloading.client.post(aReview())
  await offloading.client.post(PADDING)
  t.equal(judged, 1)
})
