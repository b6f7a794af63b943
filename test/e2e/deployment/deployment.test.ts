import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { startCluster } from '../../support/cluster/cluster.ts'
import { CHART, helm } from '../../support/binaries/helm.ts'
import { OTHERS_CRDS } from '../../support/builders/others-crds.ts'
import { asFlags, CHART_VARIANTS, DEPENDENT_CHART, objectsIn, renderedChart, titleOf } from '../../support/cluster/rendered-chart.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

const INSTALL = path.resolve(import.meta.dirname, '../../../deploy/install.yaml')

const cluster = await startCluster()
const { client, kubectl, kubeconfig } = cluster
t.teardown(async () => { await cluster.stop() })
await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: OTHERS_CRDS }))
await kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s'])
await client.create('/api/v1/namespaces', {
  metadata: { name: 'restricted', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } }
})

for (const [name, values] of Object.entries(CHART_VARIANTS)) {
  t.test(`the API server takes every object of the chart ${name}, without an unknown field, and its pods under the restricted standard`, async (t) => {
    const manifest = await renderedChart(values, 'restricted')
    const { code, stdout, stderr } = await kubectl(
      ['apply', '--validate=strict', '--dry-run=server', '-f', '-'],
      manifest
    )
    t.equal(code, 0, stderr)
    t.notMatch(stderr, /violate PodSecurity/)
    t.equal(stdout.trim().split('\n').length, objectsIn(manifest).length)
    const pods = objectsIn(manifest).filter(({ kind }) => kind === 'Deployment').map(podOf)
    t.equal(pods.length, 2)
    const answer = await kubectl(
      ['create', '--validate=strict', '--dry-run=server', '-o=name', '-f', '-'],
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods })
    )
    t.equal(answer.code, 0, answer.stderr)
    t.match(answer.stdout, /^(pod\/\S+\n){2}$/)
  })
}

/** The pod that a Deployment would make. */
function podOf ({ metadata, spec }: JsonObject): JsonObject {
  const { template } = spec as { template: { metadata: JsonObject, spec: JsonObject } }
  const { name, namespace } = metadata as { name: string, namespace: string }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { ...template.metadata, name, namespace }, spec: template.spec }
}

t.test('a pod that asks for more is refused, so the standard is really enforced', async (t) => {
  const [deployment] = objectsIn(await renderedChart({}, 'restricted')).filter(({ kind }) => kind === 'Deployment')
  const pod = podOf(deployment ?? {})
  const loose = { ...pod, spec: { ...pod['spec'] as JsonObject, hostNetwork: true } }
  t.match(
    (await kubectl(['create', '--dry-run=server', '-f', '-'], JSON.stringify(loose))).stderr,
    /violates PodSecurity "restricted/
  )
})

const NAMES = '-o=jsonpath={.items[*].metadata.name}'
const CA_BUNDLE = 'LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUIKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo='

/** Writes caBundle as the program does, as a field manager of its own. */
async function writeCaBundle (): Promise<void> {
  const patch = [{ op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: CA_BUNDLE }]
  const { code, stderr } = await kubectl([
    'patch',
    'mutatingwebhookconfiguration',
    'aim-admission',
    '--type=json',
    '--field-manager=aim-admission',
    '-p',
    JSON.stringify(patch)
  ])
  if (code !== 0) throw new Error(stderr)
}

const caBundle = async (): Promise<string> =>
  (
    await kubectl([
      'get',
      'mutatingwebhookconfiguration',
      'aim-admission',
      '-o=jsonpath={.webhooks[0].clientConfig.caBundle}'
    ])
  ).stdout

t.test('kubectl apply -f deploy/install.yaml installs, again changes nothing, and leaves caBundle to the program', async (t) => {
  for (const round of ['first', 'second']) {
    const { code, stdout, stderr } = await kubectl(['apply', '--validate=strict', '-f', INSTALL])
    t.equal(code, 0, stderr)
    // kubectl sends the selector of every PodDisruptionBudget again and calls that a change
    if (round === 'second') t.notMatch(stdout, /^(?!poddisruptionbudget).* (created|configured)$/m)
    else await writeCaBundle()
  }
  t.equal(await caBundle(), CA_BUNDLE)
})

t.test('what docs/how-to/installation.md says takes it away: the webhook configurations first, and no service', async (t) => {
  const LABEL = 'app.kubernetes.io/name=aim-admission'
  await kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s'])
  t.equal(
    (await kubectl(['delete', 'mutatingwebhookconfiguration,validatingwebhookconfiguration', 'aim-admission'])).code,
    0
  )
  const service = {
    apiVersion: 'aim.silogen.ai/v1alpha1',
    kind: 'AIMService',
    metadata: { name: 'stays', namespace: 'default' },
    spec: { model: { ref: 'a' } }
  }
  t.equal((await kubectl(['apply', '-f', '-'], JSON.stringify(service))).code, 0, 'nothing blocks')
  t.equal(
    (
      await kubectl([
        '-n',
        'aim-system',
        'delete',
        'deployment,service,poddisruptionbudget,networkpolicy,serviceaccount,role,rolebinding',
        '-l',
        LABEL
      ])
    ).code,
    0
  )
  const shared = 'clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding'
  t.equal((await kubectl(['delete', shared, '-l', LABEL])).code, 0)
  t.equal((await kubectl(['get', 'mutatingwebhookconfigurations,validatingwebhookconfigurations', NAMES])).stdout, '')
  t.equal((await kubectl(['get', 'aimservices', NAMES])).stdout, 'stays')
  t.equal((await kubectl(['delete', 'crd', '-l', LABEL])).code, 0)
})

t.test('helm installs, upgrades without touching caBundle, and uninstalls everything but the definitions', async (t) => {
  const run = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await helm(args, kubeconfig)
    t.equal(code, 0, stderr)
  }
  const file = path.join(cluster.dir, 'values.yaml')
  await writeFile(file, 'serve: {replicas: 3}\n')
  await run('install', 'aim-admission', CHART, '--namespace', 'helm', '--create-namespace')
  await writeCaBundle()
  await run(
    'upgrade',
    'aim-admission',
    CHART,
    '--namespace',
    'helm',
    '--values',
    file,
    ...asFlags({ webhooks: { failurePolicy: 'Ignore' } })
  )
  t.equal(await caBundle(), CA_BUNDLE)
  t.equal(
    (await kubectl(['-n', 'helm', 'get', 'deployment', 'aim-admission', '-o=jsonpath={.spec.replicas}'])).stdout,
    '3'
  )
  t.equal(
    (
      await kubectl([
        'get',
        'mutatingwebhookconfiguration',
        'aim-admission',
        '-o=jsonpath={.webhooks[0].failurePolicy}'
      ])
    ).stdout,
    'Ignore'
  )
  const before = (await cluster.audited()).length
  await run('uninstall', 'aim-admission', '--namespace', 'helm')
  const gone = (await cluster.audited())
    .slice(before)
    .filter(({ verb }) => verb === 'delete')
    .map(({ objectRef }) => objectRef?.resource ?? '')
  const registration = gone.findLastIndex((resource) => resource.endsWith('webhookconfigurations'))
  t.ok(registration > 0)
  for (const needed of ['services', 'deployments', 'serviceaccounts']) {
    t.ok(gone.indexOf(needed) > registration, `the webhook configurations go before ${needed}`)
  }
  const left = await kubectl([
    'get',
    'mutatingwebhookconfigurations,validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings',
    NAMES
  ])
  t.equal(left.stdout, '', left.stderr)
  t.equal(
    (await kubectl(['-n', 'helm', 'get', 'deployments,services,serviceaccounts,roles', NAMES])).stdout.replace(
      'default',
      ''
    ),
    ''
  )
  const rendered = objectsIn(await renderedChart())
    .filter(({ kind }) => kind === 'CustomResourceDefinition')
    .map((crd) => titleOf(crd).split(' ')[1])
  t.strictSame(
    (await kubectl(['get', 'crds', '-l', 'app.kubernetes.io/name=aim-admission', NAMES])).stdout.split(' ').toSorted(),
    rendered.toSorted()
  )
})

t.test('helm installs it as a dependency, removes it by its condition, and installs it again', async (t) => {
  const chart = t.testdir(DEPENDENT_CHART)
  const run = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await helm(args, kubeconfig)
    t.equal(code, 0, stderr)
  }
  const installed = async (): Promise<number> => (await kubectl([
    'get', 'validatingwebhookconfigurations,deployments', '-n', 'platform', '-o=name'
  ])).stdout.trim().split('\n').filter((name) => name.endsWith('/aim-admission')).length
  await run('dependency', 'update', chart)
  // the definitions of an uninstalled release stay
  await run('install', 'stack', chart, '--namespace', 'platform', '--create-namespace', '--take-ownership')
  t.equal(await installed(), 2)
  await run('upgrade', 'stack', chart, '--namespace', 'platform', '--set', 'aim-admission.enabled=false')
  t.equal(await installed(), 0)
  t.equal((await kubectl(['get', 'configmap', 'own', '-n', 'platform'])).code, 0)
  await run('upgrade', 'stack', chart, '--namespace', 'platform', '--set', 'aim-admission.enabled=true')
  t.equal(await installed(), 2)
  await run('uninstall', 'stack', '--namespace', 'platform')
  t.equal(await installed(), 0)
})
