import t, { type Test } from 'tap'
import { customResourceDefinitions } from '../../../src/api/custom-resource-definitions.ts'
import { INJECTED_FIELDS_ANNOTATION, BLOCK_ANNOTATION } from '../../../src/api/meta.ts'
import { ownObject, ownString } from '../../../src/platform/json.ts'
import { actionsOf, GATEWAY, manifest, routed } from '../../support/builders/manifests.ts'
import { inNamespace } from '../../support/cluster/cluster-client.ts'
import { conditionOf, observationsOf, type StoredObject } from '../../support/cluster/observed.ts'
import { RECONCILER, recordOf, startBeside, writerOf } from '../../support/operator/beside.ts'
import { operatorDefinitions } from '../../support/operator/install.ts'
import { until } from '../../support/until.ts'

/** What a service of these tests has on the operator's definition. */
const UNSET = { cacheModel: false, model: { ref: 'meta-llama-3-8b' }, replicas: 1 }
const PATIENCE_MS = 120_000

process.env['AIM_ADMISSION_MISSING_DEFAULT'] = 'builtin'
const beside = await startBeside()
t.teardown(async () => { await beside.stop() })
const { cluster, calm, now, refusedSince, routesOf, writesSince } = beside
const { store, apply, aNamespace } = actionsOf(cluster)
const { object, objects } = observationsOf(cluster)
const theirs = await operatorDefinitions()
const namespace = await aNamespace('changes')

const config = (name: string, spec: object): string => manifest({ kind: 'AIMClusterRuntimeConfig', name, spec })
const configured = (name: string, runtimeConfigName: string, spec: object = {}): string =>
  manifest({ namespace, name, spec: { runtimeConfigName, ...spec } })
const isServedAt = async (name: string, path: string): Promise<void> => {
  await until(async () => (await routesOf(namespace))[name] === `${GATEWAY.name} ${path}`)
}

for (const [whose, definitions] of [['the product', customResourceDefinitions()], ['the operator', theirs]] as const) {
  t.test(`on definitions of ${whose}, services need no configuration default, and paths are as served`, async (t) => {
    await beside.install(definitions)
    const namespace = await aNamespace(whose.replace('the ', 'of-'))
    const plain = async (): Promise<StoredObject> => await object('-n', namespace, 'aimsvc/plain')
    const isHealthy = (service: StoredObject): boolean =>
      recordOf(service)['kind'] === 'Default' && conditionOf(service, 'Degraded')?.status === 'False' &&
      conditionOf(service, 'Ready')?.status === 'True'
    const own = manifest({ namespace, name: 'own', spec: routed('/{.metadata.namespace}/Own_Path') })
    const first = await apply(manifest({ namespace, name: 'plain' }), own)
    t.match(first, { code: 0, stderr: '' })
    await until(async () => (await objects('-n', namespace, 'aimsvc')).every(isHealthy))
    t.strictSame(await routesOf(namespace), { own: `${GATEWAY.name} /${namespace}/own-path` })
    t.match(await apply(manifest({ namespace, name: 'clash', spec: routed(`/${namespace}/own:path`) })), {
      code: 1, stderr: `path /${namespace}/own-path is already held`
    })

    const template = '/{.metadata.namespace}/At:{.metadata.name}'
    await store(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec: routed(template) }))
    await until(async () => (await routesOf(namespace))['plain'] === `${GATEWAY.name} /${namespace}/at-plain`)
    await cluster.client.remove(`${inNamespace(namespace).configs}/default`)
    await until(async () => isHealthy(await plain()) && !('plain' in await routesOf(namespace)))
    t.notMatch((await plain()).spec, { routing: { pathTemplate: /./ } })
  })
}

await store(config('many', routed('/{.metadata.namespace}/{.metadata.name}')))

for (const [way, flags] of [['client', []], ['server', ['--server-side', '--field-manager=user']]] as const) {
  const applies = async (t: Test, service: string): Promise<void> => {
    const { code, stderr } = await cluster.kubectl(['apply', ...flags, '-f', '-'], service)
    t.equal(code, 0, stderr)
  }

  t.test(`with ${way}-side apply, an own value wins without a conflict, and the filled one comes back`, async (t) => {
    const name = `own-${way}`
    await applies(t, configured(name, 'many'))
    await isServedAt(name, `/changes/${name}`)
    await applies(t, configured(name, 'many', { routing: { enabled: true, pathTemplate: `/changes/my-${way}` } }))
    await isServedAt(name, `/changes/my-${way}`)
    await applies(t, configured(name, 'many'))
    await isServedAt(name, `/changes/${name}`)
  })

  t.test(`with ${way}-side apply, another configuration, or none, leaves nothing of the previous one`, async (t) => {
    const name = `switched-${way}`
    const own = async (): Promise<{ spec: object, filled: string[] }> => {
      const { metadata, spec } = await object('-n', namespace, `aimsvc/${name}`)
      const text = ownString(ownObject(metadata, 'annotations'), INJECTED_FIELDS_ANNOTATION)
      return { spec, filled: Object.keys(JSON.parse(text || '{}') as object) }
    }
    const spec = { ...routed('/changes/{.metadata.name}'), imagePullSecrets: [{ name: 'a' }] }
    await store(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'with-secrets', spec }))
    await store(config('unrouted', { routing: { enabled: false } }))
    await applies(t, configured(name, 'with-secrets'))
    await isServedAt(name, `/changes/${name}`)
    t.match(await own(), { spec: { imagePullSecrets: [{ name: 'a' }] } })

    await applies(t, configured(name, 'unrouted'))
    await until(async () => !(name in await routesOf(namespace)))
    t.strictSame(await own(), {
      spec: { ...UNSET, runtimeConfigName: 'unrouted', routing: { enabled: false } }, filled: ['spec.routing.enabled']
    })

    await applies(t, configured(name, 'absent'))
    t.strictSame(await own(), {
      spec: { ...UNSET, runtimeConfigName: 'absent', routing: { enabled: false } }, filled: ['spec.routing.enabled']
    })
  })
}

const names = Array.from({ length: 200 }, (_, index) => `s${index}`)

t.test('a changed configuration reaches the HTTPRoutes of 100 services', async (t) => {
  await Promise.all(names.slice(0, 100).map(async (name) => { await store(configured(name, 'many')) }))
  const areAt = async (prefix: string): Promise<boolean> => {
    const routes = await routesOf(namespace)
    return names.slice(0, 100).every((name) => routes[name] === `${GATEWAY.name} ${prefix}/changes/${name}`)
  }
  await until(async () => await areAt(''), undefined, PATIENCE_MS)
  const changed = performance.now()
  await store(config('many', routed('/v2/{.metadata.namespace}/{.metadata.name}')))
  await until(async () => await areAt('/v2'), undefined, PATIENCE_MS)
  t.comment(`after ${((performance.now() - changed) / 1_000).toFixed(1)} s`)
})

t.test('replaced definitions convert each of 200 services once, in both directions, and nothing is refused', async (t) => {
  await Promise.all(names.slice(100).map(async (name) => { await store(configured(name, 'many')) }))
  await calm()
  const isIn = (place: 'spec' | 'annotation') => ({ spec, metadata }: StoredObject): boolean => {
    const isNoted = BLOCK_ANNOTATION in ownObject(metadata, 'annotations')
    return isNoted === (place === 'annotation') && (spec.resolvedRuntimeConfig !== undefined) === (place === 'spec')
  }
  const many = async (): Promise<StoredObject[]> =>
    (await objects('-n', namespace, 'aimsvc')).filter(({ metadata: { name } }) => names.includes(name))
  for (const [place, definitions] of [['spec', customResourceDefinitions()], ['annotation', theirs]] as const) {
    const start = await now()
    await beside.install(definitions)
    t.equal((await apply(configured(`meanwhile-${place}`, 'many'))).code, 0)
    const triggered = async () => Map.groupBy(
      (await writesSince(start)).filter((request) => writerOf(request) === RECONCILER)
        .map(({ objectRef }) => ({ ...objectRef }))
        .filter(({ name = '', subresource }) => subresource === undefined && names.includes(name)),
      ({ name }) => name
    )
    await until(async () => (await triggered()).size === names.length, undefined, PATIENCE_MS)
    await calm()
    t.ok((await many()).every(isIn(place)))
    t.strictSame(await refusedSince(start), [])
    const counts = await triggered()
    t.strictSame([...counts].filter(([, { length }]) => length !== 1).map(([name]) => name), [])
  }
})
