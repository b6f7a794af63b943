import fastJsonPatch from 'fast-json-patch'
import t from 'tap'
import { decodeReview } from '../../../src/admission/decode.ts'
import type { Verdict } from '../../../src/admission/verdict.ts'
import { INJECTED_FIELDS_ANNOTATION, LAST_APPLIED_ANNOTATION, BLOCK_ANNOTATION } from '../../../src/api/meta.ts'
import type { ServedFields } from '../../../src/core/ports.ts'
import { PRODUCT_FIELDS } from '../../../src/core/served-fields.ts'
import { assessService } from '../../../src/core/settings/assess.ts'
import { blockText } from '../../../src/core/settings/service.ts'
import { stalenessOf } from '../../../src/core/status/staleness.ts'
import { own, ownObject, type JsonObject } from '../../../src/platform/json.ts'
import { newAdmissionEngine, type AdmissionEngine } from '../../../webhooks/engine.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { aboutObject, aConfig, aService } from '../../support/builders/objects.ts'

const GATEWAY = { name: 'kserve-gateway', namespace: 'kgateway-system' }
const ROUTING = { enabled: true, gatewayRef: GATEWAY, pathTemplate: '/shared' }

/** An engine whose definition of AIMService has the block or not, as a test sets it. */
function anEngine (hasBlock: boolean) {
  const definition = { hasBlock }
  const clock = new ManualClock()
  const served: ServedFields = {
    ...PRODUCT_FIELDS, has: (...path) => definition.hasBlock || path[1] !== 'resolvedRuntimeConfig'
  }
  const engine = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' }, { served, clock })
  engine.sinks.AIMRuntimeConfig.upsert(aConfig({ routing: ROUTING }))
  clock.pass(60_000)
  return { definition, engine }
}

function judge ({ webhooks }: AdmissionEngine, path: string, request: JsonObject): Verdict {
  const decoded = decodeReview(Buffer.from(aReview(aboutObject(request))))
  const webhook = webhooks.find((candidate) => candidate.path === path)
  if (decoded.kind !== 'review' || webhook === undefined) throw new Error('no review, or no webhook')
  return webhook.decide(decoded.request)
}

function mutate (engine: AdmissionEngine, object: JsonObject, oldObject?: JsonObject) {
  const operation = oldObject === undefined ? 'CREATE' : 'UPDATE'
  const verdict = judge(engine, '/mutate/aimservices', { operation, object, ...(oldObject && { oldObject }) })
  if (verdict.kind === 'deny') throw new Error('the mutating webhook refuses nothing')
  const operations = verdict.kind === 'patch' ? structuredClone([...verdict.operations]) : []
  const { newDocument } =
    fastJsonPatch.applyPatch(structuredClone(object), operations as fastJsonPatch.Operation[], true)
  return { object: newDocument, patched: verdict.kind === 'patch', warnings: verdict.warnings }
}

function annotation (object: JsonObject): unknown {
  return own(ownObject(ownObject(object, 'metadata'), 'annotations'), BLOCK_ANNOTATION)
}

function block (object: JsonObject): unknown {
  return own(ownObject(object, 'spec'), 'resolvedRuntimeConfig')
}

function withAnnotation (object: JsonObject, value: unknown, key = BLOCK_ANNOTATION): JsonObject {
  const metadata = ownObject(object, 'metadata')
  const annotations = { ...ownObject(metadata, 'annotations'), [key]: value }
  return { ...object, metadata: { ...metadata, annotations } }
}

/** As the API server reads it where the definition has no block. */
function pruned (object: JsonObject): JsonObject {
  const { resolvedRuntimeConfig, ...spec } = ownObject(object, 'spec')
  return { ...object, spec }
}

const stored = (object: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  ...object,
  metadata: { creationTimestamp: '2026-01-01T00:00:00Z', generation: 1, ...ownObject(object, 'metadata'), ...metadata }
})

t.test('without the block in the definition, the record is an annotation with the same content', async (t) => {
  const [withBlock, without] = [anEngine(true).engine, anEngine(false).engine]
  const { object } = mutate(without, aService())
  t.equal(block(object), undefined)
  t.strictSame(JSON.parse(String(annotation(object))), block(mutate(withBlock, aService()).object))
  t.match(annotation(object), /^\{"hash":"sha256:[0-9a-f]{64}","kind":"AIMRuntimeConfig","model":/, 'compact and sorted')
  t.equal(mutate(without, object, object).patched, false, 'nothing is left to do')
  t.equal(judge(without, '/validate/aimservices', { operation: 'CREATE', object }).kind, 'admit')
  const others = aService({ metadata: { annotations: { team: 'nlp' } } })
  t.match(mutate(without, others).object, { metadata: { annotations: { team: 'nlp' } } })
})

const forgeries: Readonly<Record<string, unknown>> = {
  'another path': '{"kind":"AIMRuntimeConfig","routing":{"path":"/evil","gatewayRef":{"name":"kserve-gateway"}}}',
  'no JSON': '{',
  'a list': '[]',
  'an empty text': '',
  'deep nesting': '['.repeat(50_000),
  'prototype keys': '{"__proto__":{"name":"x"},"constructor":1}',
  'a number': 7
}
for (const [name, value] of Object.entries(forgeries)) {
  t.test(`replaces an annotation that a user wrote: ${name}`, async (t) => {
    const { engine } = anEngine(false)
    const { object } = mutate(engine, aService())
    const created = mutate(engine, withAnnotation(aService(), value))
    t.strictSame(created.object, object)
    t.match(created.warnings, [/^annotation aim.silogen.ai\/resolved-runtime-config is written by admission only/])
    const edited = mutate(engine, withAnnotation(object, value), object)
    t.strictSame(edited.object, object)
    t.equal(edited.warnings.length, 1)
    const withBlock = anEngine(true).engine
    const expected = mutate(withBlock, aService({ metadata: { annotations: {} } })).object
    t.strictSame(mutate(withBlock, withAnnotation(aService(), value)).object, expected)
  })
}

t.test('rewrites an annotation with the same content in another form, and one that was removed', async (t) => {
  const { engine } = anEngine(false)
  const { object } = mutate(engine, aService())
  const other = JSON.stringify(JSON.parse(String(annotation(object))), null, 1)
  t.strictSame(mutate(engine, withAnnotation(object, other), object).object, object)
  t.strictSame(mutate(engine, aService({ spec: { runtimeConfigName: 'default' } }), object).object, object)
})

t.test('refuses a service without the annotation that admission wrote', async (t) => {
  const { engine } = anEngine(false)
  const object = aService({ spec: { runtimeConfigName: 'default' } })
  t.match(judge(engine, '/validate/aimservices', { operation: 'CREATE', object }), {
    kind: 'deny',
    faults: [{ code: 'AIM-BLOCK-MISSING', field: `metadata.annotations[${BLOCK_ANNOTATION}]` }]
  })
})

t.test('without a configuration it removes the annotation', async (t) => {
  const { engine } = anEngine(false)
  const { object } = mutate(engine, aService())
  const spec = { ...ownObject(object, 'spec'), runtimeConfigName: 'none' }
  t.equal(annotation(mutate(engine, { ...object, spec }, object).object), undefined)
})

t.test('a service that is being deleted keeps its annotation', async (t) => {
  const { engine } = anEngine(false)
  const old = stored(mutate(engine, aService()).object, { deletionTimestamp: '2026-01-02T00:00:00Z' })
  t.strictSame(mutate(engine, withAnnotation(old, '{}'), old).object, old)
  const { annotations, ...metadata } = ownObject(old, 'metadata')
  t.strictSame(mutate(engine, { ...old, metadata }, old).object, old)
})

const FORGED = { kind: 'AIMRuntimeConfig', routing: { enabled: true, gatewayRef: GATEWAY, path: '/victim/llama' } }

for (const hasBlock of [true, false]) {
  const definition = hasBlock ? 'with the block' : 'without the block'
  t.test(`on a definition ${definition}, a service takes no path by a forged record, nor while it is deleted`, (t) => {
    const { engine } = anEngine(hasBlock)
    const form = (object: JsonObject): JsonObject => hasBlock ? object : pruned(object)
    const forgeries: Readonly<Record<string, (object: JsonObject) => JsonObject>> = {
      annotation: (object) => withAnnotation(object, blockText(FORGED)),
      block: (object) => form({ ...object, spec: { ...ownObject(object, 'spec'), resolvedRuntimeConfig: FORGED } })
    }
    const olds = {
      'with a record': aService({ name: 'with' }),
      'without a record': aService({ name: 'without', spec: { runtimeConfigName: 'missing' } })
    }
    for (const [name, service] of Object.entries(olds)) {
      const old = stored(form(mutate(engine, service).object))
      const deleting = stored(old, { deletionTimestamp: '2026-01-02T00:00:00Z' })
      for (const [place, forge] of Object.entries(forgeries)) {
        for (const [state, before] of [['new', undefined], ['stored', old], ['deleting', deleting]] as const) {
          const { object } = mutate(engine, forge(before ?? service), before)
          t.strictSame(
            [annotation(object), block(object)], [annotation(old), block(old)], `${place}, ${name}, ${state}`
          )
          engine.sinks.AIMService.upsert(stored(object))
          t.equal([...engine.services.all()].some(({ held }) => held?.path === '/victim/llama'), false)
        }
      }
    }
    t.end()
  })
}

t.test('converts a record when the definition changes, once', async (t) => {
  const { definition, engine } = anEngine(true)
  const first = mutate(engine, aService()).object
  definition.hasBlock = false
  const moved = mutate(engine, pruned(first), pruned(first))
  t.equal(typeof annotation(moved.object), 'string')
  t.equal(mutate(engine, moved.object, moved.object).patched, false)
  definition.hasBlock = true
  const back = mutate(engine, moved.object, moved.object)
  t.strictSame(block(back.object), block(first))
  t.equal(annotation(back.object), undefined)
  t.strictSame(back.warnings, [])
  t.equal(mutate(engine, back.object, back.object).patched, false)
})

t.test('a service holds its path while a changed definition hides the block', async (t) => {
  const { definition, engine } = anEngine(true)
  const holder = stored(mutate(engine, aService({ name: 'holder' })).object)
  engine.sinks.AIMService.upsert(holder)
  const older = { creationTimestamp: '2025-01-01T00:00:00Z' }
  const waiting = stored(mutate(engine, aService({ name: 'waiting' })).object, older)
  engine.sinks.AIMService.upsert(waiting)
  definition.hasBlock = false
  for (const object of [waiting, holder]) engine.sinks.AIMService.upsert(pruned(object))
  t.notMatch(annotation(mutate(engine, pruned(waiting), pruned(waiting)).object), /"path":/)
  const created = mutate(engine, aService({ name: 'new' })).object
  t.match(judge(engine, '/validate/aimservices', { operation: 'CREATE', object: created }), {
    kind: 'deny', faults: [{ code: 'AIM-PATH-CONFLICT' }]
  })
  const converted = mutate(engine, pruned(holder), pruned(holder)).object
  t.match(annotation(converted), /"path":"\/shared"/)
  const update = { operation: 'UPDATE', object: converted, oldObject: pruned(holder) }
  t.equal(judge(engine, '/validate/aimservices', update).kind, 'admit')
  engine.sinks.AIMService.upsert(pruned(stored(holder, { generation: 2 })))
  t.equal(engine.services.get({ namespace: 'ml-team', name: 'holder' })?.held, undefined, 'a removed block is removed')
})

t.test('no template reads the annotations of admission and of kubectl, which no cache keeps', (t) => {
  for (const [key, why] of [
    [BLOCK_ANNOTATION, /it is the result of admission/],
    [INJECTED_FIELDS_ANNOTATION, /it is the result of admission/],
    [LAST_APPLIED_ANNOTATION, /it is kubectl's copy of the manifest/]
  ] as const) {
    const { engine } = anEngine(false)
    const object = (pathTemplate: string): JsonObject =>
      withAnnotation(aService({ spec: { routing: { ...ROUTING, pathTemplate } } }), '"forged"', key)
    const { object: named } = mutate(engine, object(`/{.metadata.annotations['${key}']}`))
    t.match(judge(engine, '/validate/aimservices', { operation: 'CREATE', object: named }), {
      kind: 'deny', faults: [{ code: 'AIM-TEMPLATE-UNSUPPORTED', message: why }]
    })
    for (const template of ['/{.metadata.annotations.*}', '/{.metadata..annotations.*}']) {
      t.notMatch(annotation(mutate(engine, object(template)).object), /"path":/, `${key} by ${template}`)
    }
  }
  t.end()
})

t.test('a cache finds a service current that a template gave a path beside the manifest of kubectl apply', (t) => {
  const { engine } = anEngine(true)
  const routing = { ...ROUTING, pathTemplate: '/{.metadata.annotations.*}' }
  const given = withAnnotation(aService({ spec: { routing } }), 'nlp', 'team')
  const { object } = mutate(engine, withAnnotation(given, '{"spec":{}}', LAST_APPLIED_ANNOTATION))
  engine.sinks.AIMService.upsert(stored(object))
  const service = engine.services.get({ namespace: 'ml-team', name: 'llama-chat' })?.parse()
  t.match(block(object), { routing: { path: '/nlp' } })
  t.equal(service && stalenessOf(assessService(service, engine.world, service)), 'current')
  t.end()
})

t.test('a warning says why the annotations are too long for the API server', (t) => {
  for (const [bytes, isTooLong] of [[250_000, false], [262_000, true]] as const) {
    const metadata = { ...ownObject(aService(), 'metadata'), annotations: { a: 'x'.repeat(bytes) } }
    for (const hasBlock of [true, false]) {
      const { warnings } = mutate(anEngine(hasBlock).engine, { ...aService(), metadata })
      t.match(warnings, isTooLong && !hasBlock ? [/^metadata\.annotations has 262\d+ bytes, \d+ of them by/] : [])
      t.equal(warnings.length, Number(isTooLong && !hasBlock))
    }
  }
  t.end()
})
