import fastJsonPatch from 'fast-json-patch'
import t from 'tap'
import { decodeReview } from '../../../src/admission/decode.ts'
import type { Verdict } from '../../../src/admission/verdict.ts'
import { DEFAULT_PATH_POLICY, type PathPolicy } from '../../../src/core/world.ts'
import { isJsonObject, ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import { newAdmissionEngine } from '../../../webhooks/engine.ts'
import { aReview } from '../../support/builders/a-review.ts'
import { aboutObject, aConfig, aService } from '../../support/builders/objects.ts'

const GATEWAY = { name: 'gateway', namespace: 'gateways' }

/** A cluster of one replica: writes go through both webhooks, and the caches follow at once. */
function aCluster (policy: Partial<PathPolicy> = {}) {
  const engine = newAdmissionEngine(
    { missingConfig: 'warn', missingBlock: 'admit' },
    { pathPolicy: { ...DEFAULT_PATH_POLICY, ...policy } }
  )
  const stored = new Map<string, JsonObject>()
  const judge = (path: string, request: JsonObject): Verdict => {
    const decoded = decodeReview(Buffer.from(aReview(aboutObject(request))))
    const webhook = engine.webhooks.find((candidate) => candidate.path === path)
    if (decoded.kind !== 'review' || webhook === undefined) throw new Error('no review, or no webhook')
    return webhook.decide(decoded.request)
  }
  const write = (object: JsonObject): Verdict => {
    const oldObject = stored.get(keyOf(object))
    const request = { operation: oldObject === undefined ? 'CREATE' : 'UPDATE', oldObject: oldObject ?? null }
    const mutation = judge('/mutate/aimservices', { ...request, object })
    const mutated = mutation.kind === 'patch' ? applied(object, mutation.operations) : object
    const verdict = judge('/validate/aimservices', { ...request, object: mutated })
    if (verdict.kind !== 'deny') {
      stored.set(keyOf(object), mutated)
      engine.sinks.AIMService.upsert(mutated)
    }
    return verdict
  }
  return {
    engine,
    write,
    /** Takes a service that was stored before. */
    restore: (object: JsonObject): void => {
      stored.set(keyOf(object), object)
      engine.sinks.AIMService.upsert(object)
    },
    get: (key: string): JsonObject => stored.get(key) ?? {},
    /** An empty patch, as the reconciler sends it. */
    trigger: (key: string): Verdict => write(stored.get(key) ?? {}),
    pathOf: (key: string): string => {
      const block = ownObject(ownObject(stored.get(key) ?? {}, 'spec'), 'resolvedRuntimeConfig')
      return ownString(ownObject(block, 'routing'), 'path')
    }
  }
}

function applied (object: JsonObject, operations: readonly object[]): JsonObject {
  const patch = structuredClone([...operations]) as fastJsonPatch.Operation[]
  return fastJsonPatch.applyPatch(structuredClone(object), patch, true).newDocument
}

function keyOf (object: JsonObject): string {
  const metadata = ownObject(object, 'metadata')
  return `${ownString(metadata, 'namespace')}/${ownString(metadata, 'name')}`
}

interface Given { readonly at?: string, readonly spec?: JsonObject, readonly metadata?: JsonObject }

function service (key: string, pathTemplate: string, given: Given = {}): JsonObject {
  const { at = '2026-01-01T00:00:00Z', spec = {}, metadata = {} } = given
  const [namespace = '', name = ''] = key.split('/')
  return aService({
    namespace,
    name,
    metadata: { creationTimestamp: at, ...metadata },
    spec: { routing: { enabled: true, gatewayRef: GATEWAY, pathTemplate }, ...spec }
  })
}

const config = (namespace: string): JsonObject => {
  const object = aConfig({})
  return { ...object, metadata: { ...ownObject(object, 'metadata'), namespace } }
}

const message = (verdict: Verdict): string =>
  verdict.kind === 'deny' ? verdict.faults.map((fault) => fault.message).join() : ''
const isConflict = (verdict: Verdict): boolean =>
  verdict.kind === 'deny' && verdict.faults.some(({ code }) => code === 'AIM-PATH-CONFLICT')

const EARLIER = { at: '2025-01-01T00:00:00Z' }

t.test('a parked service that was created first takes no path from its holder', async (t) => {
  t.test('when its configuration is created', async (t) => {
    const cluster = aCluster()
    cluster.engine.sinks.AIMRuntimeConfig.upsert(config('victim'))
    const spec = { routing: { enabled: true, pathTemplate: '/victim/llama' } }
    cluster.write(service('evil/parked', '', { ...EARLIER, spec }))
    t.equal(cluster.pathOf('evil/parked'), '')
    t.equal(cluster.write(service('victim/llama', '/victim/llama')).kind, 'admit')
    cluster.engine.sinks.AIMRuntimeConfig.upsert({ ...config('evil'), spec: { routing: { gatewayRef: GATEWAY } } })
    const verdict = cluster.trigger('evil/parked')
    t.equal(verdict.kind, 'admit', 'the reconciler\'s write is not refused')
    t.match(verdict.warnings, [/already held by AIMService victim\/llama/])
    t.strictSame([cluster.pathOf('evil/parked'), cluster.pathOf('victim/llama')], ['', '/victim/llama'])
    cluster.trigger('victim/llama')
    t.equal(cluster.pathOf('victim/llama'), '/victim/llama')
  })

  const parked: Record<string, JsonObject> = {
    'when it switches routing on': { routing: { enabled: false, gatewayRef: GATEWAY, pathTemplate: '/victim/llama' } },
    'when it adds a gateway': { routing: { enabled: true, pathTemplate: '/victim/llama' } }
  }
  for (const [name, spec] of Object.entries(parked)) {
    t.test(name, async (t) => {
      const cluster = aCluster()
      for (const namespace of ['victim', 'evil']) cluster.engine.sinks.AIMRuntimeConfig.upsert(config(namespace))
      cluster.write(service('evil/parked', '/', { ...EARLIER, spec }))
      cluster.write(service('victim/llama', '/victim/llama'))
      t.ok(isConflict(cluster.write(service('evil/parked', '/victim/llama', EARLIER))))
      t.equal(cluster.pathOf('victim/llama'), '/victim/llama')
    })
  }
})

t.test('of two services that replicas stored at the same moment, the older keeps the path', async (t) => {
  const cluster = aCluster()
  for (const namespace of ['a', 'b']) cluster.engine.sinks.AIMRuntimeConfig.upsert(config(namespace))
  cluster.write(service('a/new', '/one'))
  const other = aCluster()
  other.engine.sinks.AIMRuntimeConfig.upsert(config('b'))
  other.write(service('b/old', '/one', EARLIER))
  cluster.engine.sinks.AIMService.upsert(other.get('b/old'))
  cluster.trigger('a/new')
  t.equal(cluster.pathOf('a/new'), '')
  const rival = { service: { namespace: 'c', name: 'c' }, gateway: GATEWAY, path: '/one' }
  const holders = [...cluster.engine.world.paths.holders(rival)]
  t.strictSame(holders.map((held) => held.service.name), ['old'])
})

t.test('a path that is given up goes to the service that waits for it', async (t) => {
  const cluster = aCluster()
  cluster.engine.sinks.AIMRuntimeConfig.upsert(config('a'))
  cluster.write(service('b/waits', '', { spec: { routing: { enabled: true, pathTemplate: '/one' } } }))
  cluster.write(service('a/holds', '/one'))
  cluster.engine.sinks.AIMRuntimeConfig.upsert({ ...config('b'), spec: { routing: { gatewayRef: GATEWAY } } })
  cluster.trigger('b/waits')
  t.equal(cluster.pathOf('b/waits'), '')
  cluster.write(service('a/holds', '/two'))
  cluster.trigger('b/waits')
  t.equal(cluster.pathOf('b/waits'), '/one')
})

const overlaps: Record<string, { held: string, wanted: string }> = {
  'below the path of another namespace': { held: '/victim/llama', wanted: '/victim/llama/v1/chat/completions' },
  'above the path of another namespace': { held: '/victim/llama/v1', wanted: '/victim' }
}
for (const [name, { held, wanted }] of Object.entries(overlaps)) {
  t.test(`a path ${name} is refused, or admitted with a warning if the operator chose so`, async (t) => {
    for (const crossNamespaceOverlap of ['refuse', 'warn'] as const) {
      const cluster = aCluster({ crossNamespaceOverlap })
      for (const namespace of ['victim', 'evil']) cluster.engine.sinks.AIMRuntimeConfig.upsert(config(namespace))
      cluster.write(service('victim/llama', held))
      const verdict = cluster.write(service('evil/x', wanted, EARLIER))
      t.equal(isConflict(verdict), crossNamespaceOverlap === 'refuse')
      if (crossNamespaceOverlap === 'warn') t.match(verdict.warnings, [/covers|is covered by/])
      t.equal(cluster.pathOf('victim/llama'), held)
    }
  })
}

t.test('an overlap within a namespace is a warning', async (t) => {
  const cluster = aCluster()
  cluster.engine.sinks.AIMRuntimeConfig.upsert(config('a'))
  cluster.write(service('a/one', '/one'))
  t.match(cluster.write(service('a/two', '/one/two')), { kind: 'admit', warnings: [/is covered by \/one/] })
})

t.test('details of a holder in another namespace can be hidden', async (t) => {
  const cluster = aCluster({ conflictDetails: 'hidden' })
  for (const namespace of ['a', 'b']) cluster.engine.sinks.AIMRuntimeConfig.upsert(config(namespace))
  cluster.write(service('a/secret-name', '/one'))
  t.match(message(cluster.write(service('b/x', '/one'))), /already held by a service of another namespace/)
  t.notMatch(message(cluster.write(service('b/x', '/one'))), /secret-name/)
  t.match(message(cluster.write(service('a/y', '/one'))), /already held by AIMService a\/secret-name/)
})

t.test('under the path scope `namespace`, a path begins with the namespace', async (t) => {
  const cluster = aCluster({ pathScope: 'namespace' })
  cluster.engine.sinks.AIMRuntimeConfig.upsert(config('a'))
  t.match(cluster.write(service('a/x', '/b/x')), { kind: 'deny', faults: [{ code: 'AIM-PATH-SCOPE' }] })
  t.equal(cluster.write(service('a/x', '/a/x')).kind, 'admit')
})

t.test('a path that is held when the scope is switched on stays', async (t) => {
  const before = aCluster()
  before.engine.sinks.AIMRuntimeConfig.upsert(config('a'))
  before.write(service('a/x', '/elsewhere'))
  const after = aCluster({ pathScope: 'namespace' })
  after.engine.sinks.AIMRuntimeConfig.upsert(config('a'))
  const stored = before.get('a/x')
  const mutate = after.engine.webhooks.find(({ path }) => path === '/mutate/aimservices')
  const decoded = decodeReview(
    Buffer.from(aReview(aboutObject({ operation: 'UPDATE', object: stored, oldObject: stored })))
  )
  t.equal(decoded.kind === 'review' ? mutate?.decide(decoded.request).kind : '', 'admit')
})

const FORGED = {
  kind: 'AIMRuntimeConfig',
  serviceAccountName: 'cluster-god',
  routing: { enabled: true, gatewayRef: GATEWAY, path: '/victim/phi' }
}
const DELETED = { deletionTimestamp: '2020-01-01T00:00:00Z' }

t.test('a CREATE is judged and resolved whatever deletionTimestamp it carries', async (t) => {
  const cluster = aCluster()
  cluster.engine.sinks.AIMRuntimeConfig.upsert(config('evil'))
  t.equal(cluster.write(service('evil/born-dead', '/{.metadata', { metadata: DELETED })).kind, 'deny')
  cluster.write(
    service('evil/born-dead', '/evil', {
      metadata: DELETED,
      spec: { resolvedRuntimeConfig: FORGED, routing: { enabled: true, gatewayRef: GATEWAY, pathTemplate: '/evil' } }
    })
  )
  t.equal(cluster.pathOf('evil/born-dead'), '/evil')
  t.notMatch(JSON.stringify(cluster.get('evil/born-dead')), /cluster-god/)
})

t.test('an UPDATE of a live service is judged whatever deletionTimestamp it carries', async (t) => {
  const cluster = aCluster()
  cluster.engine.sinks.AIMRuntimeConfig.upsert(config('evil'))
  cluster.write(service('victim/x', '/held'))
  cluster.write(service('evil/live', '/evil'))
  t.equal(cluster.write(service('evil/live', '/held', { metadata: DELETED })).kind, 'deny')
  cluster.write(service('evil/live', '/moved', { metadata: DELETED }))
  t.equal(cluster.pathOf('evil/live'), '/moved')
})

t.test('a service that is being deleted is never refused, and keeps its stored block', async (t) => {
  const cluster = aCluster()
  cluster.engine.sinks.AIMRuntimeConfig.upsert(config('a'))
  cluster.write(service('a/x', '/one'))
  const stored = cluster.get('a/x')
  const deleting = {
    ...stored,
    metadata: { ...ownObject(stored, 'metadata'), ...DELETED, finalizers: ['example.com/a'] }
  }
  const edits: Record<string, JsonObject> = {
    forged: { ...ownObject(deleting, 'spec'), resolvedRuntimeConfig: FORGED },
    'without a block': Object.fromEntries(
      Object.entries(ownObject(deleting, 'spec')).filter(([key]) => key !== 'resolvedRuntimeConfig')
    ),
    'with an invalid template': { ...ownObject(deleting, 'spec'), routing: { pathTemplate: '/{' } }
  }
  for (const [name, spec] of Object.entries(edits)) {
    const request = { operation: 'UPDATE', object: { ...deleting, spec }, oldObject: deleting }
    const decoded = decodeReview(Buffer.from(aReview(aboutObject(request))))
    if (decoded.kind !== 'review') throw new Error(decoded.message)
    const [mutate, validate] = ['/mutate/aimservices', '/validate/aimservices'].map((path) =>
      cluster.engine.webhooks.find((each) => each.path === path)
    )
    t.equal(validate?.decide(decoded.request).kind, 'admit', name)
    const mutation = mutate?.decide(decoded.request)
    const after = mutation?.kind === 'patch' ? applied(request.object, mutation.operations) : request.object
    t.strictSame(
      ownObject(after, 'spec')['resolvedRuntimeConfig'],
      ownObject(deleting, 'spec')['resolvedRuntimeConfig'],
      name
    )
    t.ok(isJsonObject(after))
  }
})

t.test('a creation time that a user writes yields no path', (t) => {
  const { engine, write, pathOf } = aCluster()
  engine.sinks.AIMRuntimeConfig.upsert(config('evil'))
  write(service('evil/forged', '/victim/{.metadata.creationTimestamp}', EARLIER))
  t.equal(pathOf('evil/forged'), '')
  write(service('evil/forged', '/victim/{.metadata.creationTimestamp}', EARLIER))
  t.equal(pathOf('evil/forged'), '/victim/2025-01-01t00%3A00%3A00z', 'of the stored service it is the API server\'s')
  t.end()
})

t.test('paths are compared in the form in which they are served', async (t) => {
  for (const [pathSegments, collide] of [['rfc3986', false], ['dns', true]] as const) {
    const cluster = aCluster({ pathSegments })
    cluster.engine.sinks.AIMRuntimeConfig.upsert(config('ml'))
    const write = (key: string, team: string): Verdict =>
      cluster.write(service(key, '/{.metadata.labels.team}', { metadata: { labels: { team } } }))
    write('ml/a', 'my_team')
    const second = write('ml/b', 'My-Team')
    t.equal(isConflict(second), collide, pathSegments)
    t.equal(cluster.pathOf('ml/a'), collide ? '/my-team' : '/my_team')
    if (collide) t.match(message(second), /path \/my-team is already held by AIMService ml\/a/)
  }
})

t.test('paths of the other form move at the next admission, and a path that is held stays with its holder', (t) => {
  const cluster = aCluster()
  for (const namespace of ['ml', 'other']) cluster.engine.sinks.AIMRuntimeConfig.upsert(config(namespace))
  cluster.write(service('ml/old', '/my_team', EARLIER))
  cluster.write(service('ml/moves', '/A_b'))
  cluster.write(service('other/holder', '/my-team'))
  const dns = aCluster({ pathSegments: 'dns' })
  for (const namespace of ['ml', 'other']) dns.engine.sinks.AIMRuntimeConfig.upsert(config(namespace))
  const keys = ['ml/old', 'ml/moves', 'other/holder']
  for (const key of keys) dns.restore(cluster.get(key))
  for (const key of keys) t.equal(dns.trigger(key).kind, 'admit', key)
  t.strictSame(keys.map(dns.pathOf), ['', '/a-b', '/my-team'])
  t.end()
})

t.test('a service with routing of its own holds its path while its configuration is missing', async (t) => {
  t.test('so no other service gets it, with or without a configuration', async (t) => {
    const cluster = aCluster()
    cluster.engine.sinks.AIMRuntimeConfig.upsert(config('evil'))
    t.equal(cluster.write(service('ml/holder', '/shared')).kind, 'admit')
    t.equal(cluster.pathOf('ml/holder'), '', 'it has no block')
    t.ok(isConflict(cluster.write(service('ml/second', '/shared'))))
    t.ok(isConflict(cluster.write(service('evil/second', '/shared', EARLIER))))
    t.ok(isConflict(cluster.write(service('evil/below', '/shared/v1'))))
    t.match(message(cluster.write(service('ml/second', '/shared'))), /already held by AIMService ml\/holder/)
  })

  t.test('and keeps it when the configuration appears, and when it goes', async (t) => {
    const cluster = aCluster()
    cluster.write(service('ml/holder', '/shared'))
    cluster.engine.sinks.AIMRuntimeConfig.upsert(config('ml'))
    t.equal(cluster.trigger('ml/holder').kind, 'admit')
    t.equal(cluster.pathOf('ml/holder'), '/shared')
    cluster.engine.sinks.AIMRuntimeConfig.remove({ namespace: 'ml', name: 'default' })
    t.equal(cluster.trigger('ml/holder').kind, 'admit')
    t.equal(cluster.pathOf('ml/holder'), '')
    t.ok(isConflict(cluster.write(service('ml/second', '/shared'))))
    cluster.write(service('ml/holder', '/other'))
    t.equal(cluster.write(service('ml/second', '/shared')).kind, 'admit', 'it gave the path up')
  })

  t.test('and no other one while it is being deleted, when no edit is judged', async (t) => {
    const cluster = aCluster()
    cluster.engine.sinks.AIMRuntimeConfig.upsert(config('victim'))
    cluster.write(service('evil/x', '/shared'))
    const deleting = (pathTemplate: string): JsonObject => service('evil/x', pathTemplate, { metadata: DELETED })
    cluster.restore(deleting('/shared'))
    t.equal(cluster.write(deleting('/victim/llama')).kind, 'admit')
    t.equal(cluster.write(service('victim/llama', '/victim/llama')).kind, 'admit')
    t.ok(isConflict(cluster.write(service('victim/second', '/shared'))), 'it keeps its path until it is gone')
    const restarted = aCluster()
    restarted.restore(deleting('/victim/llama'))
    t.equal(restarted.write(service('victim/llama', '/victim/llama')).kind, 'admit')
  })

  t.test('but a deleted configuration takes no path from its holder', async (t) => {
    const cluster = aCluster()
    for (const namespace of ['evil', 'victim']) cluster.engine.sinks.AIMRuntimeConfig.upsert(config(namespace))
    const routing = { enabled: true, gatewayRef: GATEWAY }
    const template = { routing: { pathTemplate: '/elsewhere' } }
    cluster.engine.sinks.AIMRuntimeConfig.upsert({ ...config('evil'), spec: template })
    cluster.write(service('evil/older', '', { ...EARLIER, spec: { routing } }))
    t.equal(cluster.pathOf('evil/older'), '/elsewhere')
    cluster.write(service('victim/llama', '/evil/older'))
    cluster.engine.sinks.AIMRuntimeConfig.remove({ namespace: 'evil', name: 'default' })
    const { warnings } = cluster.trigger('evil/older')
    t.match(warnings.join(), /already held by AIMService victim\/llama/)
    cluster.trigger('victim/llama')
    t.equal(cluster.pathOf('victim/llama'), '/evil/older')
  })

  t.test('not where a part of its routing comes from elsewhere, or is invalid', async (t) => {
    const cluster = aCluster()
    cluster.write(service('ml/off', '/shared', { spec: { routing: { gatewayRef: GATEWAY, pathTemplate: '/shared' } } }))
    cluster.write(service('ml/gateless', '/shared', { spec: { routing: { enabled: true, pathTemplate: '/shared' } } }))
    t.equal(cluster.write(service('ml/second', '/shared')).kind, 'admit')
    t.equal(cluster.write(service('ml/broken', '/{.metadata.labels.none}')).kind, 'deny')
  })
})
