import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { KINDS } from '../../../src/api/kinds.ts'
import { API_VERSION } from '../../../src/api/meta.ts'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { OFFLINE_DEFINITION, reviewObjects, type Reviewed } from '../../../src/offline/review-objects.ts'
import { ownObject, type JsonObject } from '../../../src/platform/json.ts'
import { localObject } from '../../../src/offline/local-object.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { startProduct } from '../../support/programs/product.ts'

const cluster = await startCluster()
const product = await startProduct(cluster)
t.teardown(async () => {
  await product.stop()
  await cluster.stop()
})

const PAIRS = 100
const SEED = 20_261_124
const NAMESPACE = 'default'

/** Each yields another path for every service, or none: which of two comes first is not at stake here. */
const TEMPLATES = [
  '/{.metadata.name}', "/{.metadata.labels['team']}/{.metadata.name}", "/{.metadata.labels['app.kubernetes.io/name']}/{.metadata.name}", '/A B/{.metadata.name}',
  '/{.metadata.name}/{.spec.model}', '/{.metadata.name', '/{{.metadata.name}}', '/../{.metadata.name}', '/{.metadata.name}/{.spec.imagePullSecrets[*].name}',
  '/{.metadata.uid}', `/${'long/'.repeat(39)}{.metadata.name}`, `/${'x'.repeat(201)}`, '/{.metadata.name}/{.spec.replicas}', ''
]
const name = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom('a', 'b', 'kserve-gateway') },
  { weight: 1, arbitrary: fc.constant('Not_A_Name') }
)
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const rarely = <T>(value: T) =>
  fc.oneof({ weight: 15, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constant(value) })
const routing = fc.record({
  enabled: maybe(fc.boolean()),
  gatewayRef: maybe(fc.record({ name, namespace: maybe(fc.constant('gateways')), port: rarely(99_999) })),
  pathTemplate: maybe(fc.constantFrom(...TEMPLATES))
})
const secrets = fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c') }), { maxLength: 3 })
const configSpec = fc.record({
  defaultStorageClassName: maybe(name),
  serviceAccountName: maybe(name),
  imagePullSecrets: maybe(secrets),
  routing: maybe(routing),
  modle: rarely(1)
})
const serviceSpec = fc.record({
  model: fc.oneof(
    { weight: 15, arbitrary: fc.constantFrom<object>({ ref: 'a' }, { image: 'ghcr.io/a:1' }) },
    { weight: 1, arbitrary: fc.constant({ ref: 'a', image: 'b' }) }
  ),
  replicas: fc.oneof(
    { weight: 15, arbitrary: fc.constantFrom(undefined, 2) },
    { weight: 1, arbitrary: fc.constant(-1) }
  ),
  serviceAccountName: maybe(name),
  imagePullSecrets: maybe(secrets),
  routing: maybe(routing),
  cacheModel: rarely('yes'),
  resolvedRuntimeConfig: rarely({ kind: 'AIMRuntimeConfig', scope: 'Namespace', name: 'x', hash: 'sha256:0' })
})
const labels = fc.record({
  team: maybe(fc.constantFrom('NLP', 'vision', 'a_b')),
  'app.kubernetes.io/name': maybe(fc.constant('chat'))
})
const pair = fc.record({
  config: maybe(configSpec),
  clusterConfig: rarely({ routing: { enabled: true } }),
  spec: serviceSpec,
  labels
})

type Pair = typeof pair extends fc.Arbitrary<infer T> ? T : never

/** A configuration or two of a name of their own, and the service that uses them. */
function objectsOf ({ config, clusterConfig, spec, labels }: Pair, at: number): JsonObject[] {
  const about = (kind: string, name: string, more: object) => ({
    apiVersion: API_VERSION,
    kind,
    ...more,
    metadata: { name, ...('metadata' in more ? (more.metadata as object) : {}) }
  })
  return [
    ...(config === undefined
      ? []
      : [about('AIMRuntimeConfig', `c${at}`, { metadata: { namespace: NAMESPACE }, spec: config })]),
    ...(clusterConfig === undefined ? [] : [about('AIMClusterRuntimeConfig', `c${at}`, { spec: clusterConfig })]),
    about('AIMService', `s${at}`, {
      metadata: { namespace: NAMESPACE, labels },
      spec: { ...spec, runtimeConfigName: `c${at}` }
    })
  ].map((object) => JSON.parse(JSON.stringify(object)) as JsonObject) // without what is undefined
}

/** Names that exist at that moment, which are not the same in both. */
const withoutRemark = (text: string): string => text.replace(/ \(did you mean "[^"]*"\?\)/, '')

interface Answer {
  readonly allowed: boolean
  /** None of an object that its schema refuses: the API server asks mutating webhooks before it looks at the schema. */
  readonly warnings: readonly string[]
  /** Of a refusal by the product; empty where the API server's own validation refuses. */
  readonly causes: readonly string[]
  readonly spec: unknown
}

async function created (object: JsonObject): Promise<Answer> {
  const kind = KINDS.find((known) => known.kind === object['kind'])
  if (kind === undefined) throw new Error('not one of the kinds')
  const collection = kind.scope === 'Cluster' ? kind.plural : `namespaces/${NAMESPACE}/${kind.plural}`
  const { statusCode, headers, body } = await cluster.client.request(`/apis/${API_VERSION}/${collection}`, {
    method: 'POST', query: { fieldValidation: 'Strict' }, headers: { 'content-type': 'application/json' }, body: JSON.stringify(object)
  })
  const answer = await body.json() as JsonObject // an object, or a Status
  const warnings = [
    ...[headers['warning'] ?? []]
      .flat()
      .join(', ')
      .matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)
  ].map(([, text = '']) => text.replace(/\\(.)/g, '$1'))
  const causes = (ownObject(answer, 'details')['causes'] ?? []) as { reason: string, field: string, message: string }[]
  const ours = causes
    .filter(({ reason }) => reason.startsWith('AIM-'))
    .map(({ field, message }) => `${field}: ${message}`)
  return {
    allowed: statusCode < 300,
    warnings: statusCode < 300 || ours.length > 0 ? warnings.map(withoutRemark) : [],
    causes: ours,
    spec: statusCode < 300 ? answer['spec'] : undefined
  }
}

function offline ({ faults, warnings, object }: Reviewed): Answer {
  return {
    allowed: faults.length === 0,
    warnings: faults.some(({ code }) => code === 'SCHEMA') ? [] : warnings.map(withoutRemark),
    causes: faults.filter(({ code }) => code !== 'SCHEMA').map(({ field, message }) => `${field}: ${message}`),
    spec: faults.length === 0 ? object['spec'] : undefined
  }
}

t.test('review says of every object what the real API server says', async (t) => {
  const objects = fc.sample(pair, { numRuns: PAIRS, seed: SEED }).flatMap(objectsOf)
  const reviewed = reviewObjects(
    objects.flatMap((object) => localObject(object) ?? []),
    newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' }, { served: OFFLINE_DEFINITION })
  )
  const seen = { allowed: 0, refused: 0, warned: 0, causes: 0 }
  const differing: object[] = []
  for (const [at, object] of objects.entries()) {
    const real = await created(object)
    const ours = reviewed[at]
    if (ours === undefined) throw new Error('an object was not reviewed')
    const answer = offline(ours)
    if (!isDeepStrictEqual(answer, real)) differing.push({ object, real, offline: answer })
    seen[real.allowed ? 'allowed' : 'refused'] += 1
    if (real.warnings.length > 0) seen.warned += 1
    if (real.causes.length > 0) seen.causes += 1
  }
  t.same(differing.slice(0, 3), [], `${differing.length} of ${objects.length} differ`)
  for (const [what, count] of Object.entries(seen)) t.ok(count >= 10, `${what}: ${count}`)
  t.comment(JSON.stringify({ objects: objects.length, ...seen }))
})
