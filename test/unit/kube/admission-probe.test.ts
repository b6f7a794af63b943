import t from 'tap'
import { admissionProbe } from '../../../src/kube/objects/admission-probe.ts'
import type { SendRequest } from '../../../src/kube/client/api-connection.ts'
import { ownObject, type JsonObject } from '../../../src/platform/json.ts'
import { apiResponse } from '../../support/fakes/api-response.ts'

const TEXT = { type: 'string' }

/** A probe of an API server with this schema, whose rules across fields accept what `accepts` does. */
function probeOf (schema: object, accepts: (spec: JsonObject) => boolean, message = 'is invalid: spec.model: none') {
  const posted: JsonObject[] = []
  const request: SendRequest = async (path, { body = '' } = {}) => {
    if (path === '/openapi/v3/apis/aim.silogen.ai/v1alpha1') {
      const service = { properties: { spec: schema } }
      return await Promise.resolve(apiResponse(200, {
        components: { schemas: { 'ai.silogen.aim.v1alpha1.AIMService': service } }
      }))
    }
    const { spec } = JSON.parse(body) as { spec: JsonObject } // as the probe writes it
    posted.push(spec)
    return accepts(spec)
      ? apiResponse(201, { spec })
      : apiResponse(422, { kind: 'Status', code: 422, reason: 'Invalid', message })
  }
  return { posted, probe: admissionProbe({ request, namespace: 'default', fencing: () => true }) }
}

const LATER = {
  required: ['model', 'tier', 'size', 'owners'],
  properties: {
    model: { type: 'object', properties: { name: TEXT, image: TEXT } },
    tier: { type: 'string', enum: ['gold', 'silver'] },
    size: {
      type: 'object',
      required: ['pods', 'spare'],
      properties: { pods: { type: 'integer', minimum: 2 }, spare: { type: 'boolean' } }
    },
    owners: { type: 'array', items: TEXT, minItems: 1 },
    routing: { type: 'object', properties: { enabled: { type: 'boolean' } } }
  }
}

t.test('a definition that refuses model.ref gets the smallest service of its own, from then on at once', async (t) => {
  const { probe, posted } = probeOf(LATER, (spec) => 'image' in ownObject(spec, 'model'))
  t.strictSame(await probe(), { kind: 'success' })
  t.strictSame(posted.at(-1), {
    model: { image: 'aim-admission-probe' },
    tier: 'gold',
    size: { pods: 2, spare: false },
    owners: ['aim-admission-probe'],
    routing: { enabled: false }
  })
  t.equal(posted.length, 3, 'model.ref, model.name, model.image')
  t.strictSame(await probe(), { kind: 'success' })
  t.equal(posted.length, 4)
})

t.test('a definition that refuses each of them fails the probe', async (t) => {
  const { probe } = probeOf(LATER, () => false)
  t.match(await probe(), { kind: 'failed', failure: 'Refused', message: /spec\.model/ })
})

t.test('a refusal by a webhook or policy is not tried again', async (t) => {
  const { probe, posted } = probeOf(LATER, () => false, 'admission webhook "x" denied the request: no')
  t.match(await probe(), { kind: 'failed', failure: 'Refused' })
  t.equal(posted.length, 1)
})
