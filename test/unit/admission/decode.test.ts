import t from 'tap'
import { decodeReview } from '../../../src/admission/decode.ts'
import { aReview } from '../../support/builders/a-review.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const decode = (fields: JsonObject = {}) => decodeReview(Buffer.from(aReview(fields)))

t.test('decodes the known fields and ignores others', async (t) => {
  const object = { metadata: { name: 'a' } }
  t.strictSame(decode({ uid: 'u', dryRun: true, object, oldObject: object, requestKind: {}, options: [] }), {
    kind: 'review',
    request: {
      uid: 'u',
      operation: 'CREATE',
      group: 'aim.silogen.ai',
      version: 'v1alpha1',
      kind: 'AIMService',
      resource: 'aimservices',
      subResource: '',
      name: 'llama-chat',
      namespace: 'ml-team',
      dryRun: true,
      object,
      oldObject: object
    }
  })
})

const cases: Record<string, { fields: JsonObject, want: object }> = {
  'an unknown operation': { fields: { operation: 'create' }, want: { operation: 'UNKNOWN' } },
  'an operation named like a prototype': { fields: { operation: 'constructor' }, want: { operation: 'UNKNOWN' } },
  'a dry run that is not a boolean': { fields: { dryRun: 'true' }, want: { dryRun: false } },
  'a kind that is a list': { fields: { kind: [] }, want: { group: '', version: '', kind: '' } },
  'a numeric name': { fields: { name: 7 }, want: { name: '' } },
  'a subresource': { fields: { subResource: 'status' }, want: { subResource: 'status' } }
}

for (const [name, { fields, want }] of Object.entries(cases)) {
  t.test(name, async (t) => { t.match(decode(fields), { kind: 'review', request: want }) })
}

t.test('an object that is null, missing or of another type is absent', async (t) => {
  for (const object of [null, undefined, [], 'x', 7]) {
    const decoded = decode({ object })
    t.equal(decoded.kind === 'review' && 'object' in decoded.request, false)
  }
})

t.test('ignores inherited fields', async (t) => {
  const body = aReview()
    .replace('"request":{', '"request":{"__proto__":{"namespace":"stolen"},')
    .replace('"namespace":"ml-team","name":"llama-chat","dryRun"', '"dryRun"')
  t.match(decodeReview(Buffer.from(body)), { kind: 'review', request: { namespace: '', name: '' } })
})

t.test('no message echoes the input', async (t) => {
  const otherKind = aReview().replace('AdmissionReview', 'secret')
  for (const body of ['secret', '{"secret":1}', aReview({ uid: ['secret'] }), otherKind]) {
    const decoded = decodeReview(Buffer.from(body))
    t.equal(decoded.kind, 'malformed')
    t.notMatch(JSON.stringify(decoded), /secret/)
  }
})
