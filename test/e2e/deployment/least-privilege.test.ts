import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import { permissionsOf } from '../../../src/cli/commands/doctor/check-access.ts'
import { startCluster, startOwnCluster } from '../../support/cluster/cluster.ts'
import { actionsOf, BY_TEAM, manifest, routed } from '../../support/builders/manifests.ts'
import { observationsOf } from '../../support/cluster/observed.ts'
import { applied, installCrds, ready } from '../../support/programs/product.ts'
import { outputOf, startProgram, type Program } from '../../support/programs/program.ts'
import { objectsIn, renderedChart } from '../../support/cluster/rendered-chart.ts'
import { asServiceAccount } from '../../support/cluster/service-account.ts'
import { storedCertificates } from '../../support/cluster/stored-certificates.ts'
import { eventually, until } from '../../support/until.ts'
import { compareRights, usedRights } from '../../support/cluster/used-rights.ts'

const cluster = await startCluster()
const { kubectl } = cluster
const { apply, aNamespace } = actionsOf(cluster)
const { events, object, reaches } = observationsOf(cluster)
const programs: Program[] = []
t.teardown(async () => {
  await Promise.all(programs.map(async (program) => await program.stop('SIGKILL')))
  await cluster.stop()
})

/** What a chart gives, and the registration, as it is installed. */
const INSTALLED = [
  'ServiceAccount',
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration'
]
const chart = objectsIn(await renderedChart()).filter(({ kind }) => INSTALLED.includes(String(kind)))
/** An API server that streams no lists, as older ones: there the caches are filled by lists. */
const withoutStreams = await startOwnCluster({ audit: true, apiServerFlags: ['--feature-gates=WatchList=false'] })
t.teardown(async () => { await withoutStreams.stop() })
for (const each of [cluster, withoutStreams]) {
  await each.kubectl(['create', 'namespace', 'aim-system'])
  await installCrds(each)
  await applied(each.kubectl, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: chart }))
}

const ACCOUNTS = { serve: 'aim-admission', reconcile: 'aim-admission-reconcile' } as const

async function start (command: keyof typeof ACCOUNTS, flags: readonly string[], where = cluster): Promise<Program & { url: string, probeUrl: string }> {
  const { kubeconfig } = await asServiceAccount(where, ACCOUNTS[command])
  const program = startProgram([command, '--kubeconfig', kubeconfig, '--probe-port', '0', ...flags])
  programs.push(program)
  // what the commands log
  const addresses = (await program.logged(command === 'serve' ? 'serving' : 'reconciling')) as unknown as {
    url: string
    probeUrl: string
  }
  await ready(addresses.probeUrl)
  return { ...program, ...addresses }
}

/** A watch stands in the audit log once it has ended: the program is to be stopped before. */
async function usesExactly (t: Test, account: string): Promise<void> {
  const user = `system:serviceaccount:aim-system:${account}`
  const { rights, others, forbidden } = usedRights(
    [...(await cluster.audited()), ...(await withoutStreams.audited())],
    user
  )
  const given = permissionsOf(chart)
    .filter((permission) => permission.account === user)
    .map(({ attributes }) => attributes)
  t.ok(given.length > 10)
  t.strictSame(
    { ...compareRights(rights, given), others, forbidden },
    { missing: [], spare: [], others: [], forbidden: [] }
  )
}

const SECRET = ['-n', 'aim-system', 'secret', 'aim-admission-tls'] as const
const { secret, bundles, trusting } = storedCertificates(cluster)
const isTrusted = async (): Promise<boolean> => (await bundles()).length === 6 && await trusting()

const server = await start('serve', ['--port', '0', '--cert-name', '127.0.0.1', '--rotation-wait', '1'])

t.test('a server that makes, renews, loses and changes its certificates', async (t) => {
  await until(isTrusted)
  const [leaf, ca] = [await secret('tls.crt'), await secret('ca.crt')]
  await kubectl(['annotate', ...SECRET, 'aim.silogen.ai/rotate=leaf'])
  await until(async () => await secret('tls.crt') !== leaf)
  await kubectl(['delete', ...SECRET])
  await until(async () => await secret('ca.crt') === ca)
  await kubectl(['annotate', ...SECRET, 'aim.silogen.ai/rotate=ca'])
  await until(async () => await secret('old-ca.crt') !== '')
  while (await secret('old-ca.crt') !== '') await delay(100) // it waits twice, and looks for its replicas meanwhile
  await until(isTrusted)
})

t.test('a reconciler that leads, tells, carries changes and probes', async (t) => {
  await kubectl(['delete', 'mutatingwebhookconfiguration,validatingwebhookconfiguration', 'aim-admission'])
  const registration = objectsIn(await outputOf(['manifests', 'webhooks'])).filter(({ kind }) =>
    INSTALLED.includes(String(kind))
  )
  const reachable = JSON.stringify(registration, (key, value: unknown) => // from outside of a cluster, no Service leads to a pod
    key === 'clientConfig' ? { url: server.url + (value as { service: { path: string } }).service.path } : value) // as it was printed
  await applied(kubectl, `{"apiVersion":"v1","kind":"List","items":${reachable}}`)
  await until(isTrusted)
  const reconciler = await start('reconcile', ['--admission-probe-interval', '1s'])
  const namespace = await aNamespace('used')
  const config = (kind: 'AIMRuntimeConfig' | 'AIMClusterRuntimeConfig', spec: object): string =>
    manifest({ kind, ...(kind === 'AIMRuntimeConfig' && { namespace }), name: kind === 'AIMRuntimeConfig' ? 'default' : 'shared', spec })
  await eventually(async () => (await apply(config('AIMRuntimeConfig', {}), config('AIMClusterRuntimeConfig', {}),
    manifest({ namespace, name: 'a', labels: { team: 'nlp' } }), manifest({ namespace, name: 'b', spec: { runtimeConfigName: 'shared' } }))).code === 0 || undefined)
  t.equal(await reaches(['-n', namespace, 'aimsvc/a'], 'RoutingReady', 'RoutingDisabled'), '')
  await apply(config('AIMRuntimeConfig', routed(BY_TEAM)))
  t.equal(await reaches(['-n', namespace, 'aimsvc/a'], 'RoutingReady', 'PathRendered'), '')
  for (const round of [1, 2]) { // an event that comes again is counted in the one that is there
    await kubectl(['-n', namespace, 'delete', 'aimrcfg/default'])
    t.equal(
      await reaches(['-n', namespace, 'aimsvc/a'], 'RuntimeConfigResolved', 'RuntimeConfigMissing'),
      '',
      `round ${round}`
    )
    await apply(config('AIMRuntimeConfig', {}))
    t.equal(await reaches(['-n', namespace, 'aimsvc/a'], 'RuntimeConfigResolved', 'Resolved'), '')
  }
  await until(async () =>
    (await events(namespace, 'a')).some(
      ({ reason, series }) => reason === 'RuntimeConfigMissing' && series !== undefined
    )
  )
  await until(async () => (await object('aimcrcfg/shared')).status?.services?.total === 1)
  await until(async () =>
    (await (await fetch(`${reconciler.probeUrl}/metrics`)).text()).includes('aim_admission_probe_success 1')
  )
  await reconciler.stop()
})

t.test('and both where no lists are streamed', async () => {
  const programs = await Promise.all([
    start('serve', ['--port', '0'], withoutStreams),
    start('reconcile', [], withoutStreams)
  ])
  await Promise.all(programs.map(async (program) => await program.stop()))
})

t.test('have used every right that the chart gives them, have asked for no other, and were forbidden nothing', async (t) => {
  await server.stop()
  await usesExactly(t, ACCOUNTS.serve)
  await usesExactly(t, ACCOUNTS.reconcile)
})
