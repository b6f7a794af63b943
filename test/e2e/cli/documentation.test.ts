import t, { type Test } from 'tap'
import { startCluster } from '../../support/cluster/cluster.ts'
import type { Ran } from '../../support/processes.ts'
import { runStep, stepsOf, unprinted } from '../../support/docs/documented-steps.ts'
import { actionsOf, BLOCK, GATEWAY, manifest } from '../../support/builders/manifests.ts'
import { readPage } from '../../support/docs/pages.ts'
import { startProduct } from '../../support/programs/product.ts'
import { until } from '../../support/until.ts'

const cluster = await startCluster()
const { kubectl, kubeconfig } = cluster
const { apply, get, aNamespace } = actionsOf(cluster)
const product = await startProduct(cluster, ['--with-reconciler'])
t.teardown(async () => {
  await product.stop()
  await cluster.stop()
})

t.test('every command with a cluster has the exit code and output of docs/tutorial/getting-started.md', async (t) => {
  const steps = stepsOf(await readPage('docs/tutorial/getting-started.md')).filter(({ under }) => under === 'With a cluster')
  t.ok(steps.length >= 7)
  for (const { command, printed = '' } of steps) {
    const ran = await runStep(command, { KUBECONFIG: kubeconfig })
    t.equal(ran.code, printed.includes('is invalid') ? 1 : 0, `${command}: ${ran.stderr}`)
    t.equal(unprinted(printed, ran), undefined, command)
  }
  // events follow the change that they report
  await until(async () =>
    /Normal +RolledForward/.test((await kubectl(['-n', 'ml-apps', 'describe', 'aimservice', 'translator'])).stdout)
  )
})

/** The flags of Argo CD and Flux. */
const AS_TOOL = ['--server-side', '--force-conflicts', '--field-manager=gitops-tool']
const applyAsTool = async (content: string): Promise<Ran> => await kubectl(['apply', ...AS_TOOL, '-f', '-'], content)
const differenceAsTool = async (content: string): Promise<string> =>
  (await kubectl(['diff', ...AS_TOOL, '-f', '-'], content)).stdout
const difference = async (content: string): Promise<string> => (await kubectl(['diff', '-f', '-'], content)).stdout

const config = (namespace: string, spec: object = {}, metadata: object = {}): string =>
  manifest({
    kind: 'AIMRuntimeConfig',
    namespace,
    name: 'default',
    metadata,
    spec: { routing: { enabled: true, gatewayRef: GATEWAY }, ...spec }
  })

/** No field manager owns the fields that admission writes. */
async function isUnowned (t: Test, namespace: string, when: string): Promise<void> {
  // a stored object
  const { metadata } = JSON.parse(
    (await kubectl(['-n', namespace, 'get', 'aimservice', 'a', '--show-managed-fields', '-o', 'json'])).stdout
  ) as { metadata: { managedFields: unknown[] } }
  const owned = JSON.stringify(metadata.managedFields)
  t.ok(owned.includes('f:spec'), when)
  t.notMatch(owned, /f:runtimeConfigName|f:resolvedRuntimeConfig":\{"f:(?:model|routing)/, when)
}

const carried = async (namespace: string, storageClass: string): Promise<void> => {
  await until(async () => await get(namespace, 'a', `${BLOCK}.defaultStorageClassName`) === storageClass)
}

interface ApplyMode {
  readonly applied: (content: string) => Promise<Ran>
  readonly differs: (content: string) => Promise<string>
}
const MODES: Readonly<Record<string, ApplyMode>> = {
  'client-side': { applied: apply, differs: difference },
  'server-side': { applied: applyAsTool, differs: differenceAsTool }
}

for (const [mode, { applied, differs }] of Object.entries(MODES)) {
  t.test(`${mode} apply owns no field of admission, and diff stays empty after a rollout`, async (t) => {
    const namespace = await aNamespace(`gitops-${mode}`)
    const service = manifest({ namespace, name: 'a' })
    await applied(config(namespace))
    await applied(service)
    await until(async () => await get(namespace, 'a', '.status.observedGeneration') === '1')
    await isUnowned(t, namespace, 'created')
    const version = await get(namespace, 'a', '.metadata.resourceVersion')
    t.match((await applied(service)).stdout, mode === 'client-side' ? /unchanged/ : /serverside-applied/)
    t.equal(await get(namespace, 'a', '.metadata.resourceVersion'), version, 'a second apply stores nothing')
    t.equal(await differs(service), '')
    await applied(config(namespace, { defaultStorageClassName: 'fast' }))
    await carried(namespace, 'fast')
    await isUnowned(t, namespace, 'rolled forward')
    t.equal(await differs(service), '')
  })
}

/** A service whose configuration has a new version in a paused rollout. */
async function pausedService (namespace: string, applied: (content: string) => Promise<Ran>): Promise<string> {
  const service = manifest({ namespace, name: 'a' })
  const paused = { annotations: { 'aim.silogen.ai/rollout': 'paused' } }
  await applied(config(namespace, {}, paused))
  await applied(service)
  await applied(config(namespace, { defaultStorageClassName: 'fast' }, paused))
  await until(async () => (await get(namespace, 'a', '.status.conditions[*].reason')).includes('RollingOut'))
  return service
}

t.test('in a paused rollout, server-side dry run and apply have the new version', async (t) => {
  const namespace = await aNamespace('paused-server-side')
  const service = await pausedService(namespace, applyAsTool)
  t.match(await differenceAsTool(service), /^\+ +defaultStorageClassName: fast$/m)
  t.equal(await get(namespace, 'a', `${BLOCK}.defaultStorageClassName`), '')
  await applyAsTool(service)
  t.equal(await get(namespace, 'a', `${BLOCK}.defaultStorageClassName`), 'fast')
})

t.test('in a paused rollout, client-side apply has the new version only if the manifest changed', async (t) => {
  const namespace = await aNamespace('paused-client-side')
  const service = await pausedService(namespace, apply)
  t.equal(await difference(service), '')
  t.match((await apply(service)).stdout, /unchanged/)
  t.equal(await get(namespace, 'a', `${BLOCK}.defaultStorageClassName`), '')
  await apply(manifest({ namespace, name: 'a', labels: { touched: 'yes' } }))
  t.equal(await get(namespace, 'a', `${BLOCK}.defaultStorageClassName`), 'fast')
})

t.test('a path moves from one service to another in two steps', async (t) => {
  const namespace = await aNamespace('moved-path')
  const at = (name: string, path: string): string =>
    manifest({ namespace, name, spec: { routing: { pathTemplate: path } } })
  await apply(config(namespace), at('holder', '/chat'), at('heir', '/next'))
  let refused = await apply(at('heir', '/chat'), at('holder', '/old'))
  t.match(refused.stderr, /path \/chat is already held by AIMService moved-path\/holder/)
  await apply(at('holder', '/old'))
  await until(async () => {
    refused = await apply(at('heir', '/chat')) // the watch delivers the first step later
    return refused.code === 0
  })
})
