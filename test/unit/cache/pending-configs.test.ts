import t, { type Test } from 'tap'
import { PendingConfigCache } from '../../../src/cache/pending-configs.ts'
import { ConfigIndex } from '../../../src/cache/config-index.ts'
import { readRuntimeConfig, type RuntimeConfig } from '../../../src/core/settings/runtime-config.ts'
import { ManualClock } from '../../support/fakes/manual-clock.ts'
import { aClusterConfig, aConfig } from '../../support/builders/objects.ts'

const REF = { namespace: 'ml-team', name: 'default' }

function setUp () {
  const configs = new ConfigIndex()
  const clock = new ManualClock()
  return { configs, clock, pending: new PendingConfigCache(configs, clock), signal: new AbortController().signal }
}

function read (object = aConfig()): RuntimeConfig {
  const config = readRuntimeConfig('AIMRuntimeConfig', object)
  if (config.kind === 'malformed') throw new Error(config.field)
  return config
}

/** Whether a promise is settled. */
async function isOver (wait: Promise<void> | undefined): Promise<boolean> {
  return await Promise.race([
    wait?.then(() => true) ?? true,
    new Promise<boolean>((resolve) => { setImmediate(() => { resolve(false) }) })
  ])
}

async function overAfter (
  t: Test, clock: ManualClock, { wait, ms }: { wait: Promise<void> | undefined, ms: number }
): Promise<void> {
  clock.pass(ms - 1)
  t.equal(await isOver(wait), false)
  clock.pass(1)
  t.equal(await isOver(wait), true)
}

t.test('a review does not wait for a known configuration', async (t) => {
  const { configs, pending, signal } = setUp()
  configs.sink('AIMClusterRuntimeConfig').upsert(aClusterConfig())
  t.equal(pending.waitForConfig(REF, () => signal), undefined)
})

t.test('a review waits for an admitted configuration, even if the cluster has one of that name', async (t) => {
  const { configs, pending, clock, signal } = setUp()
  configs.sink('AIMClusterRuntimeConfig').upsert(aClusterConfig())
  pending.announce(read())
  const wait = pending.waitForConfig(REF, () => signal)
  t.equal(await isOver(wait), false)
  configs.sink('AIMRuntimeConfig').upsert(aConfig())
  t.equal(await isOver(wait), true)
  t.equal(clock.pending, 0)
})

t.test('a review waits until the announced version arrives', async (t) => {
  const { configs, pending, signal } = setUp()
  configs.sink('AIMRuntimeConfig').upsert(aConfig())
  pending.announce(read(aConfig({ serviceAccountName: 'new' })))
  const wait = pending.waitForConfig(REF, () => signal)
  configs.sink('AIMRuntimeConfig').upsert(aConfig({ serviceAccountName: 'other' }))
  t.equal(await isOver(wait), false)
  configs.sink('AIMRuntimeConfig').upsert(aConfig({ serviceAccountName: 'new' }))
  t.equal(await isOver(wait), true)
})

t.test('a wait ends after one second, an announcement after two', async (t) => {
  const { configs, pending, clock, signal } = setUp()
  configs.sink('AIMClusterRuntimeConfig').upsert(aClusterConfig())
  pending.announce(read())
  await overAfter(t, clock, { wait: pending.waitForConfig(REF, () => signal), ms: 1_000 })
  clock.pass(1_000)
  t.equal(pending.waitForConfig(REF, () => signal), undefined)
})

t.test('a review waits briefly for a configuration that was not announced', async (t) => {
  const { pending, clock, signal } = setUp()
  await overAfter(t, clock, { wait: pending.waitForConfig(REF, () => signal), ms: 150 })
})

t.test('a wait ends when its review is aborted', async (t) => {
  const { pending, clock } = setUp()
  const controller = new AbortController()
  const wait = pending.waitForConfig(REF, () => controller.signal)
  controller.abort()
  t.equal(await isOver(wait), true)
  t.equal(clock.pending, 0)
})

t.test('at most 64 reviews of a namespace wait at once, whatever waits in others', async (t) => {
  const { pending, clock, signal } = setUp()
  const waits = Array.from({ length: 64 }, () => pending.waitForConfig(REF, () => signal))
  t.equal(pending.waitForConfig(REF, () => signal), undefined)
  t.ok(pending.waitForConfig({ ...REF, namespace: 'other' }, () => signal))
  clock.pass(150)
  await Promise.all(waits.map(async (wait) => { await wait }))
  t.ok(pending.waitForConfig(REF, () => signal))
})
