import t, { type Test } from 'tap'
import { issueEphemeralPair } from '../../../certs/issue.ts'
import { permissionsOf } from '../../../src/cli/commands/doctor/check-access.ts'
import { inNamespace } from '../../support/cluster/cluster-client.ts'
import { startCluster, startOwnCluster } from '../../support/cluster/cluster.ts'
import { actionsOf, BY_TEAM, manifest, routed } from '../../support/builders/manifests.ts'
import { observationsOf } from '../../support/cluster/observed.ts'
import { installCrds, ready } from '../../support/programs/product.ts'
import { outputOf, startProgram, type Program } from '../../support/programs/program.ts'
import { objectsIn, renderedChart } from '../../support/cluster/rendered-chart.ts'
import { asServiceAccount } from '../../support/cluster/service-account.ts'
import { storedCertificates, TLS_SECRET } from '../../support/cluster/stored-certificates.ts'
import { until } from '../../support/until.ts'
import { compareRights, usedRights } from '../../support/cluster/used-rights.ts'

const cluster = await startCluster()
const { client } = cluster
const { store, aNamespace } = actionsOf(cluster)
const { events, object, reaches } = observationsOf(cluster)
const programs: Program[] = []
t.teardown(async () => {
  await Promise.all(programs.map(async (program) => await program.stop('SIGKILL')))
  await cluster.stop()
})

/** The kinds of the access rights and of the registration. */
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
/** An API server without streamed lists, as older ones: it fills the caches by lists. */
const withoutStreams = await startOwnCluster({ audit: true, apiServerFlags: ['--feature-gates=WatchList=false'] })
t.teardown(async () => { await withoutStreams.stop() })
for (const each of [cluster, withoutStreams]) {
  await each.client.create('/api/v1/namespaces', { metadata: { name: 'aim-system' } })
  await installCrds(each)
  await each.client.apply(...chart.map((object) => JSON.stringify(object)))
}

const ACCOUNTS = { serve: 'aim-admission', reconcile: 'aim-admission-reconcile' } as const

async function start (
  command: keyof typeof ACCOUNTS, flags: readonly string[], where = cluster
): Promise<Program & { url: string, probeUrl: string }> {
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

/** Stop the program first: the audit log has a watch only after its end. */
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

const { secret, bundles, trusting, requestRotation } = storedCertificates(cluster)
const isTrusted = async (): Promise<boolean> => (await bundles()).length === 6 && await trusting()

const server = await start('serve', ['--port', '0', '--cert-name', '127.0.0.1', '--rotation-wait', '1'])

t.test('a server issues, renews, restores and rotates its certificates', async (t) => {
  await until(isTrusted)
  const [leaf, ca] = [await secret('tls.crt'), await secret('ca.crt')]
  await requestRotation('leaf')
  await until(async () => await secret('tls.crt') !== leaf)
  await client.remove(TLS_SECRET)
  await until(async () => await secret('ca.crt') === ca)
  await requestRotation('ca')
  await until(async () => await secret('old-ca.crt') !== '')
  await until(async () => await secret('old-ca.crt') === '', undefined, 60_000)
  await t.resolves(until(isTrusted))
})

t.test('a reconciler leads, records events, rolls out changes and probes', async (t) => {
  for (const type of ['mutating', 'validating']) {
    await client.remove(`/apis/admissionregistration.k8s.io/v1/${type}webhookconfigurations/aim-admission`)
  }
  const registration = objectsIn(await outputOf(['manifests', 'webhooks'])).filter(({ kind }) =>
    INSTALLED.includes(String(kind))
  )
  // no Service leads to a process outside the cluster
  await client.apply(...registration.map((object) => JSON.stringify(object, (key, value: unknown) =>
    key === 'clientConfig' ? { url: server.url + (value as { service: { path: string } }).service.path } : value)))
  await until(isTrusted)
  const reconciler = await start('reconcile', ['--admission-probe-interval', '1s'])
  const namespace = await aNamespace('used')
  const config = (kind: 'AIMRuntimeConfig' | 'AIMClusterRuntimeConfig', spec: object): string =>
    manifest({ kind, ...(kind === 'AIMRuntimeConfig' && { namespace }), name: kind === 'AIMRuntimeConfig' ? 'default' : 'shared', spec })
  const objects = [
    config('AIMRuntimeConfig', {}),
    config('AIMClusterRuntimeConfig', {}),
    manifest({ namespace, name: 'a', labels: { team: 'nlp' } }),
    manifest({ namespace, name: 'b', spec: { runtimeConfigName: 'shared' } })
  ]
  // the API server takes a moment to trust the new caBundle
  await until(async () => await store(...objects).then(() => true, () => false))
  t.equal(await reaches(['-n', namespace, 'aimsvc/a'], 'RoutingReady', 'RoutingDisabled'), '')
  await store(config('AIMRuntimeConfig', routed(BY_TEAM)))
  t.equal(await reaches(['-n', namespace, 'aimsvc/a'], 'RoutingReady', 'PathRendered'), '')
  for (const round of [1, 2]) { // a repeated event counts in the series of the first
    await client.remove(`${inNamespace(namespace).configs}/default`)
    t.equal(
      await reaches(['-n', namespace, 'aimsvc/a'], 'RuntimeConfigResolved', 'RuntimeConfigMissing'),
      '',
      `round ${round}`
    )
    await store(config('AIMRuntimeConfig', {}))
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

t.test('both start without streamed lists', async (t) => {
  const starts = [start('serve', ['--port', '0'], withoutStreams), start('reconcile', [], withoutStreams)]
  await t.resolves(Promise.all(starts))
  const programs = await Promise.all(starts)
  await Promise.all(programs.map(async (program) => await program.stop()))
})

t.test('both use every right of the chart, no other, and no request was forbidden', async (t) => {
  await server.stop()
  await usesExactly(t, ACCOUNTS.serve)
  await usesExactly(t, ACCOUNTS.reconcile)
})

for (const certificates of [{ mode: 'cert-manager' }, { mode: 'files', secretName: 'own-pair' }]) {
  t.test(`with certificates of ${certificates.mode}, a server only lists and watches the kinds`, async (t) => {
    const given = objectsIn(await renderedChart({ certificates })).filter(({ kind }) =>
      INSTALLED.includes(String(kind)) && !String(kind).endsWith('WebhookConfiguration'))
    const where = await startCluster()
    t.teardown(async () => { await where.stop() })
    await where.client.create('/api/v1/namespaces', { metadata: { name: 'aim-system' } })
    await installCrds(where)
    await where.client.apply(...given.map((object) => JSON.stringify(object)))
    const { certPem, keyPem } = await issueEphemeralPair({ dnsNames: [], ipAddresses: ['127.0.0.1'], days: 1 })
    const folder = t.testdir({ 'tls.crt': certPem, 'tls.key': keyPem })
    const server = await start(
      'serve', ['--port', '0', '--cert-file', `${folder}/tls.crt`, '--key-file', `${folder}/tls.key`], where)
    await server.stop()
    const user = `system:serviceaccount:aim-system:${ACCOUNTS.serve}`
    const rights = permissionsOf(given).filter(({ account }) => account === user).map(({ attributes }) => attributes)
    t.strictSame(
      new Set(rights.map(({ verb, group }) => `${verb} ${group}`)), new Set(['list aim.silogen.ai', 'watch aim.silogen.ai']))
    const { rights: used, others, forbidden } = usedRights(await where.audited(), user)
    t.ok(used.length >= 3)
    const { missing } = compareRights(used, rights)
    t.strictSame({ missing, others, forbidden }, { missing: [], others: [], forbidden: [] })
  })
}
