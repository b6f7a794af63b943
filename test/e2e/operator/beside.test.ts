import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { customResourceDefinitions } from '../../../src/api/custom-resource-definitions.ts'
import { LAST_APPLIED_ANNOTATION } from '../../../src/api/meta.ts'
import { ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import { actionsOf, BY_TEAM, manifest, routed } from '../../support/builders/manifests.ts'
import { hasAll, inNamespace, mergePatch } from '../../support/cluster/cluster-client.ts'
import { conditionOf, observationsOf, type StoredObject } from '../../support/cluster/observed.ts'
import { objectsIn } from '../../support/cluster/rendered-chart.ts'
import { readPage } from '../../support/docs/pages.ts'
import { recordedRoutes, startBeside } from '../../support/operator/beside.ts'
import { operatorDefinitions, withBlock } from '../../support/operator/install.ts'
import { runPasted, runProgram } from '../../support/programs/program.ts'
import { until } from '../../support/until.ts'

/** Of the product. */
const OWN_CONDITIONS = ['RuntimeConfigResolved', 'PathResolved', 'Degraded', 'StatusContested']
const REST_MS = 10_000
/** Of either program. */
const CONDITIONS = ['RuntimeConfigResolved', 'PathResolved', 'Ready', 'RuntimeReady', 'RoutingReady']

const beside = await startBeside()
t.teardown(async () => { await beside.stop() })
const { cluster, calm, now, refusedSince, routesOf, writesSince } = beside
const { client, kubectl } = cluster
const { store, apply, aNamespace } = actionsOf(cluster)
const { objects } = observationsOf(cluster)
const theirs = await operatorDefinitions()
const DEFINITIONS = {
  'the product\'s definitions': customResourceDefinitions(),
  'the operator\'s definitions': theirs,
  'the operator\'s definitions with the block': withBlock(theirs)
}

/** Ten services; the last one is refused. */
function tenServices (namespace: string): string[] {
  const service = (name: string, spec: object, team?: string): string =>
    manifest({ namespace, name, spec, ...(team !== undefined && { labels: { team } }) })
  return [
    service('by-namespace', {}, 'nlp'),
    service('by-cluster', { runtimeConfigName: `cluster-${namespace}` }),
    service('merged', { runtimeConfigName: `merged-${namespace}` }),
    service('own-routing', routed(`/${namespace}/own`)),
    service('own-secret', { imagePullSecrets: [{ name: 'own' }] }, 'nlp'),
    service('routing-off', { routing: { enabled: false } }, 'nlp'),
    service('annotations', { routing: { annotations: { 'example.com/timeout': '60s' } } }, 'nlp'),
    service('other-case', {}, 'My-Team'),
    service('no-config', { runtimeConfigName: 'absent' }),
    service('no-label', {})
  ]
}

function configsOf (namespace: string): string[] {
  const config = (kind: 'AIMRuntimeConfig' | 'AIMClusterRuntimeConfig', name: string, spec: object): string =>
    manifest({ kind, name, spec, ...(kind === 'AIMRuntimeConfig' && { namespace }) })
  return [
    config('AIMRuntimeConfig', 'default', { ...routed(BY_TEAM), imagePullSecrets: [{ name: 'registry' }] }),
    config('AIMClusterRuntimeConfig', `cluster-${namespace}`, routed('/{.metadata.namespace}/{.metadata.name}')),
    config('AIMRuntimeConfig', `merged-${namespace}`, { routing: { pathTemplate: `/${namespace}/merged` } }),
    config('AIMClusterRuntimeConfig', `merged-${namespace}`, routed())
  ]
}

/** Gateway and path of each service that gets a path, as the command `review` says. */
async function reviewed (namespace: string, services: readonly string[]): Promise<Record<string, string>> {
  const fileOf = async (name: string, manifests: readonly string[]): Promise<string> => {
    const file = path.join(cluster.dir, `${namespace}-${name}.yaml`)
    await writeFile(file, manifests.map((text) => `---\n${text}\n`).join(''))
    return file
  }
  const configs = await fileOf('configs', configsOf(namespace))
  const { stdout, stderr } = await runProgram(['review', '-f', await fileOf('services', services), '--configs', configs])
  if (stdout === '') throw new Error(stderr)
  return recordedRoutes(objectsIn(stdout) as unknown as StoredObject[])
}

/** What Argo CD would send to a stored object: the difference of it, its last manifest, and the manifest. */
function argoPatch (live: StoredObject, text: string): JsonObject | undefined {
  const { metadata, ...rest } = JSON.parse(text) as JsonObject & { metadata: JsonObject } // a manifest
  const object = live as unknown as JsonObject & { metadata: JsonObject }
  const last = ownString(ownObject(object.metadata, 'annotations'), LAST_APPLIED_ANNOTATION)
  // kubectl writes empty annotations into the last manifest
  const patch = mergePatch(JSON.parse(last) as JsonObject, { metadata: { annotations: {}, ...metadata }, ...rest })
  return hasAll(object, patch) ? undefined : patch
}

/** What Flux compares is the result of a server-side dry run, apart from what the API server keeps. */
async function dryRun (method: 'POST' | 'PATCH', collection: string, body: string): Promise<StoredObject> {
  const { metadata: { name } } = JSON.parse(body) as StoredObject // a manifest
  const response = await client.request(method === 'POST' ? collection : `${collection}/${name}`, {
    method,
    query: { dryRun: 'All', fieldManager: 'kustomize-controller', ...(method === 'PATCH' && { force: 'true' }) },
    headers: { 'content-type': method === 'POST' ? 'application/json' : 'application/apply-patch+yaml' },
    body
  })
  return await response.body.json() as StoredObject // an AIMService
}

const desired = ({ metadata, spec }: StoredObject): unknown => {
  const { annotations, labels } = metadata as unknown as JsonObject
  return { annotations, labels, spec }
}

async function behaves (t: Test, namespace: string): Promise<void> {
  const start = await now()
  await aNamespace(namespace)
  await store(...configsOf(namespace))
  const services = tenServices(namespace)
  t.match((await apply(services.pop() ?? '')).stderr, /label "team" is not set/)
  const textOf = ({ metadata: { name } }: StoredObject): string =>
    services.find((text) => text.includes(`"name":"${name}"`)) ?? ''
  const file = `{"apiVersion":"v1","kind":"List","items":[${services.join()}]}`
  t.equal((await kubectl(['apply', '-f', '-'], file)).code, 0)
  const routes = await reviewed(namespace, services)
  t.strictSame(Object.keys(routes).toSorted(), [
    'annotations', 'by-cluster', 'by-namespace', 'other-case', 'own-routing', 'own-secret'
  ])
  await calm()

  const stored = await objects('-n', namespace, 'aimsvc')
  for (const service of stored) {
    const isMissing = (type: string): boolean => conditionOf(service, type) === undefined
    t.strictSame(CONDITIONS.filter(isMissing), [], service.metadata.name)
  }
  t.strictSame(await routesOf(namespace), routes)

  for (const service of stored) t.equal(argoPatch(service, textOf(service)), undefined, service.metadata.name)
  const isChanged = (line: string): boolean => !line.endsWith(' unchanged')
  const second = await kubectl(['apply', '-f', '-'], file)
  t.strictSame(second.stdout.trimEnd().split('\n').filter(isChanged), [])
  const manager = ['--server-side', '--field-manager=argocd-controller']
  t.equal((await kubectl(['apply', ...manager, '--force-conflicts', '-f', '-'], file)).code, 0)
  await calm()

  const versions = async (): Promise<string[]> =>
    (await objects('-n', namespace, 'aimsvc')).map(({ metadata }) => metadata.resourceVersion)
  const [before, resting] = [await versions(), await now()]
  const rest = delay(REST_MS) // what is measured
  t.equal((await kubectl(['apply', ...manager, '-f', '-'], file)).code, 0)
  t.match(await kubectl(['diff', '-f', '-'], file), { code: 0, stdout: '' })
  t.match(await kubectl(['diff', ...manager, '-f', '-'], file), { code: 0, stdout: '' })
  for (const service of await objects('-n', namespace, 'aimsvc')) {
    const { name, generation } = service.metadata
    t.equal(generation, 1, name)
    t.strictSame(desired(await dryRun('PATCH', inNamespace(namespace).services, textOf(service))), desired(service), name)
  }
  await rest
  t.strictSame(await versions(), before, 'a second apply changes nothing, and both programs rest')
  t.strictSame((await writesSince(resting)).map(({ user, requestURI }) => `${user.username} ${requestURI}`), [])
  t.strictSame(await refusedSince(start), [])
}

for (const [at, [name, definitions]] of Object.entries(DEFINITIONS).entries()) {
  t.test(`on ${name}, each service gets what admission resolved, and both programs rest`, async (t) => {
    await beside.install(definitions)
    await behaves(t, `ns-${at}`)
  })
}

t.test('the documented commands remove everything of the product', async (t) => {
  const { blocks } = await readPage('docs/how-to/beside-an-operator.md')
  const [disable = '', uninstall = '', ...clean] = blocks.filter(({ under }) => under === 'Remove').map(({ text }) => text)
  const paste = async (text: string): Promise<string> => {
    const { code, stdout, stderr } = await runPasted(text, { KUBECONFIG: cluster.kubeconfig, HOME: cluster.dir })
    t.equal(code, 0, `${text}: ${stderr}`)
    return stdout
  }
  const [setEnvironment = '', , list = ''] = disable.split('\n')
  t.match(setEnvironment, / AIM_ADMISSION_INJECT=record$/)
  await beside.restartProduct('record')
  await until(async () => await paste(list) === '')
  await beside.stopProduct()
  await paste(`${uninstall} --wait=false`) // no controller completes the deletion of a namespace
  for (const commands of clean) await paste(commands)
  await calm()
  for (const namespace of ['ns-0', 'ns-1', 'ns-2']) {
    for (const service of await objects('-n', namespace, 'aimsvc')) await isClean(t, service)
  }
  for (const { metadata, status } of await objects('aimrcfg')) t.equal(status, undefined, metadata.name)
})

/** Whether a service is what it would be if the product had never been installed. */
async function isClean (t: Test, { metadata, spec, status }: StoredObject): Promise<void> {
  const { namespace = '', name } = metadata
  const own = tenServices(namespace).map((text) => JSON.parse(text) as StoredObject) // manifests
    .find((service) => service.metadata.name === name)?.spec ?? {}
  const alone = manifest({ namespace, name: 'alone', spec: own })
  const { spec: expected } = await dryRun('POST', inNamespace(namespace).services, alone)
  t.strictSame(spec, { runtimeConfigName: 'default', ...expected }, `${namespace}/${name}`)
  t.notMatch(JSON.stringify(metadata), /aim-admission|aim\.silogen\.ai\/[^v]|finalizers/)
  t.strictSame(status?.conditions?.filter(({ type }) => OWN_CONDITIONS.includes(type)), [])
  t.match(status, { status: /./, observedGeneration: metadata.generation })
}
