import fastJsonPatch from 'fast-json-patch'
import fc from 'fast-check'
import t from 'tap'
import { decodeReview } from '../../../src/admission/decode.ts'
import type { Verdict } from '../../../src/admission/verdict.ts'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { aboutObject, aConfig, aService } from '../../support/builders/objects.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

/** Hostile objects; `npm run test:chaos` generates more. */
const HOSTILE_RUNS = Number(process.env['AIM_ADMISSION_FUZZ_RUNS'] ?? 20_000)

const NAMES = ['team', 'app', '__proto__', 'constructor', 'length']
const text = fc.oneof(fc.constantFrom('nlp', 'A B', 'é', '..', '/', ''), fc.string({ maxLength: 12 }))
const entry = fc.tuple(fc.constantFrom(...NAMES), text)
const labels = fc
  .uniqueArray(entry, { selector: ([key]) => key, maxLength: 4 })
  .map((entries) => Object.fromEntries(entries))
const template = fc.oneof(
  fc.constantFrom(
    '/{.metadata.name}', "/{.metadata.labels['team']}", '/{.metadata.uid}', '/{..name}',
    '/{.metadata.labels.constructor}', '/{'
  ),
  fc.string({ maxLength: 30 }))
const routing = fc.record({
  enabled: fc.boolean(),
  gatewayRef: fc.record(
    { name: fc.constantFrom('a', 'b'), port: fc.constantFrom(80, 443) },
    { requiredKeys: ['name'] }
  ),
  pathTemplate: template
}, { requiredKeys: [] })
const spec = fc.record(
  {
    routing,
    serviceAccountName: text,
    imagePullSecrets: fc.array(fc.record({ name: fc.constantFrom('x', 'y') }), { maxLength: 2 })
  },
  { requiredKeys: [] }
)
const hostileLabels = fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom(...NAMES), fc.anything()))
const hostileMetadata = fc.oneof(
  fc.anything(),
  fc.record({
    name: fc.anything(), generateName: fc.anything(), labels: hostileLabels, annotations: fc.anything()
  }, { requiredKeys: [] }))
const hostileSpec = fc.oneof(
  fc.anything(),
  fc.record({
    runtimeConfigName: fc.anything(), routing: fc.oneof(fc.anything(), routing), resolvedRuntimeConfig: fc.anything()
  }, { requiredKeys: [] }))
const hostile = fc.record({ metadata: hostileMetadata, spec: hostileSpec }, { requiredKeys: [] })
  .map((object): JsonObject => ({ kind: 'AIMService', ...JSON.parse(JSON.stringify(object)) as JsonObject }))

type Admission = ReturnType<typeof newAdmissionEngine>

function judge (admission: Admission, path: string, object: JsonObject): Verdict {
  return review(admission, path, aboutObject({ object }))
}

function review ({ webhooks }: Admission, path: string, request: JsonObject): Verdict {
  const decoded = decodeReview(Buffer.from(aReview(request)))
  const webhook = webhooks.find((candidate) => candidate.path === path)
  if (decoded.kind !== 'review' || webhook === undefined) throw new Error('no review, or no webhook')
  return webhook.decide(decoded.request)
}

function mutated (admission: Admission, object: JsonObject): JsonObject {
  const verdict = judge(admission, '/mutate/aimservices', object)
  if (verdict.kind !== 'patch') return object
  return fastJsonPatch.applyPatch(
    structuredClone(object),
    structuredClone([...verdict.operations]) as fastJsonPatch.Operation[]
  ).newDocument
}

const world = fc.record({ config: spec, service: spec, labels })

t.test('admitting an admitted service yields no operation', async (t) => {
  fc.assert(fc.property(world, ({ config, service, labels }) => {
    const admission = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' })
    admission.sinks.AIMRuntimeConfig.upsert(aConfig(config))
    return (
      judge(admission, '/mutate/aimservices', mutated(admission, aService({ spec: service, labels }))).kind === 'admit'
    )
  }), { numRuns: 3_000 })
  t.pass('3,000 services')
})

t.test('a refusal has a field and a one-line message', async (t) => {
  fc.assert(fc.property(world, ({ config, service, labels }) => {
    const admission = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' })
    admission.sinks.AIMRuntimeConfig.upsert(aConfig(config))
    const verdict = judge(admission, '/validate/aimservices', mutated(admission, aService({ spec: service, labels })))
    return (
      verdict.kind !== 'deny' ||
      verdict.faults.every(({ field, message }) => field !== '' && message !== '' && !/[\n\r]/.test(message))
    )
  }), { numRuns: 3_000 })
  t.pass('3,000 services')
})

t.test('the webhooks decide on any object and leave the prototype unchanged', async (t) => {
  const before = Object.getOwnPropertyNames(Object.prototype)
  const admission = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' })
  admission.sinks.AIMRuntimeConfig.upsert(
    aConfig({ routing: { enabled: true, pathTemplate: "/{.metadata.labels['constructor']}" } })
  )
  let refused = 0
  fc.assert(fc.property(hostile, fc.boolean(), (object, isUpdate) => {
    for (const path of ['/mutate/aimservices', '/validate/aimservices']) {
      const verdict = review(admission, path, {
        object,
        ...(isUpdate && { operation: 'UPDATE', oldObject: aService() })
      })
      if (verdict.kind === 'deny' && verdict.faults.some(({ code }) => code !== 'AIM-OBJECT-MALFORMED')) refused++
    }
  }), { numRuns: HOSTILE_RUNS })
  t.ok(refused > HOSTILE_RUNS / 1_000, 'not only for wrong types')
  t.strictSame(Object.getOwnPropertyNames(Object.prototype), before)
})
