import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import t, { type Test } from 'tap'
import { inNamespace } from '../../support/cluster/cluster-client.ts'
import { needs, startCluster } from '../../support/cluster/cluster.ts'
import { actionsOf, BY_TEAM, GATEWAY, manifest, PATH, routed } from '../../support/builders/manifests.ts'
import { conditionOf, observationsOf, type StoredObject } from '../../support/cluster/observed.ts'
import { manifestsOf, startProduct, startReconciler } from '../../support/programs/product.ts'
import { asServiceAccount } from '../../support/cluster/service-account.ts'
import { until } from '../../support/until.ts'

const cluster = await startCluster()
const { client, kubectl } = cluster
const { store, get, aNamespace } = actionsOf(cluster)
const { object, objects, events, reaches } = observationsOf(cluster)
await aNamespace('aim-system')
await client.apply(...await manifestsOf('rbac'))
const product = await startProduct(await asServiceAccount(cluster, 'aim-admission'))
let reconciler = await startReconciler(await asServiceAccount(cluster, 'aim-admission-reconcile'))
t.teardown(async () => {
  await reconciler.stop()
  await product.stop()
  await cluster.stop()
})

const SERVICE = ['aimsvc/a'] as const
const config = (namespace: string, spec: object): string =>
  manifest({ kind: 'AIMRuntimeConfig', namespace, name: 'default', spec })

/** Acts while the validating webhooks are not registered, so that invalid objects are stored. */
async function withoutValidation (act: () => Promise<unknown>): Promise<void> {
  const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
  const { webhooks } = await client.stored<{ readonly webhooks: readonly object[] }>(`${path}/aim-admission`) ?? {}
  const invalid = manifest({ kind: 'AIMRuntimeConfig', namespace: 'default', name: 'probe', spec: routed('/{') })
  const isRefused = async (): Promise<boolean> => {
    const { statusCode, body } = await client.request(inNamespace('default').configs, {
      method: 'POST', query: { dryRun: 'All' }, headers: { 'content-type': 'application/json' }, body: invalid
    })
    await body.dump()
    return statusCode !== 201
  }
  await client.remove(`${path}/aim-admission`)
  await until(async () => !await isRefused())
  await act()
  await client.create(path, { metadata: { name: 'aim-admission' }, webhooks })
  await until(isRefused)
}

/** The status and reason of each condition of a service, and its path. */
function stateOf (service: StoredObject): object {
  const of = (type: string): string =>
    `${conditionOf(service, type)?.status ?? ''} ${conditionOf(service, type)?.reason ?? ''}`
  return {
    resolved: of('RuntimeConfigResolved'),
    routing: of('RoutingReady'),
    degraded: of('Degraded'),
    path: service.status?.routing?.path
  }
}

const healthy = (path: string): object => ({
  resolved: 'True Resolved',
  routing: 'True PathRendered',
  degraded: 'False AsExpected',
  path
})

function isObserved (t: Test, { metadata: { generation }, status }: StoredObject): void {
  t.strictSame(
    [status?.observedGeneration, ...(status?.conditions ?? []).map(({ observedGeneration }) => observedGeneration)],
    Array(5).fill(generation)
  )
}

interface CauseCase {
  readonly spec: object
  readonly isDegraded?: boolean
  readonly isRefused?: boolean
  readonly path?: string
  readonly says: RegExp
}

const CAUSES: Readonly<Record<string, CauseCase>> = {
  RoutingDisabled: {
    spec: { routing: { gatewayRef: GATEWAY } },
    isDegraded: false,
    says: /^routing is enabled neither on the service nor in its runtime configuration$/
  },
  PathTemplateInvalid: {
    spec: routed('/{.metadata.name'),
    isRefused: true,
    says: new RegExp('^the expression is not closed \\(\\{\\.metadata\\.name at position 2 in the path template of ' +
      'AIMRuntimeConfig pathtemplateinvalid/default\\); end it with \\}')
  },
  PathFieldMissing: {
    spec: routed(BY_TEAM),
    says: /label "team" is not set on this service.*; run: kubectl -n pathfieldmissing label aimsvc\/a team=<team>$/
  },
  PathTooLong: {
    spec: routed('/' + 'é'.repeat(34)),
    says: /^the rendered path has 205 characters, at most 200 are allowed/
  },
  GatewayMissing: {
    spec: { routing: { enabled: true } },
    path: '/gatewaymissing/a',
    says: /^routing is enabled without a gateway, so no route can be created; set spec\.routing\.gatewayRef/
  }
}
for (const [reason, { spec, isDegraded = true, isRefused = false, path, says }] of Object.entries(CAUSES)) {
  t.test(`the conditions report ${reason}, and its fix`, async (t) => {
    const namespace = await aNamespace(reason.toLowerCase())
    const what = ['-n', namespace, ...SERVICE]
    await store(config(namespace, routed()), manifest({ namespace, name: 'a' }))
    t.equal((await kubectl(['wait', ...what, '--for=condition=RoutingReady', '--timeout=20s'])).code, 0)
    t.strictSame(stateOf(await object(...what)), healthy(`/${namespace}/a`))
    const change = async (): Promise<void> => { await store(config(namespace, spec)) }
    await (isRefused ? withoutValidation(change) : change())
    t.equal(await reaches(what, 'RoutingReady', reason), '')
    const broken = await object(...what)
    t.strictSame(stateOf(broken), {
      resolved: 'True Resolved',
      routing: `False ${reason}`,
      degraded: isDegraded ? `True ${reason}` : 'False AsExpected',
      path
    })
    t.match(conditionOf(broken, 'RoutingReady')?.message, says)
    isObserved(t, broken)
    await store(config(namespace, routed()))
    t.equal(await reaches(what, 'RoutingReady', 'PathRendered'), '')
    const fixed = await object(...what)
    t.strictSame(stateOf(fixed), healthy(`/${namespace}/a`))
    isObserved(t, fixed)
  })
}

t.test('reports a missing configuration with the two lookups, once, and its creation', async (t) => {
  const namespace = await aNamespace('missing')
  const what = ['-n', namespace, ...SERVICE]
  await store(manifest({ namespace, name: 'a', spec: routed() }))
  const places =
    new RegExp('^runtime configuration "default" is missing: there is neither an AIMRuntimeConfig missing/default ' +
      'nor an AIMClusterRuntimeConfig default; create one')
  for (const round of [1, 2]) {
    t.equal(await reaches(what, 'RuntimeConfigResolved', 'RuntimeConfigMissing'), '')
    const lost = await object(...what)
    t.strictSame(stateOf(lost), {
      resolved: 'False RuntimeConfigMissing',
      routing: 'False PathPending',
      degraded: 'True RuntimeConfigMissing',
      path: undefined
    })
    t.match(
      [conditionOf(lost, 'RuntimeConfigResolved')?.message, conditionOf(lost, 'Degraded')?.message],
      [places, places]
    )
    t.equal(lost.status?.resolvedRuntimeConfig, undefined)
    t.match(conditionOf(lost, 'PathResolved')?.message, /^path .missing.a is held, and waits for the runtime/)
    isObserved(t, lost)
    await store(config(namespace, {}))
    t.equal(await reaches(what, 'RuntimeConfigResolved', 'Resolved'), '')
    t.strictSame(stateOf(await object(...what)), healthy('/missing/a'))
    if (round === 1) await client.remove(`${inNamespace(namespace).configs}/default`)
  }
  const reasons = ['RuntimeConfigMissing', 'RuntimeConfigResolved']
  await until(async () => {
    const found = await events(namespace, 'a')
    return reasons.every((wanted) => found.some(({ reason, series }) => reason === wanted && series?.count === 2))
  })
  const recorded = (await events(namespace, 'a')).filter(({ reason }) => reason !== 'RolledForward')
  t.match(recorded, [
    {
      type: 'Warning',
      reason: 'RuntimeConfigMissing',
      note: places,
      action: 'Reconcile',
      reportingController: 'aim.silogen.ai/aim-admission',
      series: { count: 2 }
    },
    {
      type: 'Normal',
      reason: 'RuntimeConfigResolved',
      note: 'AIMRuntimeConfig missing/default',
      regarding: { kind: 'AIMService' },
      series: { count: 2 }
    }
  ])
  t.equal(recorded.length, 2)
  t.match(
    (await kubectl(['-n', namespace, 'get', 'events'])).stdout,
    /Warning +RuntimeConfigMissing +aimservice\/a +runtime configuration "default" is missing/
  )
})

t.test('records one event for a path fault, and one for a conflict', async (t) => {
  const namespace = await aNamespace('told')
  await store(config(namespace, routed()), manifest({ namespace, name: 'a' }), manifest({ namespace, name: 'b' }))
  for (const name of ['a', 'b']) {
    t.equal(await reaches(['-n', namespace, `aimsvc/${name}`], 'RoutingReady', 'PathRendered'), '')
  }
  await store(config(namespace, routed('/told/same')))
  t.equal(await reaches(['-n', namespace, 'aimsvc/b'], 'RoutingReady', 'PathConflict'), '')
  await store(config(namespace, routed(BY_TEAM)))
  for (const name of ['a', 'b']) {
    t.equal(await reaches(['-n', namespace, `aimsvc/${name}`], 'RoutingReady', 'PathFieldMissing'), '')
  }
  await store(config(namespace, routed()))
  for (const name of ['a', 'b']) {
    t.equal(await reaches(['-n', namespace, `aimsvc/${name}`], 'RoutingReady', 'PathRendered'), '')
  }
  const reasons = async (name: string): Promise<string[]> =>
    (await events(namespace, name)).map(({ reason }) => reason).sort()
  await until(async () => (await reasons('a')).length >= 6 && (await reasons('b')).length >= 7)
  t.strictSame(await reasons('a'), [
    'PathFieldMissing',
    'PathRendered',
    'RolledForward',
    'RolledForward',
    'RolledForward',
    'RuntimeConfigResolved'
  ])
  t.strictSame(await reasons('b'), [
    'PathConflict',
    'PathFieldMissing',
    'PathRendered',
    'RolledForward',
    'RolledForward',
    'RolledForward',
    'RuntimeConfigResolved'
  ])
})

t.test('the commands of the user guide work, and the printed columns show the state', async (t) => {
  const namespace = await aNamespace('guide')
  await store(config(namespace, routed(BY_TEAM)), manifest({ namespace, name: 'a', labels: { team: 'nlp' } }))
  t.equal(await reaches(['-n', namespace, ...SERVICE], 'RoutingReady', 'PathRendered'), '')
  await store(config(namespace, routed("/{.metadata.labels['group']}")))
  t.equal(await reaches(['-n', namespace, ...SERVICE], 'RoutingReady', 'PathFieldMissing'), '')
  const hash = await get(namespace, 'a', '.spec.resolvedRuntimeConfig.hash')
  const { metadata: { uid } } = await object('-n', namespace, 'aimrcfg/default')
  const resolved = await kubectl([
    '-n',
    namespace,
    'get',
    'aimservice',
    'a',
    '-o',
    'jsonpath={.status.resolvedRuntimeConfig}'
  ])
  t.strictSame(JSON.parse(resolved.stdout), {
    kind: 'AIMRuntimeConfig',
    scope: 'Namespace',
    namespace,
    name: 'default',
    uid,
    hash
  })
  const routing = await kubectl([
    '-n',
    namespace,
    'get',
    'aimservice',
    'a',
    '-o',
    'jsonpath={.status.conditions[?(@.type=="RoutingReady")]}'
  ])
  t.match(JSON.parse(routing.stdout), {
    status: 'False',
    reason: 'PathFieldMissing',
    message:
      /label "group" is not set on this service.*labels set: team; run: kubectl -n guide label aimsvc\/a group=<group>/
  })
  t.match((await kubectl(['-n', namespace, 'get', 'aimservice'])).stdout,
    /^NAME +STATUS +CONFIG +CONFIG STATE +SCOPE +PATH +DEGRADED +REASON +AGE\na +default +Resolved +Namespace +True +PathFieldMissing +\d+s\n$/)
  await kubectl(['wait', '-n', namespace, 'aimrcfg/default', '--for=condition=RolledOut', '--timeout=20s'])
  await until(async () => (await object('-n', namespace, 'aimrcfg/default')).status?.services?.failing === 1)
  t.match((await kubectl(['-n', namespace, 'get', 'aimruntimeconfig'])).stdout,
    new RegExp('^NAME +ROUTING +PATH TEMPLATE +SERVICES +CURRENT +FAILING +ROLLED OUT +REASON +AGE\n' +
      "default +true +/\\{\\.metadata\\.labels\\['group'\\]\\} +1 +1 +1 +True +RolledOut +\\d+s\n$"))
})

/** The manifest with a status in place of its spec. */
const ofStatus = (text: string, status: object): string =>
  text.replace(/"spec":.*$/, `"status":${JSON.stringify(status)}}`)

t.test('another field manager writes its own conditions and fields concurrently, and no write is lost', {
  skip: await needs(cluster, 'kubectl apply --subresource')
}, async (t) => {
  const namespace = await aNamespace('managers')
  const what = ['-n', namespace, ...SERVICE]
  await store(config(namespace, routed()), manifest({ namespace, name: 'a' }))
  const theirs = (turn: number): string => ofStatus(manifest({ namespace, name: 'a' }), {
    replicas: turn,
    serving: { url: `https://gateway/${turn}` },
    routing: { httpRouteRef: { name: `route-${turn}` } },
    conditions: [
      {
        type: 'Ready',
        status: turn % 2 === 0 ? 'True' : 'False',
        reason: `Turn${turn}`,
        message: '',
        lastTransitionTime: '2026-01-01T00:00:00Z'
      }
    ]
  })
  for (let turn = 1; turn <= 8; turn++) {
    const [applied] = await Promise.all([
      kubectl(['apply', '--server-side', '--subresource=status', '--field-manager=serving', '-f', '-'], theirs(turn)),
      store(config(namespace, routed(turn % 2 === 0 ? undefined : '/managers/other')))
    ])
    t.equal(applied.code, 0, applied.stderr)
  }
  await until(async () => (await get(namespace, 'a', '.status.routing.path')) === '/managers/a')
  const service = await object(...what)
  t.match(service.status, {
    replicas: 8,
    serving: { url: 'https://gateway/8' },
    routing: { path: '/managers/a', httpRouteRef: { name: 'route-8' } }
  })
  t.match(conditionOf(service, 'Ready'), { status: 'True', reason: 'Turn8' })
  t.strictSame(stateOf(service), healthy('/managers/a'))
  const owned = (manager: string): object => {
    const fields = service.metadata.managedFields?.find(
      (entry) => entry.manager === manager && entry.subresource === 'status' && entry.operation === 'Apply'
    )?.fieldsV1
    // the format of server-side apply
    const { 'f:conditions': conditions = {}, ...others } = (fields as { 'f:status': Record<string, object> })[
      'f:status'
    ]
    return { fields: Object.keys(others).sort(), conditions: Object.keys(conditions).sort() }
  }
  const key = (type: string): string => `k:{"type":"${type}"}`
  t.strictSame(owned('aim-admission'), {
    fields: [
      'f:observedGeneration', 'f:resolvedRuntimeConfig', 'f:routing'
    ],
    conditions: ['Degraded', 'PathResolved', 'RoutingReady', 'RuntimeConfigResolved'].map(key)
  })
  t.strictSame(owned('serving'), { fields: ['f:replicas', 'f:routing', 'f:serving'], conditions: [key('Ready')] })
})

t.test('completes a path that needs fields assigned by the API server', async (t) => {
  const namespace = await aNamespace('pending')
  await store(config(namespace, routed('/{.metadata.name}/{.metadata.uid}')))
  const created = performance.now()
  const { stdout: name } = await kubectl(
    ['create', '-o', 'jsonpath={.metadata.name}', '-f', '-'],
    manifest({ namespace, metadata: { generateName: 'llama-' } })
  )
  const { code, stderr } = await kubectl([
    'wait',
    '-n',
    namespace,
    `aimsvc/${name}`,
    '--for=condition=RoutingReady',
    '--timeout=10s'
  ])
  t.equal(code, 0, stderr)
  t.comment(
    `complete ${Math.round(performance.now() - created)} ms after the creation began, with two starts of kubectl`
  )
  const { metadata: { uid } } = await object('-n', namespace, `aimsvc/${name}`)
  t.equal(await get(namespace, name, PATH), `/${name}/${uid}`)
  t.equal(await get(namespace, name, '.status.routing.path'), `/${name}/${uid}`)
})

t.test('the older of two racing services keeps the path until its deletion, across restarts', async (t) => {
  const namespace = await aNamespace('race')
  await store(config(namespace, routed('/race/{.metadata.labels.team}')))
  await withoutValidation(async () => {
    for (const name of ['older', 'younger']) {
      await store(manifest({ namespace, name, labels: { team: 'nlp' } }))
    }
  })
  const younger = ['-n', namespace, 'aimsvc/younger']
  const older = ['-n', namespace, 'aimsvc/older']
  const conflict = {
    resolved: 'True Resolved',
    routing: 'False PathConflict',
    degraded: 'True PathConflict',
    path: undefined
  }
  t.equal(await reaches(younger, 'RoutingReady', 'PathConflict'), '')
  t.equal(await reaches(older, 'RoutingReady', 'PathRendered'), '')
  t.match(
    conditionOf(await object(...younger), 'RoutingReady')?.message,
    /path \/race\/nlp is already held by AIMService race\/older on gateway/
  )
  t.strictSame(stateOf(await object(...younger)), conflict)
  t.strictSame(stateOf(await object(...older)), healthy('/race/nlp'))

  const before = await settledVersions()
  await reconciler.stop()
  reconciler = await startReconciler(await asServiceAccount(cluster, 'aim-admission-reconcile'))
  await reconciler.logged('became leader')
  await store(manifest({ namespace, name: 'other', labels: { team: 'other' } }))
  t.equal(await reaches(['-n', namespace, 'aimsvc/other'], 'RoutingReady', 'PathRendered'), '')
  const after = await versions()
  for (const [id, version] of Object.entries(before)) {
    if (!id.endsWith(' race/default')) t.equal(after[id], version, `${id} is not written`)
  }

  await client.remove(`${inNamespace(namespace).services}/older`)
  t.equal(await reaches(younger, 'RoutingReady', 'PathRendered'), '')
  t.strictSame(stateOf(await object(...younger)), healthy('/race/nlp'))
})

/** The versions of all objects, once nothing has been written between two looks. */
async function settledVersions (): Promise<Record<string, string>> {
  let last: Record<string, string> = {}
  await until(async () => {
    const previous = last
    await delay(1_000) // longer than tallies are gathered before a write
    last = await versions()
    return isDeepStrictEqual(previous, last)
  })
  return last
}

/** The versions of all objects, by kind and name. */
async function versions (): Promise<Record<string, string>> {
  const all = await Promise.all(['aimsvc', 'aimrcfg', 'aimcrcfg'].map(async (kind) =>
    (await objects(kind)).map(
      (
        { metadata: { namespace = '', name, resourceVersion } }
      ) => [`${kind} ${namespace}/${name}`, resourceVersion] as const
    )))
  return Object.fromEntries(all.flat())
}

t.test('no request of the reconciler was forbidden', async (t) => {
  t.strictSame([...product.lines, ...reconciler.lines].filter((line) => /forbidden|"level":[45]0/.test(line)), [])
})
