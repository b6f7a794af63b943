import t from 'tap'
import type { Test } from 'tap'
import { ConfigArrivals } from '../../src/core/config-arrivals.ts'
import { ConfigIndex } from '../../src/core/config-index.ts'
import { readRuntimeConfig } from '../../src/core/runtime-config.ts'
import type { RuntimeConfig } from '../../src/core/runtime-config.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { aClusterConfig, aConfig } from '../support/objects.ts'

const REF = { namespace: 'ml-team', name: 'default' }

function setUp () {
  const configs = new ConfigIndex()
  const clock = new ManualClock()
  return { configs, clock, arrivals: new ConfigArrivals(configs, clock), signal: new AbortController().signal }
}

function read (object = aConfig()): RuntimeConfig {
  const config = readRuntimeConfig('AIMRuntimeConfig', object)
  if (config.kind === 'malformed') throw new Error(config.field)
  return config
}

/** Whether a wait is over, without waiting for it. */
async function isOver (wait: Promise<void> | undefined): Promise<boolean> {
  return await Promise.race([wait?.then(() => true) ?? true, new Promise<boolean>((resolve) => { setImmediate(() => { resolve(false) }) })])
}

async function overAfter (t: Test, clock: ManualClock, { wait, ms }: { wait: Promise<void> | undefined, ms: number }): Promise<void> {
  clock.pass(ms - 1)
  t.equal(await isOver(wait), false)
  clock.pass(1)
  t.equal(await isOver(wait), true)
}

t.test('a configuration that is known is not waited for', async (t) => {
  const { configs, arrivals, signal } = setUp()
  configs.sink('AIMClusterRuntimeConfig').upsert(aClusterConfig())
  t.equal(arrivals.arrival(REF, () => signal), undefined)
})

t.test('one that was just admitted is waited for, though the cluster has one of that name', async (t) => {
  const { configs, arrivals, clock, signal } = setUp()
  configs.sink('AIMClusterRuntimeConfig').upsert(aClusterConfig())
  arrivals.announce(read())
  const wait = arrivals.arrival(REF, () => signal)
  t.equal(await isOver(wait), false)
  configs.sink('AIMRuntimeConfig').upsert(aConfig())
  t.equal(await isOver(wait), true)
  t.equal(clock.pending, 0)
})

t.test('a new version is waited for until that very version has come', async (t) => {
  const { configs, arrivals, signal } = setUp()
  configs.sink('AIMRuntimeConfig').upsert(aConfig())
  arrivals.announce(read(aConfig({ serviceAccountName: 'new' })))
  const wait = arrivals.arrival(REF, () => signal)
  configs.sink('AIMRuntimeConfig').upsert(aConfig({ serviceAccountName: 'other' }))
  t.equal(await isOver(wait), false)
  configs.sink('AIMRuntimeConfig').upsert(aConfig({ serviceAccountName: 'new' }))
  t.equal(await isOver(wait), true)
})

t.test('one that never comes is waited for a second, and forgotten after two', async (t) => {
  const { configs, arrivals, clock, signal } = setUp()
  configs.sink('AIMClusterRuntimeConfig').upsert(aClusterConfig())
  arrivals.announce(read())
  await overAfter(t, clock, { wait: arrivals.arrival(REF, () => signal), ms: 1_000 })
  clock.pass(1_000)
  t.equal(arrivals.arrival(REF, () => signal), undefined)
})

t.test('one that nobody announced is waited for briefly', async (t) => {
  const { arrivals, clock, signal } = setUp()
  await overAfter(t, clock, { wait: arrivals.arrival(REF, () => signal), ms: 150 })
})

t.test('a wait ends with its review', async (t) => {
  const { arrivals, clock } = setUp()
  const controller = new AbortController()
  const wait = arrivals.arrival(REF, () => controller.signal)
  controller.abort()
  t.equal(await isOver(wait), true)
  t.equal(clock.pending, 0)
})

t.test('no more than 64 reviews wait at once', async (t) => {
  const { arrivals, clock, signal } = setUp()
  const waits = Array.from({ length: 64 }, () => arrivals.arrival(REF, () => signal))
  t.equal(arrivals.arrival(REF, () => signal), undefined)
  clock.pass(150)
  await Promise.all(waits.map(async (wait) => { await wait }))
  t.ok(arrivals.arrival(REF, () => signal))
})
