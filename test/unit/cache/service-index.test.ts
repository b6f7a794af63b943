import t from 'tap'
import { isJsonObject, ownObject, type JsonObject } from '../../../src/platform/json.ts'
import { ServiceIndex } from '../../../src/cache/service-index.ts'
import { readService } from '../../../src/core/settings/service.ts'
import { aService } from '../../support/builders/objects.ts'

const GATEWAY = { namespace: 'kgateway-system', name: 'kserve-gateway' }
const aBlock = (path?: string) => ({
  name: 'default',
  hash: 'sha256:0',
  routing: { enabled: true, gatewayRef: GATEWAY, ...(path !== undefined && { path }) }
})
const KEY = { namespace: 'ml-team', name: 'llama-chat' }

const cases = {
  'a plain service': {},
  'a service with a block and a path': {
    runtimeConfigName: 'fast',
    resolvedRuntimeConfig: aBlock('/ml-team/llama-chat')
  },
  'a service whose block has no path': { resolvedRuntimeConfig: aBlock() },
  'a service whose block is a string': { resolvedRuntimeConfig: 'gone' },
  'a service with its own routing, secrets, and account': {
    routing: { enabled: false, pathTemplate: '/{.metadata.name}' },
    imagePullSecrets: [{ name: 'own' }],
    serviceAccountName: 'own',
    env: [
      { name: 'A', value: 'ü "quoted"' }
    ]
  }
}

t.test('a stored service parses to what was stored', async (t) => {
  for (const [name, spec] of Object.entries(cases)) {
    const object = aService({
      labels: { team: 'nlp' },
      metadata: { uid: 'u', generation: 3, creationTimestamp: '2026-11-24T10:00:00Z' },
      spec
    })
    const read = readService(object, 'ml-team')
    if (read.kind === 'malformed') throw new Error(read.field)
    const index = new ServiceIndex()
    index.sink().upsert({ ...object, status: { observedGeneration: 1 } })
    const known = index.get(KEY)
    const { kind, object: fed, block, ...fields } = read
    t.match(known, fields, name)
    t.strictSame(known?.parse(), { ...read, object: { ...fed, spec: withoutBlock(fed['spec']) } }, `${name}: parsed`)
  }
})

t.test('unread metadata is not stored', async (t) => {
  const index = new ServiceIndex()
  index.sink().upsert(aService({
    metadata: {
      managedFields: [{ manager: 'kubectl' }],
      resourceVersion: '7',
      annotations: {
        'kubectl.kubernetes.io/last-applied-configuration': '{}', owner: 'jane'
      }
    }
  }))
  t.strictSame(ownObject(index.get(KEY)?.parse().object ?? {}, 'metadata'), {
    ...KEY,
    labels: {},
    annotations: { owner: 'jane' }
  })
})

t.test('services have the same object if only block and status differ', async (t) => {
  const stored = (object: JsonObject) => {
    const index = new ServiceIndex()
    index.sink().upsert(object)
    const service = index.get(KEY)
    if (service === undefined) throw new Error('not stored')
    return service
  }
  const service = stored(aService({ labels: { team: 'nlp' } }))
  const sameObject = {
    ...aService({ labels: { team: 'nlp' }, spec: { resolvedRuntimeConfig: aBlock('/a') } }), status: { replicas: 1 }
  }
  t.ok(service.hasSameObject(stored(sameObject)))
  t.notOk(service.hasSameObject(stored(aService({ labels: { team: 'cv' } }))))
  t.notOk(service.hasSameObject(stored(aService({ labels: { team: 'nlp' }, spec: { replicas: 2 } }))))
})

t.test('a path is held until its service gives it up', async (t) => {
  const index = new ServiceIndex()
  const sink = index.sink()
  const rival = { service: { namespace: 'other', name: 'rival' }, gateway: GATEWAY, path: '/a/b' }
  sink.upsert(aService({ spec: { resolvedRuntimeConfig: aBlock('/a/b') } }))
  sink.upsert(aService({ name: 'second', spec: { resolvedRuntimeConfig: aBlock('/a/b') } }))
  t.strictSame([...index.paths.holders(rival)].map(({ service }) => service.name), ['llama-chat', 'second'])
  sink.upsert(aService({ spec: { resolvedRuntimeConfig: aBlock('/a/b/c') } }))
  t.strictSame([...index.paths.holders(rival)].map(({ service }) => service.name), ['second'])
  t.strictSame([...index.paths.below(rival, 'other namespaces')].map(({ path }) => path), ['/a/b/c'])
  sink.remove(KEY)
  sink.remove({ ...KEY, name: 'second' })
  t.strictSame(
    [[...index.paths.holders(rival)], [...index.paths.below(rival, 'other namespaces')], index.count()],
    [[], [], 0]
  )
})

function withoutBlock (spec: unknown): unknown {
  return isJsonObject(spec)
    ? Object.fromEntries(Object.entries(spec).filter(([key]) => key !== 'resolvedRuntimeConfig'))
    : spec
}
