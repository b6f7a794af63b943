import t from 'tap'
import { AIM_CLUSTER_RUNTIME_CONFIG, AIM_SERVICE } from '../../../src/api/kinds.ts'
import { withTimeouts, type ApiRequest, type ApiResponse } from '../../../src/kube/client/api-connection.ts'
import { objectStore, objectWriter } from '../../../src/kube/objects/object-store.ts'
import { apiResponse } from '../../support/fakes/api-response.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'

/** A writer and a store whose requests are recorded, and get the given response; without one they time out. */
function setUp (response?: (() => ApiResponse) | Error) {
  const clock = new ManualClock()
  const sent: Array<{ path: string } & ApiRequest> = []
  const request = withTimeouts(async (path, options = {}) => {
    sent.push({ path, ...options })
    if (response instanceof Error) throw response
    if (response !== undefined) return response()
    return await new Promise<never>((_resolve, reject) => {
      options.signal?.addEventListener('abort', () => { reject(options.signal?.reason as Error) })
    })
  }, clock)
  return {
    clock,
    sent,
    writer: objectWriter({ request, fencing: () => true, timeoutMs: 5_000 }),
    store: objectStore(request)
  }
}

const SERVICE = { kind: AIM_SERVICE, key: { namespace: 'ml-team', name: 'llama-chat' }, uid: 'u1', version: '5' }
const OBJECT = { metadata: { name: 'llama-chat', resourceVersion: '6' } }
const PATH = '/apis/aim.silogen.ai/v1alpha1/namespaces/ml-team/aimservices/llama-chat'

t.test('applies a status with its field manager, without force, and only to that object and version', async (t) => {
  const { writer, sent, clock } = setUp(() => apiResponse(200, OBJECT))
  t.strictSame(await writer.applyStatus(SERVICE, { hash: 'x' }), { kind: 'written', object: OBJECT })
  await writer.applyStatus(
    { ...SERVICE, kind: AIM_CLUSTER_RUNTIME_CONFIG, key: { namespace: '', name: 'default' } },
    {}
  )
  t.match(sent[0], {
    method: 'PATCH',
    path: `${PATH}/status`,
    query: { fieldManager: 'aim-admission', timeout: '5000ms' },
    headers: { 'content-type': 'application/apply-patch+yaml' }
  })
  t.notOk('force' in (sent[0]?.query ?? {}))
  t.strictSame(JSON.parse(sent[0]?.body ?? ''), {
    apiVersion: 'aim.silogen.ai/v1alpha1',
    kind: 'AIMService',
    metadata: { namespace: 'ml-team', name: 'llama-chat', uid: 'u1', resourceVersion: '5' },
    status: { hash: 'x' }
  })
  t.equal(sent[1]?.path, '/apis/aim.silogen.ai/v1alpha1/aimclusterruntimeconfigs/default/status')
  t.equal(clock.pending, 0)
})

t.test('triggers admission with an empty patch', async (t) => {
  const { writer, sent } = setUp(() => apiResponse(200, OBJECT))
  const result = await writer.triggerAdmission({ namespace: 'ml-team', name: 'llama-chat' })
  t.strictSame(result, { kind: 'written', object: OBJECT })
  t.match(sent, [
    { method: 'PATCH', path: PATH, headers: { 'content-type': 'application/merge-patch+json' }, body: '{}' }
  ])
})

/** As the API server says it. */
const UNDECLARED = '.status.hash: field not declared in schema'
const TYPED = 'failed to create typed patch object (ml-team/a; aim.silogen.ai/v1alpha1, Kind=AIMService): ' +
  '.status.routing: expected string, got &{map[path:/a]}'

const responses: Record<string, { response: (() => ApiResponse) | Error, want: object }> = {
  'a conflict': { response: () => apiResponse(409), want: { kind: 'conflict' } },
  'a deleted object': { response: () => apiResponse(404), want: { kind: 'gone' } },
  'a refusal': {
    response: () => apiResponse(422, { message: 'no' }),
    want: { kind: 'failed', reason: 'the API server returned 422: no', invalid: true }
  },
  'a status with a field that the definition does not have': {
    response: () => apiResponse(500, { message: UNDECLARED }),
    want: { kind: 'failed', reason: `the API server returned 500: ${UNDECLARED}`, invalid: true }
  },
  'a status with a field of another type': {
    response: () => apiResponse(500, { message: TYPED }),
    want: { kind: 'failed', reason: `the API server returned 500: ${TYPED}`, invalid: true }
  },
  'a missing permission': {
    response: () => apiResponse(403, { message: 'forbidden' }),
    want: { kind: 'failed', reason: 'the API server returned 403: forbidden' }
  },
  'a success without an object': {
    response: () => apiResponse(200),
    want: { kind: 'failed', reason: 'the API server returned no object' }
  },
  'too many requests': {
    response: () => apiResponse(429, {}, { 'retry-after': '3' }),
    want: {
      kind: 'unavailable',
      scope: 'server',
      reason: 'the API server returned 429: Too Many Requests',
      retryAfterMs: 3_000
    }
  },
  'an unreachable webhook': {
    response: () => apiResponse(500, { message: 'failed calling webhook' }),
    want: {
      kind: 'unavailable',
      scope: 'object',
      reason: 'the API server returned 500: failed calling webhook',
      retryAfterMs: 0
    }
  },
  'no response': {
    response: new Error('connect ECONNREFUSED'),
    want: { kind: 'unavailable', scope: 'server', reason: 'connect ECONNREFUSED', retryAfterMs: 0 }
  }
}
for (const [name, { response, want }] of Object.entries(responses)) {
  t.test(`distinguishes ${name}`, async (t) => {
    t.strictSame(await setUp(response).writer.triggerAdmission({ namespace: 'a', name: 'b' }), want)
  })
}

t.test('a write times out before another replica may lead', async (t) => {
  const { writer, clock } = setUp()
  const result = writer.applyStatus(SERVICE, {})
  clock.pass(5_000)
  t.strictSame(await result, {
    kind: 'unavailable',
    scope: 'object',
    reason: 'the API server did not respond within 5 s',
    retryAfterMs: 0
  })
  t.equal(clock.pending, 0)
})

t.test('the object store reports an unavailable API server, a failed patch test and a missing object', async (t) => {
  const unreachable = setUp(new Error('connect ECONNREFUSED'))
  t.strictSame(await unreachable.store.read(PATH), { kind: 'failed', reason: 'connect ECONNREFUSED' })
  const missing = setUp(() => apiResponse(404))
  t.strictSame(await missing.store.read(PATH), { kind: 'missing' })
  const found = setUp(() => apiResponse(200, OBJECT))
  t.strictSame(await found.store.read(PATH), { kind: 'found', object: OBJECT })
  const list = { metadata: { resourceVersion: '6' }, items: [OBJECT] }
  t.strictSame(await setUp(() => apiResponse(200, list)).store.read('/apis'), { kind: 'found', object: list })
  const stale = setUp(() => apiResponse(422, { message: 'testing value /a failed' }))
  t.strictSame(await stale.store.patch(PATH, []), { kind: 'conflict' })
})
