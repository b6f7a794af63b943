import { readFile, writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import { connectToCluster, type ApiConnection, type ApiRequest } from '../../../src/kube/client/api-connection.ts'
import { Reflector } from '../../../src/kube/watch/reflector.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { RestartReason } from '../../../src/kube/watch/list-watch-error.ts'
import { listAndWatchContract } from '../../support/contracts/list-and-watch.ts'
import { needs, startOwnCluster } from '../../support/cluster/cluster.ts'
import { silentLog } from '../../support/fakes/silent-log.ts'
import { until } from '../../support/until.ts'

const cluster = await startOwnCluster()
const admin = await connectToCluster({ kubeconfig: cluster.kubeconfig, log: silentLog })
t.teardown(async () => {
  await admin.close()
  await cluster.stop()
})

/** Sends a request that must succeed. */
async function send (method: NonNullable<ApiRequest['method']>, path: string, object?: JsonObject): Promise<void> {
  const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  const { statusCode, body } = await admin.request(path, {
    method, headers: { 'content-type': contentType }, ...(object !== undefined && { body: JSON.stringify(object) })
  })
  const text = await body.text()
  if (statusCode > 299) throw new Error(`${method} ${path} returned ${statusCode}: ${text}`)
}

/** A new namespace, and actions on its ConfigMaps. */
async function aNamespace (name: string) {
  await send('POST', '/api/v1/namespaces', { metadata: { name } })
  const path = `/api/v1/namespaces/${name}/configmaps`
  return {
    path,
    create: async (name: string) => { await send('POST', path, { metadata: { name } }) },
    change: async (name: string) => { await send('PATCH', `${path}/${name}`, { data: { changed: 'yes' } }) },
    remove: async (name: string) => { await send('DELETE', `${path}/${name}`) }
  }
}

/** A started reflector, and its objects by name. */
function reflect (t: Test, path: string, connection: ApiConnection = admin) {
  const objects = new Map<string, JsonObject>()
  const restarts: RestartReason[] = []
  const nameOf = (object: JsonObject) => ownString(ownObject(object, 'metadata'), 'name')
  const reflector = new Reflector({
    path,
    request: connection.request,
    sink: {
      upsert: (object) => { objects.set(nameOf(object), object) },
      remove: ({ name }) => { objects.delete(name) }
    },
    observer: { onSynced: () => {}, onRestart: (reason) => { restarts.push(reason) }, onFailedObject: () => {} },
    log: silentLog,
    clock: systemClock,
    random: Math.random
  })
  t.teardown(async () => { await reflector.stop() })
  reflector.start()
  return { reflector, objects, restarts }
}

t.test('the real API server keeps the contract', async (t) => {
  const withoutStreams = await needs(cluster, 'streamed lists')
  listAndWatchContract(t, { request: admin.request, ...await aNamespace('contract'), withoutStreams })
})

t.test('a cache follows a collection of several pages', async (t) => {
  const { path, create, change, remove } = await aNamespace('pages')
  await Promise.all(Array.from({ length: 600 }, async (_, at) => { await create(`before-${at}`) }))
  const { reflector, objects, restarts } = reflect(t, path)
  await until(() => reflector.synced)
  t.equal(objects.size, 600)
  await create('after')
  await change('before-0')
  await remove('before-1')
  await until(() => objects.has('after') && !objects.has('before-1') && objects.get('before-0')?.['data'] !== undefined)
  t.equal(reflector.size, 600)
  t.strictSame(restarts, [])
})

t.test('a cache survives restarts of the API server, and follows the changes after them', async (t) => {
  const { path, create, remove } = await aNamespace('restart')
  await create('kept')
  await create('removed')
  const { reflector, objects } = reflect(t, path)
  await until(() => reflector.synced)
  for (let time = 1; time <= 2; time++) {
    await cluster.killApiServer()
    await until(() => reflector.error !== undefined)
    t.ok(reflector.synced && objects.has('kept'), 'the objects stay meanwhile')
    await cluster.startApiServer()
    await create(`new-${time}`)
    if (time === 2) await remove('removed')
    await until(() => objects.has(`new-${time}`) && (time === 1 || !objects.has('removed')))
  }
  t.strictSame([...objects.keys()].sort(), ['kept', 'new-1', 'new-2'])
})

t.test('follows a kind that is created, deleted, and created again', async (t) => {
  const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  const path = '/apis/test.example/v1/things'
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.test.example' },
    spec: {
      group: 'test.example',
      scope: 'Cluster',
      names: { kind: 'Thing', plural: 'things' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }]
    }
  }
  const served = async () => {
    const { statusCode, body } = await admin.request(path)
    await body.dump()
    return statusCode === 200
  }
  const { reflector, objects, restarts } = reflect(t, path)
  await until(() => restarts.length >= 2)
  t.notOk(reflector.synced)
  t.match(reflector.error, /^the API server returned 404: /)
  for (const name of ['first', 'second']) {
    await send('POST', crds, crd)
    await until(served)
    await send('POST', path, { apiVersion: 'test.example/v1', kind: 'Thing', metadata: { name } })
    await until(() => objects.has(name))
    t.strictSame([...objects.keys()], [name])
    await send('DELETE', `${crds}/things.test.example`)
    await until(() => objects.size === 0)
    await until(async () => !await served())
  }
})

t.test('reports a missing permission, and fills the cache once it is granted', async (t) => {
  const { path, create } = await aNamespace('rights')
  await create('a')
  // the test cluster writes JSON
  const kubeconfig = JSON.parse(await readFile(cluster.kubeconfig, 'utf8')) as { users: [{ user: object }] }
  const folder = t.testdir({})
  await writeFile(
    `${folder}/kubeconfig`,
    JSON.stringify({
      ...kubeconfig,
      users: [{ ...kubeconfig.users[0], user: { ...kubeconfig.users[0].user, as: 'viewer' } }]
    })
  )
  const viewer = await connectToCluster({ kubeconfig: `${folder}/kubeconfig`, log: silentLog })
  t.teardown(async () => { await viewer.close() })
  const { reflector, objects } = reflect(t, path, viewer)
  await until(() => reflector.error !== undefined)
  t.match(reflector.error, /^the API server returned 403: .*User "viewer" cannot watch resource "configmaps"/)
  const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/rights'
  await send('POST', `${rbac}/roles`, {
    metadata: { name: 'view' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch'] }]
  })
  await send('POST', `${rbac}/rolebindings`, {
    metadata: { name: 'view' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'view' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'viewer' }]
  })
  await until(() => objects.has('a'))
})
