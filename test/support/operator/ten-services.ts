import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { LAST_APPLIED_ANNOTATION } from '../../../src/api/meta.ts'
import { ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import { actionsOf, BY_TEAM, manifest, routed } from '../builders/manifests.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { hasAll, inNamespace, mergePatch } from '../cluster/cluster-client.ts'
import { conditionOf, observationsOf, type StoredObject } from '../cluster/observed.ts'
import { objectsIn } from '../cluster/rendered-chart.ts'
import { runProgram } from '../programs/program.ts'
import { CALM_MS, recordedRoutes, writerOf, type startBeside } from './beside.ts'

/** Without a write, from the last one on, in milliseconds. */
const REST_MS = 10_000
/** Of either program. */
const CONDITIONS = ['RuntimeConfigResolved', 'PathResolved', 'Ready', 'RuntimeReady', 'RoutingReady']

type Beside = Awaited<ReturnType<typeof startBeside>>

/** Applies ten services in a new namespace, each in several ways, and checks what both programs make of them. */
export async function testTenServices (t: Test, beside: Beside, namespace: string): Promise<void> {
  const { cluster, calm, now, refusedSince, routesOf, writesSince } = beside
  const { kubectl } = cluster
  const { store, apply, aNamespace } = actionsOf(cluster)
  const { objects } = observationsOf(cluster)
  const start = await now()
  await aNamespace(namespace)
  await store(...configsOf(namespace))
  const services = tenServices(namespace)
  t.match((await apply(services.pop() ?? '')).stderr, /label "team" is not set/)
  const textOf = ({ metadata: { name } }: StoredObject): string =>
    services.find((text) => text.includes(`"name":"${name}"`)) ?? ''
  const file = `{"apiVersion":"v1","kind":"List","items":[${services.join()}]}`
  t.equal((await kubectl(['apply', '-f', '-'], file)).code, 0)
  const routes = await reviewed(cluster.dir, namespace, services)
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
  const rest = delay(REST_MS - CALM_MS) // what is measured
  t.equal((await kubectl(['apply', ...manager, '-f', '-'], file)).code, 0)
  t.match(await kubectl(['diff', '-f', '-'], file), { code: 0, stdout: '' })
  t.match(await kubectl(['diff', ...manager, '-f', '-'], file), { code: 0, stdout: '' })
  for (const service of await objects('-n', namespace, 'aimsvc')) {
    const { name, generation } = service.metadata
    t.equal(generation, 1, name)
    t.strictSame(desired(await dryRun(cluster, 'PATCH', textOf(service))), desired(service), name)
  }
  await rest
  t.strictSame(await versions(), before, 'a second apply changes nothing, and both programs rest')
  t.strictSame((await writesSince(resting)).map((request) => `${writerOf(request)} ${request.requestURI}`), [])
  t.strictSame(await refusedSince(start), [])
}

/** Ten services; the last one is refused. */
export function tenServices (namespace: string): string[] {
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
    service('other-case', {}, 'My_Team'),
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
async function reviewed (
  dir: string, namespace: string, services: readonly string[]
): Promise<Record<string, string>> {
  const fileOf = async (name: string, manifests: readonly string[]): Promise<string> => {
    const file = path.join(dir, `${namespace}-${name}.yaml`)
    await writeFile(file, manifests.map((text) => `---\n${text}\n`).join(''))
    return file
  }
  const configs = await fileOf('configs', configsOf(namespace))
  const files = ['-f', await fileOf('services', services), '--configs', configs]
  const { stdout, stderr } = await runProgram(['review', ...files])
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
export async function dryRun ({ client }: Cluster, method: 'POST' | 'PATCH', body: string): Promise<StoredObject> {
  const { metadata: { namespace = '', name } } = JSON.parse(body) as StoredObject // a manifest
  const collection = inNamespace(namespace).services
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
