import { writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { issueEphemeralPair } from '../../../certs/issue.ts'
import type { CheckResult } from '../../../src/cli/commands/doctor/format.ts'
import type { JsonObject } from '../../../src/platform/json.ts'
import { manifest } from '../../support/builders/manifests.ts'
import { inNamespace } from '../../support/cluster/cluster-client.ts'
import { startOwnCluster } from '../../support/cluster/cluster.ts'
import { objectsIn, renderedChart } from '../../support/cluster/rendered-chart.ts'
import { installCrds, manifestsOf, ready } from '../../support/programs/product.ts'
import { runPasted, startProgram } from '../../support/programs/program.ts'
import { until } from '../../support/until.ts'

/** An address that an EndpointSlice may have, so that the API server reaches the server behind a Service. */
const [host] = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  .filter(({ internal, family }) => !internal && family === 'IPv4')
  .map(({ address }) => address)
if (host === undefined) t.bailout('needs a network interface beside loopback')

const cluster = await startOwnCluster({ apiServerFlags: ['--enable-aggregator-routing=true'] })
const { client, dir, kubeconfig } = cluster
const NAMESPACES = ['aim-system', 'platform'] as const
const names = NAMESPACES.flatMap((namespace) => ['aim-admission', 'gate'].map((name) => `${name}.${namespace}.svc`))
const pair = await issueEphemeralPair({ dnsNames: names, ipAddresses: [String(host)], days: 30 })
const file = async (name: string, content: string): Promise<string> => {
  await writeFile(path.join(dir, name), content)
  return path.join(dir, name)
}
const caFile = await file('own-ca.crt', pair.caPem)
const program = startProgram([
  'serve', '--kubeconfig', kubeconfig, '--host', '0.0.0.0', '--port', '0', '--probe-port', '0',
  '--cert-file', await file('own.crt', pair.certPem), '--key-file', await file('own.key', pair.keyPem)
])
t.teardown(async () => {
  await program.stop()
  await cluster.stop()
})
await installCrds(cluster)
const serving = await program.logged('serving')
await ready(String(serving['probeUrl']))
const port = Number(new URL(String(serving['url'])).port)
const url = `https://${String(host)}:${port}`
const caBundle = Buffer.from(pair.caPem).toString('base64')

const applied = async (objects: readonly JsonObject[]): Promise<void> => {
  await client.apply(...objects.map((object) => JSON.stringify(object)))
}
// own output
const parsed = (texts: readonly string[]): JsonObject[] => texts.map((text) => JSON.parse(text) as JsonObject)

/** A namespace with a Service, and its endpoint. */
async function createService (namespace: string, name = 'aim-admission'): Promise<void> {
  await applied([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { ports: [{ name: 'https', port: 443 }] }
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: 'https', port }],
      endpoints: [{ addresses: [host], conditions: { ready: true } }]
    }
  ])
}

/** Webhook configurations with the CA, as the issuer of certificates writes it. */
const trusted = (objects: readonly JsonObject[]): JsonObject[] => objects.map((object) => ({
  ...object,
  webhooks: (object['webhooks'] as JsonObject[]).map((webhook) => ({ // as the program and the chart print them
    ...webhook, clientConfig: { ...webhook['clientConfig'] as JsonObject, caBundle }
  }))
}))

const ofChart = async (values: JsonObject, namespace: string): Promise<JsonObject[]> => {
  const objects = objectsIn(await renderedChart(values, namespace))
  const registration = objects.filter(({ kind }) => String(kind).endsWith('WebhookConfiguration'))
  const others = objects.filter(({ kind, metadata }) =>
    /^(ServiceAccount|Deployment|.*Role|.*RoleBinding|ValidatingAdmissionPolicy.*)$/.test(String(kind)) &&
    !String((metadata as JsonObject)['name']).startsWith('aim-admission:'))
  return [...others, ...trusted(registration)]
}
const ofProgram = async (...flags: string[]): Promise<JsonObject[]> => parsed(await manifestsOf('webhooks', ...flags))
const rights = async (...flags: string[]): Promise<JsonObject[]> => parsed(await manifestsOf('rbac', ...flags))

interface Installation {
  readonly install: () => Promise<readonly JsonObject[]>
  /** The flags that doctor names. */
  readonly fits?: string
}

const HEALTHY: Readonly<Record<string, Installation>> = {
  'by URL, without rights in the cluster': {
    install: async () => await ofProgram('--url', url, '--ca-file', caFile), fits: `--url ${url} --ca-file FILE`
  },
  'by URL, failing open within 2 s, for another namespace': {
    install: async () => await ofProgram(
      '--url', url, '--ca-file', caFile, '--failure-policy', 'Ignore', '--timeout-seconds', '2', '--namespace', 'platform'
    ),
    fits: `--namespace platform --url ${url} --ca-file FILE --failure-policy Ignore --timeout-seconds 2`
  },
  'by URL, with the rights of a server in the cluster, and its Service': {
    install: async () => {
      await createService('aim-system')
      return [...await rights(), ...await ofProgram('--url', url, '--ca-file', caFile)]
    },
    fits: `--url ${url} --ca-file FILE`
  },
  'by the Service': {
    install: async () => {
      await createService('aim-system')
      return [...await rights(), ...trusted(await ofProgram())]
    }
  },
  'by a Service with another name in another namespace': {
    install: async () => {
      await createService('platform', 'gate')
      const registration = await ofProgram('--service-name', 'gate', '--service-namespace', 'platform')
      return [...await rights(), ...trusted(registration)]
    },
    fits: '--service-name gate --service-namespace platform'
  },
  'by the chart': {
    install: async () => {
      await createService('aim-system')
      return await ofChart({}, 'aim-system')
    }
  },
  'by the chart in another namespace, with certificates from files, failing open, with more exempt namespaces': {
    install: async () => {
      await createService('platform')
      return await ofChart({
        certificates: { mode: 'files', secretName: 'own-pair', caBundle },
        webhooks: { failurePolicy: 'Ignore', timeoutSeconds: 3, exemptNamespaces: ['sandbox'] }
      }, 'platform')
    },
    fits: '--namespace platform --failure-policy Ignore --timeout-seconds 3'
  },
  'by the chart, with certificates of cert-manager': {
    install: async () => {
      await createService('aim-system')
      return await ofChart({ certificates: { mode: 'cert-manager' } }, 'aim-system')
    }
  }
}

/** Whether the API server has services judged. */
async function works (): Promise<boolean> {
  const good = await client.dryRun(inNamespace('default').services, manifest({ name: 'good' }))
  const invalid = manifest({ name: 'bad', spec: { routing: { enabled: true, pathTemplate: '/{' } } })
  const bad = await client.dryRun(inNamespace('default').services, invalid)
  return good.code === 201 && String(bad.object['message']).includes('spec.routing.pathTemplate')
}

const REGISTRATION = '/apis/admissionregistration.k8s.io/v1'
const MUTATING = `${REGISTRATION}/mutatingwebhookconfigurations`
const VALIDATING = `${REGISTRATION}/validatingwebhookconfigurations`

const targets = async (): Promise<string[]> => await Promise.all([MUTATING, VALIDATING].map(async (kind) =>
  await client.values(kind, '.items[*].webhooks[*]["name","clientConfig"]')))

const doctor = async (...flags: string[]) =>
  await runPasted(['aim-admission doctor', ...flags].join(' '), { KUBECONFIG: kubeconfig, HOME: dir })

/** The commands of the text: what follows `run:`, up to an empty line, or the next one. */
const commandsIn = (text: string): string[] => text.split(/^ {2}run:\n/m).slice(1)
  .map((part) => part.split(/\n\n/)[0]?.trimEnd() ?? '')

const OF_CLUSTER = [
  MUTATING,
  VALIDATING,
  ...['validatingadmissionpolicies', 'validatingadmissionpolicybindings'].map((name) => `${REGISTRATION}/${name}`),
  ...['clusterroles', 'clusterrolebindings'].map((name) => `/apis/rbac.authorization.k8s.io/v1/${name}`)
]
const OF_NAMESPACE = (namespace: string) => [
  ...['services', 'serviceaccounts'].map((name) => `/api/v1/namespaces/${namespace}/${name}`),
  `/apis/apps/v1/namespaces/${namespace}/deployments`,
  `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`
]

async function reset (): Promise<void> {
  for (const kind of OF_CLUSTER) {
    const names = (await client.values(kind, '.items[*].metadata.name')).split(' ')
    for (const name of names.filter((each) => each.startsWith('aim-admission'))) await client.remove(`${kind}/${name}`)
  }
  for (const collection of NAMESPACES.flatMap(OF_NAMESPACE)) await client.remove(collection)
}

for (const [name, { install, fits }] of Object.entries(HEALTHY)) {
  t.test(`finds no problem in a working cluster that is registered ${name}, and no suggested command breaks it`, async (t) => {
    await reset()
    await applied(await install())
    await until(works)
    const before = await targets()
    const { code, stdout, stderr } = await doctor()
    t.equal(stderr, '')
    t.equal(code, 0, 'no problem')
    t.match(stdout, /^no problems \(\d+ checked: /)
    t.notOk(stdout.split('\n').some((line) => line.length > 100), 'within 100 columns')
    if (fits === undefined) t.notMatch(stdout, /flags that fit/)
    else t.match(`${stdout.replace(/\n */g, ' ')} `, `flags that fit: ${fits} `)
    for (const command of commandsIn(stdout)) {
      const ran = await runPasted(command, { KUBECONFIG: kubeconfig, HOME: dir })
      t.equal(ran.code, 0, `${command}\n${ran.stderr}`)
      t.ok(await works(), command)
    }
    t.strictSame(await targets(), before)
  })
}

t.test('prints no patch for flags that name another server while the registered one responds', async (t) => {
  await reset()
  await createService('platform')
  await applied([...await rights(), ...await ofProgram('--url', url, '--ca-file', caFile)])
  await until(works)
  const before = await targets()
  const OTHERS = [['--service-name', 'gone'], ['--service-namespace', 'platform'], ['--url', 'https://127.0.0.1:1', '--ca-file', caFile]]
  for (const flags of OTHERS) {
    const { code, stdout } = await doctor(...flags)
    t.equal(code, 1)
    t.match(stdout, /^1 problem, 1 cause /, stdout)
    t.match(stdout.replace(/\n +/g, ' '), new RegExp(`are registered by URL ${url}, which responds, not by `))
    t.strictSame(commandsIn(stdout), [])
  }
  t.strictSame(await targets(), before)
})

t.test('fixes a damaged registration by patches that keep the server, each within 100 columns', async (t) => {
  const webhook = { op: 'replace', path: '/webhooks/0/timeoutSeconds', value: 30 }
  const strange = [
    { op: 'replace', path: '/webhooks/0/rules/0/operations', value: ['CREATE'] },
    { op: 'replace', path: '/webhooks/0/matchConditions/0/expression', value: 'request.name == \'it\' || '.repeat(9) + 'true' },
    { op: 'replace', path: '/webhooks/0/clientConfig/url', value: `${url}/elsewhere` },
    { op: 'remove', path: '/webhooks/1' }
  ]
  await client.patch(`${MUTATING}/aim-admission`, [webhook])
  await client.patch(`${VALIDATING}/aim-admission`, strange)
  const { code, stdout } = await doctor()
  t.equal(code, 1)
  t.match(stdout, /^4 problems, 1 cause /)
  const commands = commandsIn(stdout)
  t.equal(commands.length, 2, stdout)
  t.notOk(stdout.split('\n').some((line) => line.length > 100), stdout)
  for (const command of commands) {
    const ran = await runPasted(command, { KUBECONFIG: kubeconfig, HOME: dir })
    t.equal(ran.code, 0, `${command}\n${ran.stderr}`)
  }
  t.ok(await works())
  t.match((await doctor()).stdout, /^no problems /)
})

t.test('creates a missing configuration for the server of the other one', async (t) => {
  await client.remove(`${MUTATING}/aim-admission`)
  const { stdout } = await doctor()
  const [command, ...more] = commandsIn(stdout)
  t.strictSame(more, [])
  const ran = await runPasted(command ?? 'false', { KUBECONFIG: kubeconfig, HOME: dir })
  t.equal(ran.code, 0, `${command}\n${ran.stderr}`)
  await until(works)
  t.match((await doctor()).stdout, /^no problems /)
})

t.test('prints no command that registers a server which does not run', async (t) => {
  await reset()
  const { code, stdout } = await doctor()
  t.equal(code, 1)
  t.notOk(commandsIn(stdout).some((command) => command.includes('manifests webhooks')), stdout)
  const results = (await doctor('-o', 'json')).stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as CheckResult)
  t.match(results.filter(({ check }) => check === 'registration'), [
    { kind: 'problem', what: /install and start the server first/ }, { kind: 'problem' }
  ])
  for (const command of commandsIn(stdout)) {
    const ran = await runPasted(command, { KUBECONFIG: kubeconfig, HOME: dir })
    t.equal(ran.code, 0, `${command}\n${ran.stderr}`)
  }
  t.equal((await client.dryRun(inNamespace('default').services, manifest({ name: 'good' }))).code, 201)
})

t.test('prints no command for a registration of another API group', async (t) => {
  await createService('aim-system')
  const objects = trusted(await ofProgram())
  await applied(objects.map((object) => JSON.parse(JSON.stringify(object).replaceAll('"aim.silogen.ai"', '"aim.example.com"')) as JsonObject))
  const { code, stdout } = await doctor()
  t.equal(code, 1)
  t.match(stdout, /flags that fit: --api-group aim\.example\.com/)
  t.strictSame(commandsIn(stdout), [])
})
