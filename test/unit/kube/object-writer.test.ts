import t from 'tap'
import { AIM_CLUSTER_RUNTIME_CONFIG, AIM_SERVICE } from '../../../src/api/kinds.ts'
import type { ApiRequest, ApiResponse } from '../../../src/kube/client/api-connection.ts'
import { objectWriter } from '../../../src/kube/objects/object-writer.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'

interface Answer { readonly statusCode: number, readonly body?: object, readonly headers?: Record<string, string> }

/**
 * A writer whose requests are noted, and answered with what is given; without an answer it waits until it is given up.
 */
function aWriter (answer?: Answer | Error) {
  const clock = new ManualClock()
  const sent: Array<{ path: string } & ApiRequest> = []
  const writer = objectWriter({
    clock,
    limitMs: 5_000,
    mayWrite: () => true,
    request: async (path, options = {}) => {
      sent.push({ path, ...options })
      if (answer instanceof Error) throw answer
      if (answer === undefined) {
        return await new Promise<never>((_resolve, reject) => {
          options.signal?.addEventListener('abort', () => { reject(options.signal?.reason as Error) })
        })
      }
      const { statusCode, body = {}, headers = {} } = answer
      // as far as it is read
      return {
        statusCode,
        headers,
        body: {
          json: async () => await Promise.resolve(body),
          text: async () => await Promise.resolve(JSON.stringify(body))
        } as unknown as ApiResponse['body']
      }
    }
  })
  return { clock, sent, writer }
}

const SERVICE = { kind: AIM_SERVICE, key: { namespace: 'ml-team', name: 'llama-chat' }, uid: 'u1', version: '5' }
const OBJECT = { metadata: { name: 'llama-chat', resourceVersion: '6' } }

t.test('a status is applied under the field manager, forced, and only to the very object and version', async (t) => {
  const { writer, sent } = aWriter({ statusCode: 200, body: OBJECT })
  t.strictSame(await writer.applyStatus(SERVICE, { hash: 'x' }), { kind: 'written', object: OBJECT })
  await writer.applyStatus(
    { ...SERVICE, kind: AIM_CLUSTER_RUNTIME_CONFIG, key: { namespace: '', name: 'default' } },
    {}
  )
  t.match(sent[0], {
    method: 'PATCH',
    path: '/apis/aim.silogen.ai/v1alpha1/namespaces/ml-team/aimservices/llama-chat/status',
    query: { fieldManager: 'aim-admission', force: 'true', timeout: '5000ms' },
    headers: { 'content-type': 'application/apply-patch+yaml' }
  })
  t.strictSame(JSON.parse(sent[0]?.body ?? ''), {
    apiVersion: 'aim.silogen.ai/v1alpha1', kind: 'AIMService', metadata: { namespace: 'ml-team', name: 'llama-chat', uid: 'u1', resourceVersion: '5' }, status: { hash: 'x' }
  })
  t.equal(sent[1]?.path, '/apis/aim.silogen.ai/v1alpha1/aimclusterruntimeconfigs/default/status')
})

t.test('admission is run anew by a patch that changes nothing', async (t) => {
  const { writer, sent } = aWriter({ statusCode: 200, body: OBJECT })
  t.strictSame(await writer.triggerAdmission({ namespace: 'ml-team', name: 'llama-chat' }), {
    kind: 'written',
    object: OBJECT
  })
  t.match(sent, [
    {
      method: 'PATCH',
      path: '/apis/aim.silogen.ai/v1alpha1/namespaces/ml-team/aimservices/llama-chat',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: '{}'
    }
  ])
})

const answers: Record<string, { answer: Answer | Error, want: object }> = {
  'a conflict': { answer: { statusCode: 409 }, want: { kind: 'outdated' } },
  'an object that is gone': { answer: { statusCode: 404 }, want: { kind: 'gone' } },
  'a refusal': {
    answer: { statusCode: 422, body: { message: 'no' } },
    want: { kind: 'failed', reason: 'the API server answered 422: no' }
  },
  'a right that is missing': {
    answer: { statusCode: 403, body: { message: 'may not' } },
    want: { kind: 'failed', reason: 'the API server answered 403: may not' }
  },
  'too many requests': {
    answer: { statusCode: 429, headers: { 'retry-after': '3' } },
    want: { kind: 'unavailable', reason: 'the API server answered 429: Too Many Requests', retryAfterMs: 3_000 }
  },
  'a webhook that is not there': {
    answer: { statusCode: 500, body: { message: 'failed calling webhook' } },
    want: { kind: 'unavailable', reason: 'the API server answered 500: failed calling webhook', retryAfterMs: 0 }
  },
  'no answer': {
    answer: new Error('connect ECONNREFUSED'),
    want: { kind: 'unavailable', reason: 'connect ECONNREFUSED', retryAfterMs: 0 }
  }
}
for (const [name, { answer, want }] of Object.entries(answers)) {
  t.test(`${name} is told apart`, async (t) => {
    t.strictSame(await aWriter(answer).writer.triggerAdmission({ namespace: 'a', name: 'b' }), want)
  })
}

t.test('a write that is not answered is given up before another may lead', async (t) => {
  const { writer, clock } = aWriter()
  const result = writer.applyStatus(SERVICE, {})
  clock.pass(5_000)
  t.strictSame(await result, {
    kind: 'unavailable',
    reason: 'the API server did not answer within 5 s',
    retryAfterMs: 0
  })
  t.equal(clock.pending, 0)
})
