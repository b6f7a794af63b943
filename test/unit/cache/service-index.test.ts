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
    const { object: fed, namespace, configName, deleting } = read
    t.match(known, { namespace, name: read.name, configName, deleting, partial: false }, name)
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
  t.strictSame(ownObject(index.get(KEY)?.parse()?.object ?? {}, 'metadata'), {
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

const LIMITS = { service: 2_000, total: 10_000 }
/** About so many bytes of text, which no other service has. */
const ofSize = (bytes: number, name: string, spec: JsonObject = {}): JsonObject =>
  aService({ name, spec: { ...spec, note: name.padEnd(bytes, '.') } })

t.test('a service above the limit is stored without its object', async (t) => {
  const index = new ServiceIndex(LIMITS)
  const metadata = { generation: 7, creationTimestamp: '2026-11-24T10:00:00Z' }
  const large = (note: string): JsonObject =>
    aService({ metadata, spec: { runtimeConfigName: 'fast', resolvedRuntimeConfig: aBlock('/a/b'), note } })
  index.sink().upsert(large('x'.repeat(2_000)))
  t.match(index.get(KEY), { ...KEY, partial: true, bytes: 0, configName: 'fast', deleting: false })
  t.strictSame(index.get(KEY)?.held, {
    service: KEY, gateway: GATEWAY, path: '/a/b', since: '2026-11-24T10:00:00Z'
  })
  t.equal(index.get(KEY)?.parse(), undefined)
  t.strictSame([...index.users('fast', 'ml-team')].map(({ name }) => name), ['llama-chat'])
  t.strictSame([index.partial, index.bytes], [1, 0])
  index.sink().upsert(large('small'))
  t.strictSame([index.get(KEY)?.partial, index.partial], [false, 0])
  t.ok(index.bytes > 0 && index.bytes < 1_000)
  index.sink().remove(KEY)
  t.strictSame([index.partial, index.bytes], [0, 0])
})

t.test('every kind of text counts against the limit of a service', async (t) => {
  const long = 'x'.repeat(2_000)
  const objects = {
    'a label': aService({ labels: { note: long } }),
    'an annotation': aService({ metadata: { annotations: { note: long } } }),
    'a field name': aService({ spec: { [long]: 1 } }),
    'a list without values': aService({ spec: { list: Array.from({ length: 1_000 }, () => []) } }),
    'image pull secrets': aService({ spec: { imagePullSecrets: [{ name: long }] } }),
    'a block': aService({ spec: { resolvedRuntimeConfig: { note: long } } }),
    'a text outside Latin-1': aService({ spec: { note: '\u6a21'.repeat(1_000) } })
  }
  for (const [text, object] of Object.entries(objects)) {
    const index = new ServiceIndex(LIMITS)
    index.sink().upsert(object)
    t.match(index.get(KEY), { partial: true }, text)
  }
  const index = new ServiceIndex(LIMITS)
  index.sink().upsert({ ...aService(), status: { note: long } })
  t.match(index.get(KEY), { partial: false }, 'a status does not')
})

t.test('services beyond the total are stored without their objects, until others make room', async (t) => {
  const index = new ServiceIndex(LIMITS)
  for (let at = 0; at < 12; at++) index.sink().upsert(ofSize(1_000, `service-${at}`))
  t.equal(index.count(), 12)
  t.ok(index.partial > 1 && index.partial < 5, `${index.partial} partial services`)
  t.ok(index.bytes <= LIMITS.total)
  const before = index.partial
  index.sink().upsert(ofSize(1_001, 'service-0'))
  t.equal(index.partial, before, 'a kept service makes room for its next version')
  index.sink().remove({ namespace: 'ml-team', name: 'service-0' })
  index.sink().upsert(ofSize(1_000, 'service-11'))
  t.equal(index.partial, before - 1)
  for (let at = 1; at < 12; at++) index.sink().remove({ namespace: 'ml-team', name: `service-${at}` })
  t.strictSame([index.count(), index.partial, index.bytes], [0, 0, 0])
})

t.test('fields of a partial service are bounded', async (t) => {
  const index = new ServiceIndex(LIMITS)
  const long = 'x'.repeat(5_000)
  index.sink().upsert(aService({ spec: { runtimeConfigName: long, resolvedRuntimeConfig: aBlock(`/${long}`) } }))
  t.match(index.get(KEY), { partial: true, configName: '' }, 'no configuration has such a name')
  t.equal(index.get(KEY)?.held, undefined, 'admission never wrote such a path')
})

t.test('a partial service differs from another by generation or size', async (t) => {
  const partial = (generation: number, size: number) => {
    const index = new ServiceIndex(LIMITS)
    index.sink().upsert(aService({ metadata: { generation }, spec: { note: 'x'.repeat(size) } }))
    const service = index.get(KEY)
    if (service === undefined) throw new Error('not stored')
    return service
  }
  t.ok(partial(1, 3_000).hasSameObject(partial(1, 3_000)))
  t.notOk(partial(1, 3_000).hasSameObject(partial(2, 3_000)))
  t.notOk(partial(1, 3_000).hasSameObject(partial(1, 3_001)))
  t.notOk(partial(1, 3_000).hasSameObject(partial(1, 10)))
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
