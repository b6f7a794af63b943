import t from 'tap'
import { decodeReview } from '../../../src/admission/decode.ts'
import type { Verdict } from '../../../src/admission/verdict.ts'
import { newAdmissionEngine, type AdmissionOptions } from '../../../webhooks/engine.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { aboutObject, aClusterConfig, aConfig, aService } from '../../support/builders/objects.ts'
import { OFFLINE_DEFINITION } from '../../../src/offline/review-objects.ts'
import { schemaFields } from '../../../src/core/served-fields.ts'
import { readRuntimeConfig } from '../../../src/core/settings/runtime-config.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const ENABLED = { enabled: true, gatewayRef: { name: 'gateway' } }

function judge (
  request: JsonObject, known: readonly JsonObject[] = [], options: AdmissionOptions = { served: OFFLINE_DEFINITION }
): Verdict {
  const policy = { missingConfig: 'warn', missingBlock: 'refuse' } as const
  const { webhooks, sinks } = newAdmissionEngine(policy, options)
  for (const object of known) sinks[object['kind'] as keyof typeof sinks].upsert(object)
  const decoded = decodeReview(Buffer.from(aReview(aboutObject(request))))
  if (decoded.kind !== 'review') throw new Error(decoded.message)
  const webhook = webhooks.find(({ type, resource }) => type === 'validating' && resource.kind === decoded.request.kind)
  if (webhook === undefined) throw new Error('no webhook')
  return webhook.decide(decoded.request)
}

const BAD = aConfig({ routing: { pathTemplate: '/{.metadata.name' } })

t.test('a configuration with an invalid template is refused', async (t) => {
  t.match(judge({ object: BAD }), {
    kind: 'deny',
    faults: [{ code: 'AIM-TEMPLATE-SYNTAX', field: 'spec.routing.pathTemplate' }]
  })
})

t.test('an unchanged invalid template does not refuse a request', async (t) => {
  t.match(
    judge({
      operation: 'UPDATE',
      object: { ...BAD, metadata: { ...(BAD['metadata'] as JsonObject), labels: { a: 'b' } } },
      oldObject: BAD
    }),
    { kind: 'admit' }
  )
})

const SECRETS = Array.from({ length: 2_000 }, (_, at) => ({ name: `secret-${at}-${'x'.repeat(20)}` }))
const LARGE = aConfig({ imagePullSecrets: SECRETS })

t.test('a configuration above 64 KiB is refused, unless it was stored already', async (t) => {
  const found = judge({ object: LARGE })
  t.match(found, { kind: 'deny', faults: [{ code: 'AIM-CONFIG-TOO-LARGE', field: 'spec', message: /more than 65536/ }] })
  const labeled = { ...LARGE, metadata: { ...(LARGE['metadata'] as JsonObject), labels: { a: 'b' } } }
  t.match(judge({ operation: 'UPDATE', object: labeled, oldObject: LARGE }), { kind: 'admit' })
  t.match(judge({ operation: 'UPDATE', object: LARGE, oldObject: aConfig() }), { kind: 'deny' })
  const read = readRuntimeConfig('AIMRuntimeConfig', LARGE)
  t.match(read, { oversized: true, spec: '', hash: '' }, 'no canonical form is computed')
})

const DELETED = { deletionTimestamp: '2026-01-01T00:00:00Z' }

t.test('a configuration that is being deleted is never refused', async (t) => {
  t.match(
    judge({
      operation: 'UPDATE',
      object: { ...BAD, metadata: { ...(BAD['metadata'] as JsonObject), ...DELETED } },
      oldObject: aConfig({}, DELETED)
    }),
    { kind: 'admit' }
  )
})

t.test('a new configuration is judged whatever deletionTimestamp it carries', async (t) => {
  t.match(judge({ object: { ...BAD, metadata: { ...(BAD['metadata'] as JsonObject), ...DELETED } } }), { kind: 'deny' })
})

t.test('credentials in a cluster configuration are refused with the message of its definition', async (t) => {
  const why = 'credentials belong in an AIMRuntimeConfig of the namespace that needs them: remove'
  t.match(judge({ object: aClusterConfig({ serviceAccountName: 'a', imagePullSecrets: [{ name: 'b' }] }) }), {
    kind: 'deny',
    faults: [
      { field: 'spec.serviceAccountName', message: `${why} serviceAccountName here and set it there` },
      { field: 'spec.imagePullSecrets', message: `${why} imagePullSecrets here and set it there` }
    ]
  })
})

t.test('a template warns of fields that no service can have', async (t) => {
  const cases: Readonly<Record<string, string | undefined>> = {
    '/{.metadata.name}': undefined,
    "/{.metadata.labels['team']}/{.metadata.annotations.any}": undefined,
    '/{.metadata.labels.*}{..ref}{.spec.env[*].value}': undefined,
    '/{.spec.env[0].value}/{.spec.env[?(@.name=="A")].value}/{.spec.model.ref}': undefined,
    '/{.spec.resources.limits.cpu}/{.spec.resources.limits[\'example.com/any\']}': undefined,
    '/{.spec.aimImageName}': 'no service has a field .spec.aimImageName ({.spec.aimImageName} at position 2); name a ' +
      'field of .spec: cacheModel, env, imagePullSecrets, model, overrides, replicas, resources, routing and 3 more',
    '/a/{.spec.replica}': 'no service has a field .spec.replica (did you mean "replicas"?) ({.spec.replica} at ' +
      'position 4); name a field of .spec: cacheModel, env, imagePullSecrets, model, overrides, replicas, resources, ' +
      'routing and 3 more',
    '/{.spec.model}':
      'field .spec.model is an object ({.spec.model} at position 2); name a field inside it: image, ref',
    '/{.spec.model.name.x}': 'no service has a field .spec.model.name ({.spec.model.name.x} at position 2); name a ' +
      'field of .spec.model: image, ref',
    '/{.spec.replicas.x}': 'field .spec.replicas is a single value and has no fields ({.spec.replicas.x} at ' +
      'position 2); write {.spec.replicas}',
    '/{.spec.replicas[0]}': 'field .spec.replicas is a single value, not a list ({.spec.replicas[0]} at position 2); ' +
      'remove the index',
    '/{.spec.env}': 'field .spec.env is a list ({.spec.env} at position 2); choose one item, as in {.spec.env[0]}',
    '/{.spec.env.value}': 'field .spec.env is a list ({.spec.env.value} at position 2); choose an item, as in ' +
      '{.spec.env[0].value}',
    '/{.spec.env.0.value}': 'field .spec.env is a list ({.spec.env.0.value} at position 2); choose an item, as in ' +
      '{.spec.env[0].value}',
    '/{.spec.env[?(@.nam=="A")].value}': 'no service has a field .spec.env[0].nam (did you mean "name"?) ' +
      '({.spec.env[?(@.nam=="A")].value} at position 2); name a field of .spec.env[0]: name, value, valueFrom',
    '/{.spec.nothing[*].value}': /^no service has a field \.spec\.nothing /.source,
    '/{.spec}': /^field \.spec is an object \(.*: cacheModel, (?!.*resolvedRuntimeConfig)/.source,
    '/{$}':
      'the whole service is an object ({$} at position 2); name a field inside it: apiVersion, kind, metadata, spec',
    '/{.metadata.labels}': 'field .metadata.labels is an object ({.metadata.labels} at position 2); name a field ' +
      'inside it',
    '/{.metadata.name.first}': 'field .metadata.name is a single value and has no fields ({.metadata.name.first} at ' +
      'position 2); write {.metadata.name}',
    '/{.metadata.labels.app.kubernetes.io/name}': 'the dots of label "app.kubernetes.io/name" are read as nested ' +
      'fields ({.metadata.labels.app.kubernetes.io/name} at position 2); ' +
      "write {.metadata.labels['app.kubernetes.io/name']}"
  }
  for (const [pathTemplate, expected] of Object.entries(cases)) {
    const { warnings } = judge({ object: aConfig({ routing: { pathTemplate } }) })
    if (expected?.startsWith('^') === true) t.match(warnings[0], new RegExp(expected.replace('^', ': ')), pathTemplate)
    else t.strictSame(warnings, expected === undefined ? [] : [`spec.routing.pathTemplate: ${expected}`], pathTemplate)
  }
})

t.test('without a known definition, a template warns of metadata only', async (t) => {
  const { warnings } = judge({ object: aConfig({ routing: { pathTemplate: '/{.spec.a}{.metadata.labels}' } }) }, [], {})
  t.match(warnings, [/field \.metadata\.labels is an object/])
  t.equal(warnings.length, 1)
})

t.test('a template warns by the definition that the API server serves', async (t) => {
  const spec = (properties: JsonObject) => ({ type: 'object', properties })
  const served = schemaFields(spec({
    metadata: { allOf: [{ $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' }] },
    spec: spec({
      aimImageName: { type: 'string' },
      open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      size: { 'x-kubernetes-int-or-string': true }
    })
  }))
  const warnings = (pathTemplate: string) =>
    judge({ object: aConfig({ routing: { pathTemplate } }) }, [], { served }).warnings
  t.strictSame(warnings('/{.metadata.labels.team}/{.spec.aimImageName}/{.spec.open.any.field}/{.spec.size}'), [])
  t.match(warnings('/{.spec.open}'), [/field \.spec\.open is an object/])
  t.match(warnings('/{.spec.replicas}{.metadata.annotations}'), [
    /no service has a field \.spec\.replicas .*; name a field of \.spec: aimImageName, open, size$/,
    /field \.metadata\.annotations is an object/
  ])
})

t.test('a change warns of the services that it breaks and moves', async (t) => {
  const known = [
    aConfig({ routing: ENABLED }),
    aService({ name: 'a' }),
    aService({ name: 'b', labels: { team: 'nlp' } }),
    aService({ name: 'c', namespace: 'elsewhere' })
  ]
  const object = aConfig({ routing: { ...ENABLED, pathTemplate: "/{.metadata.labels['team']}" } })
  t.strictSame(judge({ operation: 'UPDATE', object, oldObject: known[0] }, known).warnings, [
    '1 service (ml-team/a) would lose its path, because the template cannot be rendered',
    '1 service (ml-team/b) would move to another path'
  ])
})

t.test('a change warns of each service once, the worst effect first', async (t) => {
  const old = aConfig({ routing: ENABLED })
  const service = (name: string, team: string): JsonObject => aService({ name, labels: { team } })
  const change = (routing: JsonObject, ...services: JsonObject[]): readonly string[] =>
    judge({ operation: 'UPDATE', object: aConfig({ routing }), oldObject: old }, [old, ...services]).warnings
  const byTeam = { ...ENABLED, pathTemplate: "/{.metadata.labels['team']}" }
  const other = { gateway: { name: 'gateway', namespace: 'ml-team' }, path: '/nlp' }
  const held = aService({
    name: 'other',
    namespace: 'elsewhere',
    spec: { resolvedRuntimeConfig: { routing: { gatewayRef: other.gateway, path: other.path } } }
  })

  t.strictSame(change(byTeam, service('a', 'x'), service('b', 'X'), service('c', 'y'), service('d', '')), [
    '1 service (ml-team/d) would lose its path, because the template cannot be rendered',
    '2 services (ml-team/a, ml-team/b) would get paths that another service holds or gets on the same gateway',
    '1 service (ml-team/c) would move to another path'
  ])
  t.strictSame(change(byTeam, service('a', 'nlp'), held), [
    '1 service (ml-team/a) would get a path that another service holds or gets on the same gateway'
  ])
  t.strictSame(change({ ...ENABLED, enabled: false }, service('a', 'x')), [
    '1 service (ml-team/a) would lose its path, because routing would be disabled'
  ])
  t.strictSame(change({ ...ENABLED, gatewayRef: { name: 'b' } }, service('a', 'x'), service('b', 'x')), [
    '2 services (ml-team/a, ml-team/b) would move to another gateway'
  ])
  t.strictSame(change({ ...ENABLED }, service('a', 'x')), [])
})

t.test('two services that swap paths do not collide', async (t) => {
  const template = (by: string): JsonObject => ({ routing: { ...ENABLED, pathTemplate: `/{.metadata.labels.${by}}` } })
  const known = [
    aConfig(template('first')),
    aService({ name: 'a', labels: { first: 'x', second: 'y' } }),
    aService({ name: 'b', labels: { first: 'y', second: 'x' } })
  ]
  t.strictSame(
    judge({ operation: 'UPDATE', object: aConfig(template('second')), oldObject: known[0] }, known).warnings,
    ['2 services (ml-team/a, ml-team/b) would move to another path']
  )
})

t.test('a new namespace configuration warns of the services that it takes over', async (t) => {
  const known = [aClusterConfig({ routing: ENABLED }), aService({ name: 'a' })]
  t.strictSame(judge({ object: aConfig() }, known).warnings, [
    '1 service (ml-team/a) would lose its path, because routing would be disabled'
  ])
})

t.test('a deletion warns of the users and their fallback', async (t) => {
  const services = ['a', 'b', 'c', 'd'].map((name) => aService({ name }))
  const oldObject = aConfig()
  const known = [oldObject, aClusterConfig(), ...services]
  t.strictSame(judge({ operation: 'DELETE', object: null, oldObject }, known).warnings,
    [
      '4 services (ml-team/a, ml-team/b, ml-team/c, …) use AIMRuntimeConfig ml-team/default ' +
      'and fall back to AIMClusterRuntimeConfig default'
    ])
  t.match(judge({ operation: 'DELETE', object: null, oldObject }, [oldObject, ...services]).warnings, [
    /are left without a runtime configuration$/
  ])
  t.strictSame(judge({ operation: 'DELETE', object: null, oldObject }, [oldObject, aService()]).warnings,
    [
      '1 service (ml-team/llama-chat) uses AIMRuntimeConfig ml-team/default and is left without a runtime configuration'
    ])
})

t.test('a cluster configuration does not affect services with a namespace configuration', async (t) => {
  const oldObject = aClusterConfig()
  t.strictSame(judge({ operation: 'DELETE', object: null, oldObject }, [oldObject, aConfig(), aService()]).warnings, [])
})

t.test('services that are too large for the cache are counted, and not examined', async (t) => {
  const limits = { serviceLimits: { service: 2_000, total: 10_000 } }
  const large = (name: string): JsonObject => aService({ name, spec: { routing: ENABLED, note: 'x'.repeat(3_000) } })
  const oldObject = aConfig({ routing: ENABLED })
  const known = [oldObject, large('a'), large('b'), aService({ name: 'c', spec: { routing: ENABLED } })]
  const object = aConfig({ routing: { ...ENABLED, pathTemplate: '/moved/{.metadata.name}' } })
  const change = { operation: 'UPDATE', object, oldObject }
  t.strictSame(judge(change, known, limits).warnings, [
    '1 service (ml-team/c) would move to another path',
    '2 large services that use AIMRuntimeConfig ml-team/default were not examined'
  ])
  t.strictSame(judge(change, [oldObject, large('a')], limits).warnings, [
    '1 large service that uses AIMRuntimeConfig ml-team/default was not examined'
  ])
  t.strictSame(judge({ operation: 'DELETE', object: null, oldObject }, known, limits).warnings, [
    '3 services (ml-team/a, ml-team/b, ml-team/c) use AIMRuntimeConfig ml-team/default and are left without a ' +
      'runtime configuration'
  ])
})

t.test('a service above 16 KiB is admitted with a warning', async (t) => {
  const block = { kind: 'AIMRuntimeConfig', name: 'default' }
  const note = (bytes: number): JsonObject =>
    aService({ spec: { resolvedRuntimeConfig: block, note: 'x'.repeat(bytes) } })
  t.strictSame(judge({ object: note(20_000) }, [aConfig()]).warnings, [
    'this service has more than 16 KiB, so previews of configuration changes leave it out'
  ])
  t.strictSame(judge({ object: note(15_000) }, [aConfig()]).warnings, [])
})
