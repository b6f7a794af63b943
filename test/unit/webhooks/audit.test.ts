import t from 'tap'
import { decodeReview } from '../../../src/admission/decode.ts'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { aboutObject, aClusterConfig, aConfig, aService } from '../../support/builders/objects.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

/** The audit annotations of each webhook for a request; two configurations named default are known. */
function audited (request: JsonObject): unknown[] {
  const { webhooks, sinks } = newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'admit' })
  sinks.AIMRuntimeConfig.upsert(aConfig())
  sinks.AIMClusterRuntimeConfig.upsert(aClusterConfig())
  const decoded = decodeReview(Buffer.from(aReview(aboutObject(request))))
  if (decoded.kind !== 'review') throw new Error(decoded.message)
  return webhooks
    .filter(({ resource }) => resource.kind === decoded.request.kind)
    .map(({ decide }) => decide(decoded.request).audit)
}

const HASH = /^sha256:[0-9a-f]{64}$/
const OWN = { config: 'AIMRuntimeConfig ml-team/default', hash: HASH }
const ROUTED = { routing: { enabled: true } }
const INVALID = { routing: { enabled: true, pathTemplate: '/{' } }

const cases: Record<string, { request: JsonObject, want: unknown[] }> = {
  'a service has its configuration and path': {
    request: { object: aService({ spec: ROUTED }) },
    want: [
      { ...OWN, path: '/ml-team/llama-chat' },
      { ...OWN, path: '/ml-team/llama-chat' }
    ]
  },
  'a service without a route': { request: { object: aService() }, want: [OWN, OWN] },
  'a service of a cluster configuration': {
    request: { object: aService({ namespace: 'other' }) },
    want: [
      { config: 'AIMClusterRuntimeConfig default', hash: HASH },
      { config: 'AIMClusterRuntimeConfig default', hash: HASH }
    ]
  },
  'a service whose configuration is missing': {
    request: { object: aService({ spec: { runtimeConfigName: 'none' } }) },
    want: [{ config: 'missing' }, { config: 'missing' }]
  },
  'a refused service has its faults too': {
    request: { object: aService({ spec: INVALID }) },
    want: [OWN, { ...OWN, faults: 'AIM-TEMPLATE-SYNTAX' }]
  },
  'a configuration has the version of the request': {
    request: { object: aConfig({ defaultStorageClassName: 'a' }) },
    want: [OWN]
  },
  'a refused configuration': {
    request: { object: aConfig(INVALID) },
    want: [{ ...OWN, faults: 'AIM-TEMPLATE-SYNTAX' }]
  },
  'two faults with one code are listed once': {
    request: { object: aClusterConfig({ serviceAccountName: 'a', imagePullSecrets: [{ name: 'b' }] }) },
    want: [
      { config: /default/, faults: 'AIM-CREDENTIALS-IN-CLUSTER-CONFIG' }
    ]
  },
  'a deletion': { request: { operation: 'DELETE', object: null, oldObject: aConfig() }, want: [{ config: OWN.config }] }
}
for (const [name, { request, want }] of Object.entries(cases)) {
  t.test(name, async (t) => { t.match(audited(request), want) })
}
