import t from 'tap'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { ADMIT, type Verdict } from '../../../src/admission/verdict.ts'
import { aRequest, aReview } from '../../support/builders/a-review.ts'
import { aWebhook, anAdmissionServer } from '../../support/http/admission-server.ts'
import jsonpatch from 'fast-json-patch'
import type { JsonObject } from '../../../src/platform/json.ts'

const uid = aRequest()['uid']
const fault = {
  code: 'AIM-PATH-CONFLICT',
  field: 'spec.routing.pathTemplate',
  message: 'the path is taken; choose another'
} as const

const verdicts: Record<string, { verdict: Verdict, outcome: string, level: number, response: unknown }> = {
  admitted: { verdict: ADMIT, outcome: 'allowed', level: 20, response: { uid, allowed: true } },
  'admitted with a warning': {
    verdict: { kind: 'admit', warnings: ['a warning'] },
    outcome: 'warned',
    level: 30,
    response: { uid, allowed: true, warnings: ['a warning'] }
  },
  patched: {
    verdict: { kind: 'patch', operations: [{ op: 'add', path: '/spec/a', value: 1 }], warnings: [] },
    outcome: 'patched',
    level: 20,
    response: {
      uid,
      allowed: true,
      patchType: 'JSONPatch',
      patch: Buffer.from('[{"op":"add","path":"/spec/a","value":1}]').toString('base64')
    }
  },
  refused: {
    verdict: { kind: 'deny', faults: [fault], warnings: [] },
    outcome: 'refused',
    level: 30,
    response: {
      uid,
      allowed: false,
      status: {
        status: 'Failure',
        code: 422,
        reason: 'Invalid',
        message: 'spec.routing.pathTemplate: the path is taken; choose another',
        details: {
          group: 'aim.silogen.ai',
          kind: 'AIMService',
          name: 'llama-chat',
          causes: [{ reason: fault.code, message: fault.message, field: fault.field }]
        }
      }
    }
  }
}

for (const [name, { verdict, outcome, level, response }] of Object.entries(verdicts)) {
  t.test(`a review that is ${name} gets its response, and is counted and logged once`, async (t) => {
    const { client, metricLines, logged } = await anAdmissionServer(t, {
      webhooks: [aWebhook({ decide: () => verdict })]
    })
    const reply = await client.post(aReview())
    t.strictSame(reply.body, { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response })
    const labels = `webhook="mutate-aimservices",operation="CREATE",outcome="${outcome}",dry_run="false"`
    t.strictSame(
      await metricLines('aim_admission_requests_total'),
      [`aim_admission_requests_total{${labels}} 1`]
    )
    t.strictSame(
      await metricLines('aim_admission_refusals_total'),
      outcome === 'refused' ? [`aim_admission_refusals_total{reason="${fault.code}"} 1`] : []
    )
    t.strictSame(await metricLines('aim_admission_request_duration_seconds_count'), [
      'aim_admission_request_duration_seconds_count{webhook="mutate-aimservices"} 1'
    ])
    t.match(logged(), [
      {
        level,
        uid,
        webhook: 'mutate-aimservices',
        operation: 'CREATE',
        namespace: 'ml-team',
        name: 'llama-chat',
        outcome,
        msg: 'review ended'
      }
    ])
    t.equal(logged().length, 1)
  })
}

const unserved: Record<string, JsonObject> = {
  'another kind': { kind: { group: '', version: 'v1', kind: 'Pod' } },
  'another group': { kind: { group: 'other.ai', version: 'v1alpha1', kind: 'AIMService' } },
  'another version': { kind: { group: 'aim.silogen.ai', version: 'v2', kind: 'AIMService' } },
  'a subresource': { subResource: 'status' },
  'an operation that is not registered': { operation: 'DELETE', object: null },
  'an unknown operation': { operation: 'PATCHED' },
  'an operation named like a prototype': { operation: '__proto__' },
  'no kind': { kind: null }
}

t.test('admits and counts a review that the path does not serve, without the webhook', async (t) => {
  const decide = () => { throw new Error('called') }
  const { client, metricLines } = await anAdmissionServer(t, { webhooks: [aWebhook({ decide })] })
  for (const [name, fields] of Object.entries(unserved)) {
    t.test(name, async (t) => {
      t.strictSame((await client.post(aReview(fields))).body, {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: { uid, allowed: true }
      })
    })
  }
  t.test('counted', async (t) => {
    t.match(
      (await metricLines('aim_admission_requests_total')).join('\n'),
      /operation="CREATE",outcome="unmatched",dry_run="false"} 5/
    )
  })
})

t.test('a defect is a 500 without detail, counted, and logged with the uid', async (t) => {
  const decide = () => { throw new Error('secret detail') }
  const { client, metricLines, logged } = await anAdmissionServer(t, { webhooks: [aWebhook({ decide })] })
  const reply = await client.post(aReview())
  t.match(reply, { status: 500, body: { error: /defect/ } })
  t.notMatch(JSON.stringify(reply), /secret detail|retry-after/)
  t.match((await metricLines('aim_admission_requests_total')).join(), /outcome="error",dry_run="false"} 1/)
  t.match(logged(), [{ level: 50, uid, outcome: 'error', error: /secret detail/ }])
  t.match(await client.post(aReview()), { connection: reply.connection }, 'the connection stays usable')
})

t.test('label values come from closed sets', async (t) => {
  const { client, metrics } = await anAdmissionServer(t)
  await client.post(aReview())
  const series = async () => (await metrics.registry.metrics()).split('\n').length
  const before = await series()
  for (let at = 0; at < 1_000; at++) {
    await client.post(
      aReview({ uid: `u${at}`, name: `n${at}`, namespace: `ns${at}`, userInfo: { username: `user${at}` } })
    )
  }
  t.equal(await series(), before)
})

t.test('log lines truncate names, and no input can forge a line', async (t) => {
  const { client, logged } = await anAdmissionServer(t)
  await client.post(aReview({ uid: 'u\n{"level":50}', name: 'x'.repeat(100_000) }))
  t.match(logged(), [{ uid: 'u\n{"level":50}', name: `${'x'.repeat(253)}…` }])
  t.equal(logged().length, 1)
})

const service = (fields: JsonObject = {}, spec: JsonObject = {}) => ({
  apiVersion: 'aim.silogen.ai/v1alpha1',
  kind: 'AIMService',
  metadata: { namespace: 'ml-team', name: 'llama-chat', ...fields },
  spec: { model: { ref: 'meta-llama-3-8b' }, ...spec }
})

/** As text: an object literal would set a prototype. */
const hostileKeys: Record<string, string> = {
  '__proto__ as a label':
    '{"metadata":{"namespace":"ml-team","name":"a","labels":{"__proto__":"x"}},"spec":{"model":{"ref":"m"}}}',
  '__proto__ as an object':
    '{"__proto__":{"polluted":true},"metadata":{"namespace":"ml-team","name":"a"},' +
    '"spec":{"__proto__":{"polluted":true},"model":{"ref":"m"}}}',
  'a constructor with a prototype':
    '{"constructor":{"prototype":{"polluted":true}},' +
    '"metadata":{"namespace":"ml-team","name":"a"},"spec":{"model":{"ref":"m"}}}',
  'labels named like inherited properties':
    '{"metadata":{"namespace":"ml-team","name":"a",' +
    '"labels":{"constructor":"c","toString":"t","hasOwnProperty":"h","length":"l"}},"spec":{"model":{"ref":"m"}}}'
}

t.test('the webhooks of the product', async (t) => {
  const { webhooks, sinks } = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' })
  sinks.AIMRuntimeConfig.upsert({
    metadata: { namespace: 'ml-team', name: 'default' },
    spec: { routing: { enabled: true } }
  })
  const { client, metricLines } = await anAdmissionServer(t, { webhooks })
  const patchOf = async (request: JsonObject): Promise<jsonpatch.Operation[]> => {
    const { body } = await client.post(aReview(request)) as { body: { response: { patch?: string } } }
    return JSON.parse(Buffer.from(body.response.patch ?? 'W10=', 'base64').toString()) as jsonpatch.Operation[]
  }

  for (const [name, object] of Object.entries(hostileKeys)) {
    t.test(`${name} is plain data, and pollutes nothing`, async (t) => {
      const reply = await client.post(aReview({ object: 'OBJECT' }).replace('"OBJECT"', object))
      t.match(reply, { status: 200, body: { response: { allowed: true, patchType: 'JSONPatch' } } })
      const { patch } = (reply.body as { response: { patch: string } }).response
      t.notMatch(Buffer.from(patch, 'base64').toString(), /__proto__|constructor|polluted/)
      t.equal(Object.hasOwn(Object.prototype, 'polluted'), false)
    })
  }

  t.test('an absent label named like an inherited property is missing', async (t) => {
    const object = service({}, { routing: { enabled: true, pathTemplate: "/{.metadata.labels['constructor']}" } })
    const reply = await client.post(aReview({ object }), '/validate/aimservices')
    t.match(reply.body, {
      response: { allowed: false, status: { details: { causes: [{ reason: 'AIM-PATH-FIELD-MISSING' }] } } }
    })
  })

  t.test('patches are repeatable, also in a dry run, and idempotent', async (t) => {
    const object = service()
    const first = await patchOf({ object })
    t.strictSame(await patchOf({ object }), first)
    t.strictSame(await patchOf({ object, dryRun: true }), first)
    const result = jsonpatch.applyPatch(structuredClone(object), first).newDocument
    t.strictSame(await patchOf({ object: result }), [])
    t.strictSame(
      await patchOf({ operation: 'UPDATE', object, oldObject: result }),
      first,
      'a block removed by another webhook is written again'
    )
    t.strictSame(
      await patchOf({ operation: 'UPDATE', object, oldObject: null }),
      first,
      'an UPDATE without its old object is judged as a CREATE'
    )
  })

  t.test('counts a dry run as such', async (t) => {
    t.match((await metricLines('aim_admission_requests_total')).join('\n'), /outcome="patched",dry_run="true"} 1/)
  })

  t.test('omits the path under generateName', async (t) => {
    const patch = await patchOf({
      name: '',
      object: { ...service(), metadata: { namespace: 'ml-team', generateName: 'llama-' } }
    })
    t.notMatch(JSON.stringify(patch), /"path":"\/ml-team/)
  })

  t.test('admits a DELETE without an object, without a patch', async (t) => {
    t.strictSame((await client.post(aReview({ operation: 'DELETE', object: null }))).body,
      { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, allowed: true } })
  })

  t.test('responds to a review without an object', async (t) => {
    for (const path of ['/mutate/aimservices', '/validate/aimservices']) {
      t.match(await client.post(aReview({ object: null }), path), { status: 200 })
    }
  })
})
