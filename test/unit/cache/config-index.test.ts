import t from 'tap'
import { ConfigIndex } from '../../../src/cache/config-index.ts'
import type { JsonObject } from '../../../src/platform/json.ts'
import { aClusterConfig, aConfig } from '../../support/builders/objects.ts'
import { stored } from '../../support/fakes/reconcile-world.ts'

const KIB = 1024

/** With a spec of about so many characters. */
const secrets = (characters: number): JsonObject =>
  ({ imagePullSecrets: Array.from({ length: characters / 100 }, (_, at) => ({ name: String(at).padStart(89, 'a') })) })

function anIndex () {
  const index = new ConfigIndex()
  let version = 0
  const put = (name: string, characters: number, namespace = 'evil'): void => {
    const generation = ++version
    index.sink('AIMRuntimeConfig')
      .upsert(stored(aConfig(secrets(characters), { namespace, name }), generation, { generation }))
  }
  const has = (name: string, namespace = 'evil'): boolean => index.namespaced(namespace, name) !== undefined
  return { index, put, has }
}

t.test('leaves out a configuration above 64 KiB, and its earlier version, until it is smaller', async (t) => {
  const { index, put, has } = anIndex()
  put('default', 1_000)
  t.ok(has('default'))
  t.throws(() => { put('default', 80 * KIB) }, /exceeds the limit of 65536/)
  t.strictSame([has('default'), index.oversized('AIMRuntimeConfig')], [false, 1])
  put('default', 60 * KIB)
  t.strictSame([has('default'), index.oversized('AIMRuntimeConfig')], [true, 0])
  t.throws(() => { put('other', 80 * KIB) })
  index.sink('AIMRuntimeConfig').remove({ namespace: 'evil', name: 'other' })
  t.equal(index.oversized('AIMRuntimeConfig'), 0)
  const cluster = stored(aClusterConfig(secrets(80 * KIB)), 99)
  t.throws(() => { index.sink('AIMClusterRuntimeConfig').upsert(cluster) })
  t.equal(index.oversized('AIMClusterRuntimeConfig'), 1)
})

t.test('a namespace with many large configurations takes no room from another', async (t) => {
  const { index, put, has } = anIndex()
  const left = Array.from({ length: 80 }, (_, at) => {
    try {
      put(`c${at}`, 60 * KIB)
      return ''
    } catch {
      return `c${at}`
    }
  }).filter((name) => name !== '')
  t.ok(left.length > 5 && left.length < 20, `${left.length} were left out`)
  put('small', 500)
  put('default', 60 * KIB, 'victim')
  t.strictSame([has('small'), has('default', 'victim'), has(left[0] ?? '')], [true, true, false])
  for (const at of [0, 1]) index.sink('AIMRuntimeConfig').remove({ namespace: 'evil', name: `c${at}` })
  put(left[0] ?? '', 60 * KIB)
  t.equal(has(left[0] ?? ''), true, 'a removed one makes room')
  put(left[0] ?? '', 500)
  put(left[1] ?? '', 60 * KIB)
  t.equal(index.oversized('AIMRuntimeConfig'), left.length - 2)
})

t.test('keeps no long value of the rollout annotation', async (t) => {
  const { index } = anIndex()
  const annotations = { 'aim.silogen.ai/rollout': 'x'.repeat(200 * KIB) }
  const sink = index.sink('AIMRuntimeConfig')
  sink.upsert(stored(aConfig({}, { annotations }), 1))
  const first = index.namespaced('ml-team', 'default')
  t.equal(first?.rollout, 'too long')
  sink.upsert(stored(aConfig({}, { annotations }), 2))
  t.equal(index.namespaced('ml-team', 'default'), first, 'and it counts as unchanged')
})
