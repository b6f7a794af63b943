import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { customResourceDefinitions } from '../../../src/api/custom-resource-definitions.ts'
import { BLOCK_ANNOTATION } from '../../../src/api/meta.ts'
import { own, ownObject, type JsonObject } from '../../../src/platform/json.ts'
import { actionsOf, manifest, routed } from '../../support/builders/manifests.ts'
import { isWrite } from '../../support/cluster/audit-log.ts'
import { inNamespace } from '../../support/cluster/cluster-client.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { conditionOf, observationsOf, type StoredObject } from '../../support/cluster/observed.ts'
import { installDefinitions } from '../../support/operator/install.ts'
import { startProduct, startReconciler } from '../../support/programs/product.ts'
import { until } from '../../support/until.ts'

const SERVICES = 5
/** Longer than the definitions are read again. */
const REST_MS = 3_000
const PATIENCE_MS = 60_000

const cluster = await startCluster()
const { client, kubectl } = cluster
const { store, apply, aNamespace } = actionsOf(cluster)
const { object, objects, events, reaches } = observationsOf(cluster)
const OURS = customResourceDefinitions()
const THEIRS = OURS.map(others)
await installDefinitions(cluster, THEIRS)
const product = await startProduct(cluster)
const reconciler = await startReconciler(cluster)
t.teardown(async () => {
  await reconciler.stop()
  await product.stop()
  await cluster.stop()
})

/** A definition as an operator has it: no block, no hash in the status, and no status of configurations. */
function others (definition: JsonObject): JsonObject {
  const crd = structuredClone(definition) as unknown as Definition
  const [version] = crd.spec.versions
  const { spec, status } = version.schema.openAPIV3Schema.properties
  delete spec.properties['resolvedRuntimeConfig']
  delete status.properties['resolvedRuntimeConfig']?.properties['hash']
  delete status.properties['resolvedRuntimeConfig']?.['x-kubernetes-preserve-unknown-fields']
  version.additionalPrinterColumns = []
  if (crd.spec.names.kind !== 'AIMService') version.subresources = {}
  return crd as unknown as JsonObject
}

interface Schema {
  readonly properties: Record<string, Schema>
  'x-kubernetes-preserve-unknown-fields'?: boolean
}

interface Definition {
  readonly spec: {
    readonly names: { readonly kind: string }
    readonly versions: readonly [{
      readonly schema: { readonly openAPIV3Schema: { readonly properties: Readonly<Record<'spec' | 'status', Schema>> } }
      subresources: object
      additionalPrinterColumns: readonly object[]
    }]
  }
}

const annotationOf = (service: StoredObject): string | undefined =>
  own(ownObject(service.metadata, 'annotations'), BLOCK_ANNOTATION) as string | undefined

async function writesAtRest (): Promise<number> {
  const before = (await cluster.audited()).filter(isWrite).length
  await delay(REST_MS) // what is measured
  return (await cluster.audited()).filter(isWrite).length - before
}

const namespace = await aNamespace('served')
const services = async (): Promise<readonly StoredObject[]> => await objects('-n', namespace, 'aimsvc')

t.test('without a block in the definition, the record is an annotation, and nothing is repeated', async (t) => {
  await store(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: routed('/x/{.metadata.name}') }))
  const first = manifest({ namespace, name: 'first' })
  t.match(await apply(first), { code: 0, stderr: '' })
  t.equal(await reaches(['-n', namespace, 'aimsvc/first'], 'PathResolved', 'PathRendered'), '')
  const seen = await object('-n', namespace, 'aimsvc/first')
  t.equal(seen.metadata.generation, 1)
  t.match(JSON.parse(annotationOf(seen) ?? ''), { kind: 'AIMRuntimeConfig', routing: { path: '/x/first' } })
  t.match(seen.status, {
    resolvedRuntimeConfig: { kind: 'AIMRuntimeConfig', name: 'default' }, routing: { path: '/x/first' }
  })
  t.match(await apply(first), { stdout: 'aimservice.aim.silogen.ai/first unchanged\n' })
  t.match(await kubectl(['diff', '-f', '-'], first), { code: 0, stdout: '' })
  const second = manifest({ namespace, name: 'second' })
  t.match(await kubectl(['apply', '--server-side', '-f', '-'], second), { code: 0 })
  t.match(await kubectl(['diff', '--server-side', '-f', '-'], second), { code: 0, stdout: '' })
  t.equal(await reaches(['-n', namespace, 'aimsvc/second'], 'PathResolved', 'PathRendered'), '')
  await kubectl(['-n', namespace, 'annotate', 'aimsvc/first', `${BLOCK_ANNOTATION}-`])
  await kubectl(['-n', namespace, 'annotate', '--overwrite', 'aimsvc/first', `${BLOCK_ANNOTATION}={}`])
  t.equal(annotationOf(await object('-n', namespace, 'aimsvc/first')), annotationOf(seen))
  t.equal((await object('-n', namespace, 'aimrcfg/default')).status, undefined)
  t.equal(await writesAtRest(), 0)
  t.equal((await object('-n', namespace, 'aimsvc/first')).metadata.generation, 1)
  t.notMatch(await events(namespace, 'first'), [{ reason: 'AdmittedWithoutWebhook' }])
})

t.test('follows a configuration that changes', async (t) => {
  await store(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: routed('/y/{.metadata.name}') }))
  await t.resolves(until(async () =>
    annotationOf(await object('-n', namespace, 'aimsvc/first'))?.includes('"/y/first"') === true))
})

t.test('converts each service once when the definition gets the block, and when it loses it', async (t) => {
  await store(...Array.from({ length: SERVICES }, (_, at) => manifest({ namespace, name: `s${at}` })))
  const generations = async (): Promise<number[]> =>
    [...new Set((await services()).map(({ metadata }) => metadata.generation))]
  t.strictSame(await generations(), [1])
  await client.apply(...OURS.map((definition) => JSON.stringify(definition)))
  const hasBlock = (service: StoredObject): boolean =>
    service.spec.resolvedRuntimeConfig?.routing.path !== undefined && annotationOf(service) === undefined
  await until(async () => (await services()).every(hasBlock), undefined, PATIENCE_MS)
  await until(async () => (await object('-n', namespace, 'aimrcfg/default')).status?.services?.current === SERVICES + 2)
  t.strictSame(await generations(), [2])
  t.equal(await writesAtRest(), 0)

  await client.apply(...THEIRS.map((definition) => JSON.stringify(definition)))
  await store(manifest({ namespace, name: 'meanwhile' }))
  const hasAnnotation = (service: StoredObject): boolean =>
    service.spec.resolvedRuntimeConfig === undefined && annotationOf(service)?.includes('"path"') === true
  await until(async () => (await services()).every(hasAnnotation), undefined, PATIENCE_MS)
  t.ok((await generations()).every((generation) => generation <= 2))
  t.equal(await writesAtRest(), 0)
  for (const name of ['s0', 's4', 'meanwhile']) {
    t.strictSame((await events(namespace, name)).filter(({ reason }) => reason === 'AdmittedWithoutWebhook'), [], name)
  }
})

t.test('leaves conditions and fields to another writer of the whole status, and takes them back', async (t) => {
  const path = `${inNamespace(namespace).services}/first/status`
  const put = async (status: object): Promise<number> => {
    const current = await object('-n', namespace, 'aimsvc/first')
    const { statusCode, body } = await client.request(path, {
      method: 'PUT',
      query: { fieldManager: 'operator' },
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ apiVersion: 'aim.silogen.ai/v1alpha1', kind: 'AIMService', ...current, status })
    })
    await body.dump()
    return statusCode
  }
  const theirs = {
    type: 'RoutingReady', status: 'False', reason: 'Waiting', message: '', lastTransitionTime: '2026-01-01T00:00:00Z'
  }
  const conditions = (await object('-n', namespace, 'aimsvc/first')).status?.conditions ?? []
  const status = {
    status: 'Starting',
    observedGeneration: 7,
    routing: { path: '/theirs' },
    resolvedRuntimeConfig: { kind: 'AIMRuntimeConfig', name: 'default', namespace, scope: 'Merged' },
    conditions: [...conditions.filter(({ type }) => type !== 'RoutingReady'), theirs]
  }
  t.equal(await put(status), 200)
  t.equal(await writesAtRest(), 0)
  await store(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: { routing: { enabled: false } } }))
  await until(async () => (await services()).every((service) =>
    conditionOf(service, 'PathResolved')?.reason === 'RoutingDisabled'), undefined, PATIENCE_MS)
  const after = await object('-n', namespace, 'aimsvc/first')
  t.match(conditionOf(after, 'RoutingReady'), { reason: 'Waiting' })
  t.match(after.status, {
    observedGeneration: 7, routing: { path: '/theirs' }, resolvedRuntimeConfig: { scope: 'Merged' }
  })
  t.equal(await writesAtRest(), 0)
  const metrics = await (await fetch(`${reconciler.probeUrl}/metrics`)).text()
  t.match(metrics, /^aim_admission_status_fields_given_up_total\{manager="operator"\} [1-9]/m)

  const rest = (after.status?.conditions ?? []).filter(({ type }) => type !== 'RoutingReady')
  t.equal(await put({ status: 'Running', conditions: rest }), 200)
  t.equal(await reaches(['-n', namespace, 'aimsvc/first'], 'RoutingReady', 'RoutingDisabled'), '')
  t.match((await object('-n', namespace, 'aimsvc/first')).status, { observedGeneration: 2, status: 'Running' })
})

t.test('a later definition with a status of another form gets the conditions, and no write is refused', async (t) => {
  const seen = (): number => reconciler.entries.filter(({ msg }) => msg === 'served definitions changed').length
  const before = seen()
  const text = JSON.stringify(THEIRS[2])
  const later = JSON.parse(text) as Definition
  const { properties } = later.spec.versions[0].schema.openAPIV3Schema.properties.status
  Object.assign(properties, { resolvedRuntimeConfig: { type: 'string' } })
  t.not(JSON.stringify(later), text)
  await installDefinitions(cluster, [later as unknown as JsonObject])
  await until(() => seen() > before)
  await store(manifest({ namespace, name: 'later' }))
  t.equal(await reaches(['-n', namespace, 'aimsvc/later'], 'PathResolved', 'RoutingDisabled'), '')
  const refused = (await cluster.audited()).filter(({ verb, objectRef, responseStatus }) =>
    verb === 'patch' && objectRef?.name === 'later' && (responseStatus?.code ?? 500) > 299)
  t.strictSame(refused.map(({ requestURI }) => requestURI), [])
})
