import t from 'tap'
import { BLOCK_ANNOTATION } from '../../../src/api/meta.ts'
import { watchedSinks } from '../../../src/reconcile/watched-sinks.ts'
import { aClusterConfig, aConfig, aService } from '../../support/builders/objects.ts'
import { aReconcileWorld, stored } from '../../support/fakes/reconcile-world.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

/** Sinks, and what they tell: `edited` in capitals. */
function aWatch () {
  const { world } = aReconcileWorld()
  const reported: string[] = []
  const sinks = watchedSinks(world, {
    serviceChanged: (id, change) => { reported.push(`${change === 'object' ? 'EDITED' : change} ${id}`) },
    configChanged: ({ kind, namespace, name }, { edited }) => {
      reported.push(`${edited ? 'EDITED' : 'changed'} ${kind} ${namespace}/${name}`)
    },
    pathAcquired: ({ path }) => { reported.push(`acquired ${path}`) },
    pathReleased: ({ path }) => { reported.push(`released ${path}`) }
  })
  const since = (act: () => void): string[] => {
    reported.length = 0
    act()
    return [...reported]
  }
  return { world, sinks, since }
}

const routing = (path: string): JsonObject => ({
  enabled: true,
  gatewayRef: { name: 'gateway' },
  pathTemplate: path,
  path
})
const holding = (name: string, path: string): JsonObject =>
  aService({ name, spec: { resolvedRuntimeConfig: { routing: routing(path) } } })

t.test('reports a service as edited, or which part differs', async (t) => {
  const { sinks, since } = aWatch()
  const service = aService({ labels: { team: 'nlp' } })
  t.strictSame(since(() => { sinks.AIMService.upsert(stored(service, 1)) }), ['EDITED ml-team/llama-chat'])
  t.strictSame(
    since(() => { sinks.AIMService.upsert({ ...stored(service, 2), status: { observedGeneration: 1 } }) }),
    ['status ml-team/llama-chat']
  )
  t.strictSame(
    since(() => { sinks.AIMService.upsert(stored(service, 3, { generation: 2 })) }),
    ['EDITED ml-team/llama-chat']
  )
  t.strictSame(
    since(() => { sinks.AIMService.upsert(stored(service, 4, { generation: 2, labels: { team: 'vision' } })) }),
    ['EDITED ml-team/llama-chat']
  )
  t.strictSame(
    since(() => { sinks.AIMService.remove({ namespace: 'ml-team', name: 'llama-chat' }) }),
    ['EDITED ml-team/llama-chat']
  )
})

t.test('tells a changed block from a changed status', async (t) => {
  const { sinks, since } = aWatch()
  const upsert = (object: JsonObject) => () => { sinks.AIMService.upsert(object) }
  const annotated = (path: string): JsonObject => {
    const annotations = { [BLOCK_ANNOTATION]: JSON.stringify({ routing: routing(path) }) }
    return aService({ name: 'a', metadata: { annotations } })
  }
  since(upsert(stored(annotated('/one'), 1)))
  t.strictSame(since(upsert(stored(annotated('/two'), 2))), ['block ml-team/a', 'released /one', 'acquired /two'])
  t.strictSame(since(upsert({ ...stored(annotated('/two'), 3), status: {} })), ['status ml-team/a'])
  t.strictSame(since(upsert(stored(aService({ name: 'a', metadata: { annotations: {} } }), 4))), [
    'block ml-team/a', 'released /two'
  ])
})

t.test('takes services from the responses to writes, and ignores what the watch repeats of them', async (t) => {
  const { world, sinks, since } = aWatch()
  const key = { namespace: 'ml-team', name: 'a' }
  const version = (): string | undefined => world.serviceStatuses.get(key)?.version
  const watch = (object: JsonObject) => () => { sinks.AIMService.upsert(object) }
  const admitted = (object: JsonObject) => () => { sinks.written.service(object) }
  const before = stored(holding('a', '/one'), 8)
  const after = stored(holding('a', '/two'), 10, { generation: 3 })
  since(watch(before))
  t.strictSame(since(admitted(after)), ['EDITED ml-team/a', 'released /one', 'acquired /two'])
  t.strictSame(since(watch(stored(holding('a', '/one'), 9, { generation: 2 }))), [], 'an earlier version')
  t.strictSame(since(watch(after)), [])
  t.strictSame(since(() => { sinks.written.status(stored(after, 11, { generation: 3 })) }), [])
  t.equal(version(), '11')
  t.strictSame(since(watch(stored(holding('a', '/two'), 11, { generation: 3 }))), [])
  t.strictSame(since(watch(stored(holding('a', '/one'), 12, { generation: 4 }))), [
    'EDITED ml-team/a', 'released /two', 'acquired /one'
  ])
  t.strictSame(since(admitted(after)), [], 'the watch was faster')
  t.strictSame(since(admitted(stored(holding('a', '/two'), 13, { uid: 'u0' }))), [], 'of a replaced service')
  sinks.AIMService.remove(key)
  t.strictSame(since(admitted(stored(holding('a', '/two'), 14))), [], 'of a deleted service')
  t.equal(version(), undefined)
  t.strictSame(since(watch(stored(holding('a', '/one'), 15, { uid: 'u2' }))), ['EDITED ml-team/a', 'acquired /one'])
})

t.test('reports the paths that a service acquires and releases', async (t) => {
  const { sinks, since } = aWatch()
  const upsert = (object: JsonObject) => () => { sinks.AIMService.upsert(object) }
  t.strictSame(since(upsert(stored(holding('a', '/one'), 1))), ['EDITED ml-team/a', 'acquired /one'])
  t.strictSame(since(upsert({ ...stored(holding('a', '/one'), 2), status: {} })), ['status ml-team/a'])
  t.strictSame(
    since(upsert(stored(holding('a', '/two'), 3, { generation: 2 }))),
    ['EDITED ml-team/a', 'released /one', 'acquired /two']
  )
  t.strictSame(
    since(() => { sinks.AIMService.remove({ namespace: 'ml-team', name: 'a' }) }),
    ['EDITED ml-team/a', 'released /two']
  )
})

t.test('reports a configuration as edited if more than its status differs', async (t) => {
  const { sinks, since } = aWatch()
  const title = 'AIMRuntimeConfig ml-team/default'
  t.strictSame(since(() => { sinks.AIMRuntimeConfig.upsert(stored(aConfig(), 1)) }), [`EDITED ${title}`])
  t.strictSame(
    since(() => { sinks.AIMRuntimeConfig.upsert({ ...stored(aConfig(), 2), status: { hash: 'x' } }) }),
    [`changed ${title}`]
  )
  t.strictSame(
    since(() => {
      sinks.AIMRuntimeConfig.upsert(stored(aConfig(), 3, { annotations: { 'aim.silogen.ai/rollout': 'paused' } }))
    }),
    [`EDITED ${title}`]
  )
  const imagePullSecrets = [{ name: 'x'.repeat(70_000) }]
  t.strictSame(since(() => {
    t.throws(() => { sinks.AIMRuntimeConfig.upsert(stored(aConfig({ imagePullSecrets }), 4, { generation: 2 })) })
  }), [`EDITED ${title}`], 'a version that is too large is not kept')
  t.strictSame(
    since(() => { sinks.AIMRuntimeConfig.remove({ namespace: 'ml-team', name: 'default' }) }),
    [`EDITED ${title}`]
  )
  t.strictSame(
    since(() => { sinks.AIMClusterRuntimeConfig.upsert(stored(aClusterConfig(), 4)) }),
    ['EDITED AIMClusterRuntimeConfig /default']
  )
})

t.test('keeps the latest own status, with its uid and version', async (t) => {
  const { world, sinks } = aWatch()
  const key = { namespace: 'ml-team', name: 'llama-chat' }
  sinks.AIMService.upsert({
    ...stored(aService(), 5),
    status: { observedGeneration: 2, routing: { path: '/new', theirs: 1 }, theirs: 1, conditions: [{ type: 'Theirs' }] }
  })
  sinks.AIMService.upsert({ ...stored(aService(), 4), status: { observedGeneration: 1 } })
  t.strictSame(world.serviceStatuses.get(key), {
    uid: 'u1',
    version: '5',
    status: { observedGeneration: 2, routing: { path: '/new' }, conditions: [] },
    ownership: { others: new Map(), kept: undefined, lastWriter: 'aim-admission' }
  })
  sinks.AIMService.remove(key)
  t.equal(world.serviceStatuses.get(key), undefined)
})
