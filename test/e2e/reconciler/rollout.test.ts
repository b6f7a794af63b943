import t, { type Test } from 'tap'
import { CLUSTER_CONFIGS, inNamespace } from '../../support/cluster/cluster-client.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { actionsOf, BLOCK, BY_TEAM, manifest, PATH, routed } from '../../support/builders/manifests.ts'
import { conditionOf, observationsOf, type StoredObject } from '../../support/cluster/observed.ts'
import { startProduct, startReconciler } from '../../support/programs/product.ts'
import { eventually, until } from '../../support/until.ts'

const cluster = await startCluster()
const { client, kubectl } = cluster
const { store, get, aNamespace } = actionsOf(cluster)
const { object, objects, events, reaches } = observationsOf(cluster)
const product = await startProduct(cluster)
/** Low enough to observe a rollout. */
const RATE = 10
const LIMIT = 4
const reconciler = await startReconciler(cluster, [
  '--rollout-rate',
  String(RATE),
  '--rollout-failure-limit',
  String(LIMIT)
])
t.teardown(async () => {
  await reconciler.stop()
  await product.stop()
  await cluster.stop()
})

const config = (namespace: string, spec: object, annotation?: string): string =>
  manifest(
    {
      kind: 'AIMRuntimeConfig',
      namespace,
      name: 'default',
      spec,
      metadata: { annotations: annotation === undefined ? undefined : { 'aim.silogen.ai/rollout': annotation } }
    }
  )
const named = (count: number): string[] => Array.from({ length: count }, (_, at) => `s${String(at).padStart(2, '0')}`)
const configIn = (namespace: string): string[] => ['-n', namespace, 'aimrcfg/default']
const annotate = async (namespace: string, rollout: string): Promise<void> => {
  await client.patch(`${inNamespace(namespace).configs}/default`, {
    metadata: { annotations: { 'aim.silogen.ai/rollout': rollout } }
  })
}

/** A namespace with a configuration and healthy services. */
async function aFleet (namespace: string, count: number, labelled = 0): Promise<string> {
  await aNamespace(namespace)
  const services = named(count).map((name, at) =>
    manifest({ namespace, name, ...(at >= count - labelled && { labels: { team: 'nlp' } }) })
  )
  await store(config(namespace, routed()), ...services)
  await rolledOut(namespace, count)
  await allReach(namespace, 'RoutingReady', 'PathRendered')
  return namespace
}

/** Waits until a condition of every service of a namespace has this reason. */
async function allReach (namespace: string, type: string, reason: string): Promise<void> {
  await until(async () =>
    (await objects('-n', namespace, 'aimsvc')).every((service) => conditionOf(service, type)?.reason === reason)
  )
}

/** Waits until every service has the current configuration. */
async function rolledOut (namespace: string, total: number): Promise<StoredObject> {
  return await eventually(async () => {
    const stored = await object(...configIn(namespace))
    const { hash, services, observedGeneration } = stored.status ?? {}
    const users = (await objects('-n', namespace, 'aimsvc')).filter(({ spec }) => spec.runtimeConfigName === 'default')
    const isCurrent =
      observedGeneration === stored.metadata.generation &&
      users.every(({ spec }) => spec.resolvedRuntimeConfig?.hash === hash)
    return isCurrent &&
      services?.total === total &&
      services.current === total &&
      conditionOf(stored, 'RolledOut')?.status === 'True'
      ? stored
      : undefined
  })
}

async function held (namespace: string, reason: string, current: number): Promise<StoredObject> {
  return await eventually(async () => {
    const stored = await object(...configIn(namespace))
    return conditionOf(stored, 'RolledOut')?.reason === reason && stored.status?.services?.current === current
      ? stored
      : undefined
  })
}

const versions = async (namespace: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await objects('-n', namespace, 'aimsvc')).map(({ metadata }) => [metadata.name, metadata.resourceVersion])
  )
const touched = (before: Record<string, string>, after: Record<string, string>): string[] =>
  Object.keys(after).filter((name) => after[name] !== before[name])

function isAccepted (t: Test, stored: StoredObject): void {
  t.match(conditionOf(stored, 'Accepted'), {
    status: 'True',
    reason: 'Accepted',
    observedGeneration: stored.metadata.generation
  })
}

t.test('rolls a changed configuration out to its services alone, within the rate, and counts them', async (t) => {
  const namespace = await aFleet('changed', 25)
  await store(
    manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'other', spec: routed() }),
    manifest({ namespace, name: 'bystander', spec: { runtimeConfigName: 'other' } })
  )
  t.equal(await reaches(['-n', namespace, 'aimsvc/bystander'], 'RoutingReady', 'PathRendered'), '')
  await until(async () => (await object('-n', namespace, 'aimrcfg/other')).status?.services?.current === 1)
  const elsewhere = await aFleet('unchanged', 2)
  const before = { ...await versions(namespace), ...await versions(elsewhere) }
  await store(config(namespace, { ...routed(), defaultStorageClassName: 'fast' }))
  const seen = new Set<number>()
  let inProgress = 0
  const done = await eventually(async () => {
    const { status, ...stored } = await object(...configIn(namespace))
    const current = status?.services?.current ?? 0
    seen.add(current)
    if (
      conditionOf({ ...stored, ...(status !== undefined && { status }) }, 'RolledOut')?.reason === 'InProgress'
    ) { inProgress++ }
    return status?.observedGeneration === stored.metadata.generation && current === 25
      ? await rolledOut(namespace, 25)
      : undefined
  })
  t.ok([...seen].some((current) => current > 0 && current < 25), `the counter moves: ${[...seen].join()}`)
  t.ok(inProgress > 0)
  t.strictSame(done.status?.services, { total: 25, current: 25, failing: 0 })
  isAccepted(t, done)
  t.match(conditionOf(done, 'RolloutHalted'), { status: 'False', reason: 'WithinLimit' })
  t.equal(await get(namespace, 's00', '.spec.resolvedRuntimeConfig.defaultStorageClassName'), 'fast')
  t.strictSame(touched(before, await versions(namespace)), named(25))
  t.strictSame(touched(before, await versions(elsewhere)), [])
  const told = await eventually(async () => {
    const found = await events(namespace, 's24')
    return found.some(({ reason }) => reason === 'RolledForward') ? found : undefined
  })
  t.match(
    told.filter(({ reason }) => reason === 'RolledForward'),
    [
      {
        type: 'Normal',
        action: 'Readmit',
        note: `now has version ${done.status?.hash?.slice(0, 19) ?? ''} of AIMRuntimeConfig changed/default`
      }
    ]
  )
})

t.test('the configuration of a namespace replaces that of the cluster until its deletion', async (t) => {
  const namespace = await aNamespace('switched')
  const shared = manifest({
    kind: 'AIMClusterRuntimeConfig',
    name: 'switched',
    spec: { ...routed(), defaultStorageClassName: 'shared' }
  })
  const users = named(3)
  const user = (name: string, inside = namespace): string =>
    manifest({ namespace: inside, name, spec: { runtimeConfigName: 'switched' } })
  const outside = await aNamespace('not-switched')
  await store(shared, ...users.map((name) => user(name)), user('bystander', outside))
  const counted = async (kind: string, total: number): Promise<void> => {
    await until(async () => {
      const [stored] = (await objects(kind)).filter(({ metadata }) => metadata.name === 'switched')
      return (
        stored?.status?.services?.total === total &&
        stored.status.services.current === total &&
        conditionOf(stored, 'RolledOut')?.status === 'True'
      )
    })
  }
  await counted('aimcrcfg', 4)
  await allReach(namespace, 'RoutingReady', 'PathRendered')
  t.equal(await reaches(['-n', outside, 'aimsvc/bystander'], 'RoutingReady', 'PathRendered'), '')
  const before = await versions(outside)
  const blocks = async (): Promise<string> =>
    (
      await kubectl([
        '-n',
        namespace,
        'get',
        'aimsvc',
        '-o',
        `jsonpath={range .items[*]}{${BLOCK}.kind} {${BLOCK}.defaultStorageClassName}|{end}`
      ])
    ).stdout

  await store(manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'switched', spec: {} }))
  await counted('aimrcfg', 3)
  await counted('aimcrcfg', 1)
  t.equal(await blocks(), 'AIMRuntimeConfig |'.repeat(3), 'nothing is merged')
  t.equal(await reaches(['-n', namespace, 'aimsvc/s00'], 'RoutingReady', 'RoutingDisabled'), '')
  t.equal(await get(namespace, 's00', '.status.routing.path'), '')

  await client.remove(`${inNamespace(namespace).configs}/switched`)
  await counted('aimcrcfg', 4)
  t.equal(await blocks(), 'AIMClusterRuntimeConfig shared|'.repeat(3))
  t.equal(await reaches(['-n', namespace, 'aimsvc/s00'], 'RoutingReady', 'PathRendered'), '')
  t.strictSame(touched(before, await versions(outside)), [], 'other services are not written')

  await client.remove(`${CLUSTER_CONFIGS}/switched`)
  await allReach(namespace, 'RuntimeConfigResolved', 'RuntimeConfigMissing')
  t.equal(await blocks(), ' |'.repeat(3))
  t.equal(await get(namespace, 's00', '.status.resolvedRuntimeConfig'), '')
  t.match(conditionOf(await object('-n', namespace, 'aimsvc/s00'), 'Degraded'), {
    status: 'True',
    reason: 'RuntimeConfigMissing'
  })
})

t.test('rolls out a replacing configuration with equal settings', async (t) => {
  const namespace = await aNamespace('same-settings')
  await store(
    manifest({ kind: 'AIMClusterRuntimeConfig', name: 'default', spec: routed() }),
    manifest({ namespace, name: 'a' })
  )
  t.equal(await reaches(['-n', namespace, 'aimsvc/a'], 'RoutingReady', 'PathRendered'), '')
  await store(config(namespace, routed()))
  await rolledOut(namespace, 1)
  t.equal(await get(namespace, 'a', '.spec.resolvedRuntimeConfig.kind'), 'AIMRuntimeConfig')
  await until(async () => (await get(namespace, 'a', '.status.resolvedRuntimeConfig.kind')) === 'AIMRuntimeConfig')
  await client.remove(`${CLUSTER_CONFIGS}/default`)
})

t.test('a rollout can be paused, limited to a canary, and resumed', async (t) => {
  const namespace = await aFleet('annotated', 6)
  const before = await versions(namespace)
  const changed = { ...routed(), defaultStorageClassName: 'fast' }
  await store(config(namespace, changed, 'paused'))
  const paused = await held(namespace, 'Paused', 0)
  t.match(
    conditionOf(paused, 'RolledOut')?.message,
    'the rollout is paused; to resume: ' +
      'kubectl -n annotated annotate aimrcfg/default aim.silogen.ai/rollout=all --overwrite'
  )
  await allReach(namespace, 'RuntimeConfigResolved', 'RollingOut')
  const waiting = await object('-n', namespace, 'aimsvc/s00')
  t.match(
    conditionOf(waiting, 'RuntimeConfigResolved')?.message,
    /^AIMRuntimeConfig annotated\/default is not rolled out to this service yet: the rollout is paused; to resume: /
  )
  t.match(
    [conditionOf(waiting, 'RoutingReady'), conditionOf(waiting, 'Degraded'), waiting.status?.routing],
    [{ status: 'True' }, { status: 'False' }, { path: '/annotated/s00' }],
    'the old settings apply'
  )
  t.strictSame(waiting.metadata.generation, 1)

  await annotate(namespace, 'canary=2')
  await held(namespace, 'CanaryReached', 2)
  t.equal((await objects('-n', namespace, 'aimsvc')).filter(({ metadata }) => metadata.generation === 2).length, 2)
  await until(async () => {
    const { stdout } = await kubectl(['-n', namespace, 'get', 'aimsvc'])
    return [stdout.match(/ Resolved /g)?.length, stdout.match(/ RollingOut /g)?.length].join() === '2,4'
  })

  await annotate(namespace, 'canery=4')
  const nonsense = await held(namespace, 'RolloutAnnotationInvalid', 2)
  t.match(
    conditionOf(nonsense, 'RolledOut')?.message,
    /^annotation aim\.silogen\.ai\/rollout must be all, paused, canary=N or force; correct it, or roll out to all /
  )
  t.equal((await objects('-n', namespace, 'aimsvc')).filter(({ metadata }) => metadata.generation === 2).length, 2)

  const { stderr, code } = await kubectl([
    'annotate',
    ...configIn(namespace),
    'aim.silogen.ai/rollout=all',
    '--overwrite'
  ])
  t.equal(code, 0, stderr)
  await rolledOut(namespace, 6)
  await allReach(namespace, 'RuntimeConfigResolved', 'Resolved')
  t.strictSame(touched(before, await versions(namespace)), named(6))
  t.ok(
    (await objects('-n', namespace, 'aimsvc')).every(({ metadata }) => metadata.generation === 2),
    'each was changed once'
  )
})

t.test('a change that breaks services halts at the limit, names them, and can be reverted', async (t) => {
  const namespace = await aFleet('broken', 30, 10)
  await store(config(namespace, routed(BY_TEAM)))
  const halted = await held(namespace, 'Halted', LIMIT)
  const broken = (await objects('-n', namespace, 'aimsvc'))
    .filter((service) => conditionOf(service, 'Degraded')?.status === 'True')
    .map(({ metadata }) => metadata.name)
  t.equal(broken.length, LIMIT)
  const condition = conditionOf(halted, 'RolloutHalted')
  t.match(condition, { status: 'True', reason: 'ServicesFailing' })
  t.match(condition?.message, new RegExp(`^halted, because ${LIMIT} healthy services began to fail with this version ` +
    'of AIMRuntimeConfig broken/default: ' +
    `${broken.map((name) => `broken/${name}`).join(', ')}; revert the configuration, fix the`))
  t.strictSame(halted.status?.services, { total: 30, current: LIMIT, failing: LIMIT })
  const changed = async (): Promise<number> =>
    (await objects('-n', namespace, 'aimsvc')).filter(({ metadata }) => metadata.generation > 1).length
  t.equal(await changed(), LIMIT)
  const untouched = ['-n', namespace, 'aimsvc/s29']
  t.equal(await reaches(untouched, 'RuntimeConfigResolved', 'RollingOut'), '')
  t.match(
    conditionOf(await object(...untouched), 'RuntimeConfigResolved')?.message,
    /is not rolled out to this service yet: halted, because 4 healthy services/
  )
  t.equal(await changed(), LIMIT, 'and it stays so')

  await store(config(namespace, routed()))
  const healed = await rolledOut(namespace, 30)
  t.strictSame(healed.status?.services, { total: 30, current: 30, failing: 0 })
  t.match(conditionOf(healed, 'RolloutHalted'), { status: 'False', reason: 'WithinLimit' })
  for (const name of broken) t.equal(await get(namespace, name, PATH), `/broken/${name}`)
  await until(async () => (await objects('-n', namespace, 'aimsvc')).every((service) =>
    conditionOf(service, 'Degraded')?.status === 'False' && conditionOf(
      service, 'RuntimeConfigResolved'
    )?.reason === 'Resolved'))
  t.equal(await changed(), LIMIT)
})

t.test('a halted rollout continues once the failing services are fixed', async (t) => {
  const namespace = await aFleet('fixed', 6, 1)
  await store(config(namespace, routed(BY_TEAM)))
  await held(namespace, 'Halted', LIMIT)
  for (const name of named(6)) {
    await client.patch(`${inNamespace(namespace).services}/${name}`, { metadata: { labels: { team: 'nlp' } } })
  }
  await rolledOut(namespace, 6)
  await until(async () => (await object(...configIn(namespace))).status?.services?.failing === 0)
  t.equal(await get(namespace, 's00', PATH), '/fixed/nlp/s00')
})
