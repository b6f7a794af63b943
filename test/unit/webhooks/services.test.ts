import fastJsonPatch from 'fast-json-patch'
import t from 'tap'
import { decodeReview } from '../../../src/admission/decode.ts'
import type { Verdict } from '../../../src/admission/verdict.ts'
import { schemaFields } from '../../../src/core/served-fields.ts'
import { newAdmissionEngine, type AdmissionEngine } from '../../../webhooks/engine.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { aboutObject, aClusterConfig, aConfig, aService } from '../../support/builders/objects.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const GATEWAY = { name: 'kserve-gateway', namespace: 'kgateway-system' }
const ROUTED = {
  routing: {
    enabled: true,
    gatewayRef: GATEWAY,
    pathTemplate: "/{.metadata.namespace}/{.metadata.labels['team']}/{.metadata.name}"
  }
}

const POLICY = { missingConfig: 'warn', missingBlock: 'refuse' } as const

function admissionWith (...objects: JsonObject[]): AdmissionEngine {
  return filled(newAdmissionEngine(POLICY, { clock: new ManualClock() }), objects) // each configuration stays recent
}

function filled (admission: AdmissionEngine, objects: readonly JsonObject[]): AdmissionEngine {
  for (const object of objects) admission.sinks[object['kind'] as keyof AdmissionEngine['sinks']].upsert(object)
  return admission
}

function judge ({ webhooks }: AdmissionEngine, path: string, request: JsonObject): Verdict {
  const decoded = decodeReview(Buffer.from(aReview(aboutObject(request))))
  const webhook = webhooks.find((candidate) => candidate.path === path)
  if (decoded.kind !== 'review' || webhook === undefined) throw new Error('no review, or no webhook')
  return webhook.decide(decoded.request)
}

/** The service after the mutating webhook. */
function mutated (admission: AdmissionEngine, request: JsonObject): JsonObject {
  const verdict = judge(admission, '/mutate/aimservices', request)
  const object = structuredClone(request['object'])
  if (verdict.kind !== 'patch') return object as JsonObject
  return fastJsonPatch.applyPatch(object, structuredClone([...verdict.operations]) as fastJsonPatch.Operation[], true)
    .newDocument as JsonObject
}

function block (service: JsonObject): JsonObject | undefined {
  return (service['spec'] as JsonObject)['resolvedRuntimeConfig'] as JsonObject | undefined
}

t.test('the block', async (t) => {
  t.test('has the whole namespace configuration, the service\'s settings first and defaults last', async (t) => {
    const config = aConfig({
      defaultStorageClassName: 'fast-nvme',
      serviceAccountName: 'aim-runtime',
      imagePullSecrets: [{ name: 'registry' }, { name: '' }],
      ...ROUTED
    })
    const admission = admissionWith(config, aClusterConfig({ model: { creationScope: 'Namespace' } }))
    const service = mutated(admission, {
      object: aService({ labels: { team: 'NLP' }, spec: { imagePullSecrets: [{ name: 'own' }, { name: 'registry' }] } })
    })
    t.match(service, {
      spec: { runtimeConfigName: 'default', imagePullSecrets: [{ name: 'own' }, { name: 'registry' }] }
    })
    t.strictSame(block(service), {
      kind: 'AIMRuntimeConfig',
      scope: 'Namespace',
      namespace: 'ml-team',
      name: 'default',
      hash: block(service)?.['hash'],
      defaultStorageClassName: 'fast-nvme',
      serviceAccountName: 'aim-runtime',
      imagePullSecrets: [{ name: 'own' }, { name: 'registry' }],
      model: { creationScope: 'Cluster', autoDiscovery: true },
      routing: {
        enabled: true,
        gatewayRef: GATEWAY,
        pathTemplate: ROUTED.routing.pathTemplate,
        path: '/ml-team/nlp/llama-chat'
      }
    })
    t.match(block(service)?.['hash'], /^sha256:[0-9a-f]{64}$/)
  })

  t.test('renders the name of the configuration that it sets', async (t) => {
    const routing = { ...ROUTED.routing, pathTemplate: '/{.spec.runtimeConfigName}' }
    const admission = admissionWith(aConfig({ routing }))
    for (const spec of [{}, { runtimeConfigName: '' }, { runtimeConfigName: 'default' }]) {
      t.match(block(mutated(admission, { object: aService({ spec }) })), { routing: { path: '/default' } })
    }
  })

  t.test('yields no operation for an admitted service', async (t) => {
    const admission = admissionWith(aConfig(ROUTED))
    const object = mutated(admission, { object: aService({ labels: { team: 'nlp' } }) })
    t.match(judge(admission, '/mutate/aimservices', { object }), { kind: 'admit', warnings: [] })
  })

  t.test('keeps nothing of the previous configuration', async (t) => {
    const admission = admissionWith(
      aConfig({ defaultStorageClassName: 'a', serviceAccountName: 'b' }),
      aConfig({}, { name: 'other' })
    )
    const old = mutated(admission, { object: aService() })
    const object = { ...old, spec: { ...old['spec'] as JsonObject, runtimeConfigName: 'other' } }
    t.strictSame(Object.keys(block(mutated(admission, { operation: 'UPDATE', object, oldObject: old })) ?? {}), [
      'kind',
      'scope',
      'namespace',
      'name',
      'hash',
      'model',
      'routing'
    ])
  })

  t.test('is removed with a warning if the configuration is missing', async (t) => {
    const old = mutated(admissionWith(aConfig()), { object: aService() })
    const verdict = judge(admissionWith(), '/mutate/aimservices', { operation: 'UPDATE', object: old, oldObject: old })
    t.match(verdict, {
      kind: 'patch',
      operations: [{ op: 'remove', path: '/spec/resolvedRuntimeConfig' }],
      warnings: [/neither an AIMRuntimeConfig ml-team\/default nor an AIMClusterRuntimeConfig default/]
    })
  })

  t.test('is restored with a warning after a manual edit', async (t) => {
    const admission = admissionWith(aConfig())
    const old = mutated(admission, { object: aService() })
    const object = {
      ...old,
      spec: { ...(old['spec'] as JsonObject), resolvedRuntimeConfig: { ...block(old), hash: 'sha256:0' } }
    }
    t.match(judge(admission, '/mutate/aimservices', { operation: 'UPDATE', object, oldObject: old }).warnings, [
      /written by admission only/
    ])
    t.strictSame(mutated(admission, { operation: 'UPDATE', object, oldObject: old }), old)
  })

  t.test('has no path before the name is generated', async (t) => {
    const object = aService({ name: '', metadata: { generateName: 'llama-' } })
    const routing = block(
      mutated(admissionWith(aConfig({ routing: { enabled: true, gatewayRef: GATEWAY } })), { object })
    )?.['routing']
    t.strictSame(routing, {
      enabled: true,
      gatewayRef: GATEWAY,
      pathTemplate: '/{.metadata.namespace}/{.metadata.name}'
    })
  })
})

t.test('refusals', async (t) => {
  const routed = (pathTemplate: string): JsonObject => ({
    routing: { enabled: true, gatewayRef: GATEWAY, pathTemplate }
  })
  const cases: Record<string, { template: string, code: string, field: string, message: RegExp }> = {
    'a missing label, with the command that sets it': {
      template: "/{.metadata.labels['team']}",
      code: 'AIM-PATH-FIELD-MISSING',
      field: 'metadata.labels[team]',
      message:
        /^label "team" is not set on this service; run: kubectl label --local -f FILE -o yaml team=<team> \|/
    },
    'a template of 201 characters': {
      template: '/' + 'a'.repeat(200),
      code: 'AIM-TEMPLATE-TOO-LONG',
      field: 'spec.routing.pathTemplate',
      message: /201 characters, at most 200/
    },
    'a template with a syntax error': {
      template: '/{.metadata.name',
      code: 'AIM-TEMPLATE-SYNTAX',
      field: 'spec.routing.pathTemplate',
      message: /./
    }
  }
  for (const [name, { template, code, field, message }] of Object.entries(cases)) {
    t.test(`name ${name}`, async (t) => {
      const verdict = judge(admissionWith(aConfig()), '/validate/aimservices', {
        object: aService({ spec: routed(template) })
      })
      t.match(verdict, { kind: 'deny', faults: [{ code, field, message }] })
    })
  }

  t.test('are reported together', async (t) => {
    const verdict = judge(admissionWith(aConfig()), '/validate/aimservices', {
      object: aService({ spec: routed("/{.metadata.labels['a']}/{.metadata.annotations['b']}") })
    })
    t.match(verdict, { kind: 'deny', faults: [{ field: 'metadata.labels[a]' }, { field: 'metadata.annotations[b]' }] })
  })

  t.test('name the holder of a path, regardless of letter case', async (t) => {
    const admission = admissionWith(aConfig(routed("/{.metadata.labels['team']}")))
    admission.sinks.AIMService.upsert(
      mutated(admission, { object: aService({ name: 'first', labels: { team: 'nlp' } }) })
    )
    const verdict = judge(admission, '/validate/aimservices', {
      object: aService({ name: 'second', labels: { team: 'NLP' } })
    })
    t.match(verdict, {
      kind: 'deny',
      faults: [
        {
          code: 'AIM-PATH-CONFLICT',
          message: /already held by AIMService ml-team\/first on gateway kgateway-system\/kserve-gateway/
        }
      ]
    })
  })
})

t.test('the messages of a refusal', async (t) => {
  const routed = (own: { pathTemplate?: string } = {}): JsonObject => ({
    routing: { enabled: true, gatewayRef: GATEWAY, ...own }
  })
  const known = admissionWith(aConfig(), aConfig(ROUTED, { name: 'by-team' }))
  const refuse = (request: JsonObject, admission = known): { code: string, field: string, message: string }[] => {
    const verdict = judge(admission, '/validate/aimservices', request)
    t.strictSame(verdict.warnings, [], 'a refusal has no warnings')
    return verdict.kind === 'deny' ? [...verdict.faults] : []
  }

  t.test('have a command that no shell runs before a value is given', async (t) => {
    const labels = "/{.metadata.labels['team']}/{.metadata.annotations['example.com/group']}"
    for (const request of [
      { object: aService({ spec: routed({ pathTemplate: labels }) }) },
      { object: aService({ metadata: { generateName: 'a-' }, name: '', spec: routed({ pathTemplate: labels }) }) },
      {
        operation: 'UPDATE',
        object: aService({ spec: routed({ pathTemplate: labels }) }),
        oldObject: aService({ labels: { team: 'nlp' } })
      }
    ]) {
      const commands = refuse(request).map(({ message }) => message.split('run: ')[1] ?? '')
      t.match(commands, [/team=<team>/, /example.com\/group=<group>/])
      for (const command of commands) t.match(command, /=<\w+>(?: \||$)/, 'a redirection to nowhere')
    }
  })

  t.test('start with the cause, and have about 160 characters', async (t) => {
    const [label] = refuse({
      operation: 'UPDATE', object: aService({ spec: { runtimeConfigName: 'by-team' } }), oldObject: aService()
    })
    t.match(label?.message, /^label "team" is not set on this service; the path template of AIMRuntimeConfig ml-team\//)
    t.ok((label?.message.length ?? 0) <= 170, `${label?.message.length} characters`)
    const [template] = refuse({ object: aService({ spec: routed({ pathTemplate: '/a/{.metadata.nam}' }) }) })
    t.equal(template?.message, 'no service has a field .metadata.nam ({.metadata.nam} at position 4); ' +
      'write {.metadata.name}')
    const long = refuse({ object: aService({ spec: routed({ pathTemplate: `/{.spec.${'env.'.repeat(30)}}` }) }) })
    t.match(long, [{ message: /^a field name is missing after the dot \(\{\.spec\.env\.[a-z.]*… at position \d+\); add/ }])
    for (const { message } of long) t.ok(message.length <= 170, `${message.length} characters`)
  })

  t.test('ask whether a similar label or configuration is meant', async (t) => {
    const [label] = refuse({ object: aService({ labels: { tema: 'nlp' }, spec: { runtimeConfigName: 'by-team' } }) })
    t.match(label?.message, /^label "team" is not set on this service \(did you mean "tema"\?\); .*set: tema; run/)
    const object = aService({ spec: { runtimeConfigName: 'defualt' } })
    const shared = admissionWith(aClusterConfig(), aConfig({}, { namespace: 'other', name: 'defaults' }))
    for (const path of ['/mutate/aimservices', '/validate/aimservices']) {
      t.match(judge(known, path, { object }).warnings, [/^runtime configuration "defualt" is missing \(did you mean "default"\?\)/])
      t.match(judge(shared, path, { object }).warnings, [/ \(did you mean "default"\?\): there is neither/])
    }
    const strict = filled(newAdmissionEngine({ ...POLICY, missingConfig: 'refuse' }), [aConfig()])
    t.match(refuse({ object }, strict), [{ message: /did you mean "default"/ }])
    const other = aService({ spec: { runtimeConfigName: 'gpu' } })
    t.notMatch(judge(known, '/mutate/aimservices', { object: other }).warnings[0], /did you mean/)
  })

  t.test('recommend the slash that the path gets anyway', async (t) => {
    const warningsOf = (template: string): readonly string[] =>
      judge(known, '/validate/aimservices', { object: aService({ spec: routed({ pathTemplate: template }) }) }).warnings
    t.strictSame(warningsOf('chat/{.metadata.name}'), [
      'spec.routing.pathTemplate does not start with a slash, which is added to the path; write /chat/{.metadata.name}'
    ])
    t.strictSame(warningsOf('/chat/{.metadata.name}'), [])
    const config = { object: aConfig({ routing: { pathTemplate: 'chat' } }) }
    t.match(judge(known, '/validate/aimruntimeconfigs', config), { kind: 'admit', warnings: [/write \/chat$/] })
  })

  t.test('ask for another template where no service can have the field, by the served definition', async (t) => {
    const properties = { aimModelName: { type: 'string' }, env: { type: 'array' } }
    const served = schemaFields({ type: 'object', properties: { spec: { type: 'object', properties } } })
    const refused = (pathTemplate: string, isOwn: boolean) => {
      const engine = filled(newAdmissionEngine(POLICY, { served }), [aConfig(isOwn ? {} : routed({ pathTemplate }))])
      return refuse({ object: aService(isOwn ? { spec: routed({ pathTemplate }) } : {}) }, engine)[0]?.message
    }
    t.equal(refused('/{.spec.aimImageName}', false), 'no service has a field .spec.aimImageName ' +
      '({.spec.aimImageName} at position 2 in the path template of AIMRuntimeConfig ml-team/default); correct it ' +
      'there, or set spec.routing.pathTemplate on the service')
    t.equal(refused('/{.spec.aimModelNam}', true), 'no service has a field .spec.aimModelNam (did you mean ' +
      '"aimModelName"?) ({.spec.aimModelNam} at position 2); name a field of .spec: aimModelName, env')
    t.match(refused('/{.spec.env}', true), /field \.spec\.env is a list .*choose one item/)
    t.match(refused('/{.spec.aimModelName}', true), /\.spec\.aimModelName is not set on this service .*; set it/)
    t.match(refused('/{.spec.images[*].name}', true), /no service has a field \.spec\.images /)
    t.match(refused('/{.metadata.labels.team}', true), /run: kubectl label/)
    t.match(refused('/{.metadata.labels.a.b}', true), /label "a\.b" is not set.*; write \{/)
  })

  t.test('have no command with an invalid label key, because users paste it into a shell', async (t) => {
    for (const key of [
      'a b; rm -rf ~', '$(touch x)', '-x', '__proto__', 'x`y`', 'a/b/c', 'Upper.Case/x', 'a|b', 'k'.repeat(64)
    ]) {
      const [fault] = refuse({ object: aService({ spec: routed({ pathTemplate: `/{.metadata.labels["${key}"]}` }) }) })
      t.match(
        fault,
        {
          code: 'AIM-PATH-FIELD-MISSING',
          field: 'spec.routing.pathTemplate',
          message: /cannot be set on any service.*; name another key, such as team or example\.com\/team$/
        },
        key
      )
      t.notMatch(fault?.message, /run:/)
    }
  })

  t.test('name the namespace in the command, because the manifest may omit it', async (t) => {
    t.match(
      refuse({ object: aService({ spec: routed({ pathTemplate: "/{.metadata.labels['team']}" }) }) })[0]?.message,
      /team=<team> \| kubectl -n ml-team apply -f -$/
    )
  })

  t.test('end with the fix even with many long labels', async (t) => {
    const labels = Object.fromEntries(
      Array.from({ length: 100 }, (_, at) => [`${'l'.repeat(120)}.example.com/${at}`, 'x'])
    )
    const [fault] = refuse({
      object: aService({ labels: { app: 'x', ...labels }, spec: { runtimeConfigName: 'by-team' } })
    })
    t.ok((fault?.message.length ?? 0) < 1_024)
    t.match(
      fault?.message,
      /labels set: app and 100 more; run: kubectl label [^;]+ -f -$/
    )
  })

  t.test('overwrite a label that the refused request removes', async (t) => {
    const [fault] = refuse({
      operation: 'UPDATE',
      object: aService({ spec: { runtimeConfigName: 'by-team' } }),
      oldObject: aService({ labels: { team: 'nlp' }, spec: { runtimeConfigName: 'by-team' } })
    })
    t.match(fault?.message, /needs it; run: kubectl -n ml-team label aimsvc\/llama-chat --overwrite team=<team>$/)
  })

  t.test('suggest a shorter name for the default template', async (t) => {
    t.match(refuse({ object: aService({ name: 'n'.repeat(192), spec: routed() }) }), [
      {
        field: 'metadata.name',
        message: /201 characters.*; give the service a shorter name, or set spec\.routing\.pathTemplate on it$/
      }
    ])
    t.strictSame(refuse({ object: aService({ name: 'n'.repeat(191), spec: routed() }) }), [])
  })

  t.test('name the missing configuration if the policy is refuse', async (t) => {
    const admission = newAdmissionEngine({ ...POLICY, missingConfig: 'refuse' })
    const refused = {
      code: 'AIM-CONFIG-MISSING',
      field: 'spec.runtimeConfigName',
      message: 'runtime configuration "default" is missing: there is neither an AIMRuntimeConfig ml-team/default ' +
        'nor an AIMClusterRuntimeConfig default; ' +
        'create one of them, or name another in spec.runtimeConfigName'
    }
    t.strictSame(refuse({ object: aService() }, admission), [refused])
    t.strictSame(judge(admission, '/mutate/aimservices', { object: aService() }).warnings, [])
    const update = { operation: 'UPDATE', object: aService({ labels: { a: 'b' } }), oldObject: aService() }
    const warning = new RegExp('^existing problem, not caused by this change: spec\\.runtimeConfigName: ' +
      'runtime configuration "default" is missing')
    t.match(judge(admission, '/validate/aimservices', update), { kind: 'admit', warnings: [warning] })
    t.match(
      judge(admission, '/validate/aimservices', {
        operation: 'UPDATE',
        object: aService({ spec: { runtimeConfigName: 'b' } }),
        oldObject: aService()
      }),
      { kind: 'deny' }
    )
  })

  t.test('name the configuration with the invalid template', async (t) => {
    const admission = admissionWith(aConfig({ routing: { pathTemplate: '/{.metadata.name' } }))
    t.match(refuse({ object: aService() }, admission), [{
      field: 'spec.runtimeConfigName',
      message:
        new RegExp('^the expression is not closed \\(\\{.metadata.name at position 2 in the path template of ' +
          'AIMRuntimeConfig ml-team/default\\); end it with }, or set spec.routing.pathTemplate on the service$')
    }])
    t.strictSame(refuse({ object: aService({ spec: { routing: { pathTemplate: '/own' } } }) }, admission), [])
    const update = { operation: 'UPDATE', object: aService({ spec: { replicas: 2 } }), oldObject: aService() }
    t.match(judge(admission, '/validate/aimservices', update), {
      kind: 'admit',
      warnings: [/^existing problem, not caused by this change/]
    })
  })

  t.test('name the holder to a service with a generated name', async (t) => {
    const admission = admissionWith(aConfig(routed({ pathTemplate: '/same' })))
    admission.sinks.AIMService.upsert(mutated(admission, { object: aService({ name: 'first' }) }))
    t.match(refuse({ object: aService({ name: 'gen-x2k4p', metadata: { generateName: 'gen-' } }) }, admission),
      [{
        code: 'AIM-PATH-CONFLICT',
        field: 'spec.runtimeConfigName',
        message: /^path \/same is already held by AIMService ml-team\/first/
      }])
  })
})

t.test('a path with two holders', async (t) => {
  const admission = admissionWith(aConfig({ routing: { enabled: true, gatewayRef: GATEWAY, pathTemplate: '/same' } }))
  const service = (name: string, created: string, more: Parameters<typeof aService>[0] = {}): JsonObject =>
    mutated(admission, {
      object: aService({ name, metadata: { creationTimestamp: `2026-01-01T00:00:0${created}Z` }, ...more })
    })
  const [older, younger] = [service('older', '1'), service('younger', '2')]
  for (const object of [older, younger]) admission.sinks.AIMService.upsert(object)
  const update = (object: JsonObject, oldObject: JsonObject): Verdict =>
    judge(admission, '/validate/aimservices', { operation: 'UPDATE', object, oldObject })
  const touched = { metadata: { annotations: { a: 'b' } } }

  t.test('is kept by the older without, and by the younger with a warning', async (t) => {
    t.match(
      update(
        service('older', '1', { metadata: { creationTimestamp: '2026-01-01T00:00:01Z', ...touched.metadata } }),
        older
      ),
      { kind: 'admit', warnings: { length: 0 } }
    )
    const metadata = { creationTimestamp: '2026-01-01T00:00:02Z', ...touched.metadata }
    t.match(update(service('younger', '2', { metadata }), younger),
      { kind: 'admit', warnings: [/path \/same is already held by AIMService ml-team\/older/] })
  })

  t.test('is refused to a service that gave it up', async (t) => {
    const away = service('younger', '2', {
      spec: { routing: { pathTemplate: '/away' } },
      metadata: { creationTimestamp: '2026-01-01T00:00:02Z' }
    })
    t.match(update(away, younger), { kind: 'admit', warnings: [/moves from \/same to \/away/] })
    t.match(update(younger, away), { kind: 'deny', faults: [{ code: 'AIM-PATH-CONFLICT' }] })
  })
})

t.test('warnings', async (t) => {
  const warned = (admission: AdmissionEngine, request: JsonObject): readonly string[] =>
    judge(admission, '/validate/aimservices', request).warnings

  t.test('report routing without a gateway', async (t) => {
    t.strictSame(warned(admissionWith(aConfig()), { object: aService({ spec: { routing: { enabled: true } } }) }),
      ['routing is enabled without a gateway, so no route can be created; ' +
        'set spec.routing.gatewayRef on the service or in its runtime configuration'])
  })

  t.test('report a withdrawn live path', async (t) => {
    const admission = admissionWith(aConfig(ROUTED))
    const oldObject = mutated(admission, { object: aService({ labels: { team: 'nlp' } }) })
    const object = aService({ labels: { team: 'nlp' }, spec: { routing: { enabled: false } } })
    t.strictSame(warned(admission, { operation: 'UPDATE', object, oldObject }), [
      'the live path /ml-team/nlp/llama-chat is withdrawn; clients that use it will fail'
    ])
  })

  t.test('report covering and covered paths on the same gateway only', async (t) => {
    const at = (pathTemplate: string, gatewayRef: JsonObject = GATEWAY): JsonObject => ({
      routing: { enabled: true, gatewayRef, pathTemplate }
    })
    const admission = admissionWith(aConfig())
    admission.sinks.AIMService.upsert(mutated(admission, { object: aService({ name: 'first', spec: at('/a/b') }) }))
    t.strictSame(warned(admission, { object: aService({ spec: at('/a') }) }), [
      'path /a covers /a/b of AIMService ml-team/first as a prefix on the same gateway'
    ])
    t.strictSame(warned(admission, { object: aService({ spec: at('/a/b/c') }) }), [
      'path /a/b/c is covered by /a/b of AIMService ml-team/first as a prefix on the same gateway'
    ])
    t.strictSame(warned(admission, { object: aService({ spec: at('/a/bc') }) }), [])
    t.strictSame(warned(admission, { object: aService({ spec: at('/a', { name: 'other' }) }) }), [])
  })
})

t.test('an UPDATE', async (t) => {
  const admission = admissionWith(aConfig(ROUTED))
  const broken = aService({ spec: { replicas: 1 } })

  t.test('with an existing problem gets a warning only', async (t) => {
    const verdict = judge(admission, '/validate/aimservices', {
      operation: 'UPDATE',
      object: aService({ labels: { app: 'x' }, spec: { replicas: 2 } }),
      oldObject: broken
    })
    t.match(verdict, {
      kind: 'admit',
      warnings: [/^existing problem, not caused by this change.*label "team" is not set/]
    })
  })

  t.test('that causes a fault is refused, with a command for the stored service', async (t) => {
    const verdict = judge(admission, '/validate/aimservices', {
      operation: 'UPDATE',
      object: broken,
      oldObject: aService({ labels: { team: 'nlp' } })
    })
    t.match(verdict, { kind: 'deny', faults: [{ message: /kubectl -n ml-team label aimsvc\/llama-chat --overwrite team=<team>$/ }] })
  })

  t.test('that moves the live path gets a warning', async (t) => {
    const oldObject = mutated(admission, { object: aService({ labels: { team: 'nlp' } }) })
    const object = { ...oldObject, metadata: { ...oldObject['metadata'] as JsonObject, labels: { team: 'vision' } } }
    t.match(judge(admission, '/validate/aimservices', { operation: 'UPDATE', object, oldObject }).warnings, [
      /moves from \/ml-team\/nlp\/llama-chat to \/ml-team\/vision\/llama-chat/
    ])
  })

  t.test('that changes overrides gets a warning for each', async (t) => {
    const [before, after] = [{ metric: 'latency' }, { metric: 'throughput', precision: 'fp8' }].map((overrides) =>
      aService({ labels: { team: 'nlp' }, spec: { overrides } }))
    const warnings = (object: unknown): readonly string[] =>
      judge(admission, '/validate/aimservices', { operation: 'UPDATE', object, oldObject: before }).warnings
    t.match(warnings(after), [/^spec\.overrides\.metric changes; .*/, /^spec\.overrides\.precision changes; .*/])
    t.strictSame(warnings(before), [])
  })

  t.test('of a service that is being deleted is admitted unchanged', async (t) => {
    const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z' }
    const [object, oldObject] = [aService({ metadata }), aService({ metadata, labels: { team: 'nlp' } })]
    for (const path of ['/mutate/aimservices', '/validate/aimservices']) {
      t.match(
        judge(admission, path, { operation: 'UPDATE', object, oldObject }),
        { kind: 'admit', warnings: [] }
      )
    }
  })
})

t.test('a block that another webhook removed', async (t) => {
  const robbed = { object: aService({ spec: { runtimeConfigName: 'default' } }) }
  const setUp = ({ missingBlock }: { missingBlock: 'refuse' | 'admit' } = { missingBlock: 'refuse' }) => {
    const clock = new ManualClock()
    return { clock, admission: filled(newAdmissionEngine({ ...POLICY, missingBlock }, { clock }), [aConfig()]) }
  }
  const refusal = {
    kind: 'deny',
    faults: [
      {
        code: 'AIM-BLOCK-MISSING',
        field: 'spec.resolvedRuntimeConfig',
        message:
          /^another admission webhook removed the settings of AIMRuntimeConfig ml-team\/default; ask your/
      }
    ]
  }

  t.test('is refused once the configuration is 5 s old, when every replica has it', async (t) => {
    const { clock, admission } = setUp()
    clock.pass(4_999)
    t.match(judge(admission, '/validate/aimservices', robbed), { kind: 'admit' })
    clock.pass(1)
    t.match(judge(admission, '/validate/aimservices', robbed), refusal)
    t.match(
      judge(admission, '/validate/aimservices', {
        operation: 'UPDATE',
        ...robbed,
        oldObject: mutated(admission, robbed)
      }),
      refusal
    )
  })

  t.test('does not refuse an update of a service without a block, or under the policy admit', async (t) => {
    const { clock, admission } = setUp()
    const lenient = setUp({ missingBlock: 'admit' })
    clock.pass(60_000)
    lenient.clock.pass(60_000)
    t.match(judge(admission, '/validate/aimservices', { operation: 'UPDATE', ...robbed, oldObject: robbed.object }), {
      kind: 'admit'
    })
    t.match(judge(lenient.admission, '/validate/aimservices', robbed), { kind: 'admit' })
  })

  t.test('is not reported if it is present or the configuration is missing', async (t) => {
    const { clock, admission } = setUp()
    clock.pass(60_000)
    t.match(judge(admission, '/validate/aimservices', { object: mutated(admission, robbed) }), { kind: 'admit' })
    admission.sinks.AIMRuntimeConfig.remove({ namespace: 'ml-team', name: 'default' })
    t.match(judge(admission, '/validate/aimservices', robbed), { kind: 'admit' })
  })
})

t.test('services that differ in the last digit of a large integer have different paths', async (t) => {
  const routing = { ...ROUTED.routing, pathTemplate: '/{.spec.resources.limits.cpu}' }
  const admission = admissionWith(aConfig({ routing }))
  for (const digits of ['9007199254740992', '9007199254740993']) {
    const name = `s${digits}`
    const object = aService({ metadata: { name }, spec: { resources: { limits: { cpu: 'CPU' } } } })
    const decoded = decodeReview(Buffer.from(aReview(aboutObject({ object })).replace('"CPU"', digits)))
    if (decoded.kind !== 'review') throw new Error('no review')
    const verdict = admission.webhooks.find(({ path }) => path === '/mutate/aimservices')?.decide(decoded.request)
    const operations = verdict?.kind === 'patch' ? verdict.operations : []
    t.match(operations.at(-1), { value: { routing: { path: `/${digits}` } } })
    admission.sinks.AIMService.upsert(decoded.request.object ?? {})
    const [cached] = [...admission.services.all()].filter((service) => service.name === name)
    const cpu = digits.endsWith('3') ? BigInt(digits) : Number(digits)
    t.match(cached?.parse()?.object, { spec: { resources: { limits: { cpu } } } }, 'in the cache, too')
  }
})

t.test('empty names and templates are unset', async (t) => {
  const spec = { runtimeConfigName: '', routing: { pathTemplate: '' } }
  const object = aService({ metadata: { name: 'a', labels: { team: 'x' } }, spec })
  const { namespace } = object['metadata'] as { namespace: string }
  t.match(mutated(admissionWith(aConfig(ROUTED)), { object }), {
    spec: { runtimeConfigName: 'default', resolvedRuntimeConfig: { routing: { path: `/${namespace}/x/a` } } }
  })
  const untemplated = admissionWith(aConfig({ routing: { ...ROUTED.routing, pathTemplate: '' } }))
  t.match(mutated(untemplated, { object }), {
    spec: { resolvedRuntimeConfig: { routing: { path: `/${namespace}/a` } } }
  })
})
