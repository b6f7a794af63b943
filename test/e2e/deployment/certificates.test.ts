import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { issueEphemeralPair } from '../../../certs/issue.ts'
import { startOwnCluster, type Ran } from '../../support/cluster/cluster.ts'
import { manifest } from '../../support/builders/manifests.ts'
import { applied, installCrds, ready } from '../../support/programs/product.ts'
import { outputOf, startProgram, type Program } from '../../support/programs/program.ts'
import { handshake, storedCertificates } from '../../support/cluster/stored-certificates.ts'
import { aTestAuthority } from '../../support/builders/test-certificates.ts'
import { eventually, until } from '../../support/until.ts'

const folder = t.testdir({})
const file = async (name: string, content: string): Promise<string> => {
  await writeFile(path.join(folder, name), content)
  return path.join(folder, name)
}

/** The client certificate that the API server presents to webhooks, configured as in docs/certificates.md. */
const clients = await aTestAuthority('clients')
const apiServer = await clients.issue('kube-apiserver')
const webhookKubeconfig = await file('webhook-kubeconfig', JSON.stringify({
  apiVersion: 'v1',
  kind: 'Config',
  users: [
    {
      name: '*',
      user: {
        'client-certificate': await file('client.crt', apiServer.cert),
        'client-key': await file('client.key', apiServer.key)
      }
    }
  ]
}))
const admissionConfig = await file('admission.yaml', JSON.stringify({
  apiVersion: 'apiserver.config.k8s.io/v1',
  kind: 'AdmissionConfiguration',
  plugins: ['MutatingAdmissionWebhook', 'ValidatingAdmissionWebhook'].map((name) => ({
    name,
    configuration: {
      apiVersion: 'apiserver.config.k8s.io/v1',
      kind: 'WebhookAdmissionConfiguration',
      kubeConfigFile: webhookKubeconfig
    }
  }))
}))

const cluster = await startOwnCluster({ apiServerFlags: [`--admission-control-config-file=${admissionConfig}`] })
const { kubectl } = cluster
const programs: Program[] = []
t.teardown(async () => {
  await Promise.all(programs.map(async (program) => await program.stop()))
  await cluster.stop()
})

/** The program has exactly the rights of its own manifests. */
const kubeconfig = JSON.parse(await readFile(cluster.kubeconfig, 'utf8')) as { users: [{ user: object }] }
const restricted = await file('kubeconfig', JSON.stringify({
  ...kubeconfig,
  users: [{
    ...kubeconfig.users[0],
    user: { ...kubeconfig.users[0].user, as: 'system:serviceaccount:aim-system:aim-admission' }
  }]
}))

async function startReplica (...flags: string[]): Promise<{ program: Program, url: string, probeUrl: string }> {
  const program = startProgram([
    'serve', '--kubeconfig', restricted, '--port', '0', '--probe-port', '0',
    '--cert-name', '127.0.0.1', '--rotation-wait', '2', ...flags
  ])
  programs.push(program)
  // what the command logs
  const { url, probeUrl } = (await program.logged('serving')) as unknown as { url: string; probeUrl: string }
  await ready(probeUrl)
  return { program, url, probeUrl }
}

const NOWHERE = 'https://127.0.0.1:1'
const otherCa = await file('other.crt', (await issueEphemeralPair({ dnsNames: [], ipAddresses: [], days: 1 })).caPem)
const registration = parseAllDocuments(
  await outputOf(['manifests', 'webhooks', '--url', NOWHERE, '--ca-file', otherCa])
).map((document) => JSON.stringify(document.toJS()))

/** Registers one server for mutating and one for validating webhooks, with the CA of neither. */
async function register (mutating: string, validating: string): Promise<Ran> {
  const items = registration.map((object, index) => object.replaceAll(NOWHERE, index === 0 ? mutating : validating))
  return await kubectl(['apply', '-f', '-'], `{"apiVersion":"v1","kind":"List","items":[${items.join()}]}`)
}

const { bundles, secret, trusting, rotate } = storedCertificates(cluster)

let created = 0
/** Creates a service; returns the response if that fails, else an empty string. */
async function create (): Promise<string> {
  const path = '/apis/aim.silogen.ai/v1alpha1/namespaces/work/aimservices'
  const { statusCode, body } = await cluster.client.request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: manifest({ namespace: 'work', name: `service-${created++}` })
  })
  const answer = await body.text()
  return statusCode === 201 ? '' : answer
}

await kubectl(['create', 'namespace', 'aim-system'])
await kubectl(['create', 'namespace', 'work'])
await installCrds(cluster)
await applied(kubectl, await outputOf(['manifests', 'rbac']))
const replicas = await Promise.all([startReplica(), startReplica()])
const [first, second] = replicas

t.test('two replicas that start together share one CA, which the webhooks trust', async (t) => {
  const issuers = replicas.filter(({ program }) =>
    program.entries.some(({ msg }) => msg === 'issued CA and serving certificate')
  )
  t.equal(issuers.length, 1)
  await register(first.url, second.url)
  await until(trusting)
  t.equal((await bundles()).length, 6)
  for (const [index, { url }] of replicas.entries()) t.equal(await handshake(url, (await bundles())[index] ?? ''), '')
  t.equal(await eventually(async () => await create() === '' ? 'created' : undefined), 'created')
})

interface Handshakes { readonly count: number, readonly failed: readonly string[] }

/** Performs handshakes with every replica until `stop`. */
function repeatHandshakes (bundle: string): { readonly stop: () => Promise<Handshakes> } {
  const stopping = new AbortController()
  const failed: string[] = []
  let count = 0
  const repeat = async (url: string): Promise<void> => {
    while (!stopping.signal.aborted) {
      const result = await handshake(url, bundle)
      if (result !== '') failed.push(result)
      count++
      await delay(5)
    }
  }
  const repeating = Promise.all(replicas.map(async ({ url }) => { await repeat(url) }))
  return {
    stop: async () => {
      stopping.abort()
      await repeating
      return { count, failed }
    }
  }
}

const MUTATING = ['patch', 'mutatingwebhookconfiguration', 'aim-admission', '--type=json', '-p'] as const
const SECRET = ['-n', 'aim-system', 'patch', 'secret', 'aim-admission-tls', '--type=merge', '-p'] as const
const anotherPair = await issueEphemeralPair({ dnsNames: [], ipAddresses: ['127.0.0.1'], days: 1 })
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const damages: Record<string, () => Promise<{ readonly code: number }>> = {
  'a caBundle is emptied': async () =>
    await kubectl([...MUTATING, '[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]']),
  'a caBundle is garbage': async () =>
    await kubectl([...MUTATING, '[{"op":"replace","path":"/webhooks/0/clientConfig/caBundle","value":"AAAA"}]']),
  'caBundles contain another CA': async () => await register(first.url, second.url),
  'the Secret is deleted': async () => await kubectl(['-n', 'aim-system', 'delete', 'secret', 'aim-admission-tls']),
  'the Secret is emptied': async () =>
    await kubectl([...SECRET, '{"data":{"tls.crt":"","tls.key":"","ca.crt":null,"ca.key":null}}']),
  'the Secret is filled with garbage': async () =>
    await kubectl([...SECRET, '{"data":{"tls.crt":"AAAA","ca.key":"AAAA"}}']),
  'the key of the Secret does not match its certificate': async () =>
    await kubectl([...SECRET, JSON.stringify({ data: { 'tls.key': base64(anotherPair.keyPem) } })]),
  'the CA of the Secret did not sign its pair': async () =>
    await kubectl([...SECRET, JSON.stringify({
      data: { 'tls.crt': base64(anotherPair.certPem), 'tls.key': base64(anotherPair.keyPem) }
    })])
}
const RULES = 'jsonpath={range .items[*].webhooks[*]}{.name}{.rules}{.namespaceSelector}{.objectSelector}' +
  '{.matchConditions}{.failurePolicy}{end}'
const rulesAndSelectors = async (): Promise<string> =>
  (await kubectl(['get', 'validatingwebhookconfiguration,mutatingwebhookconfiguration', '-o', RULES])).stdout

for (const [name, damage] of Object.entries(damages)) {
  t.test(`recovers with the same CA and without a failed handshake if ${name}`, async (t) => {
    const [ca, leaf, key, registered] = [
      await secret('ca.crt'),
      await secret('tls.crt'),
      await secret('tls.key'),
      await rulesAndSelectors()
    ]
    const handshakes = repeatHandshakes(ca)
    t.equal((await damage()).code, 0)
    await until(
      async () =>
        (await secret('ca.crt')) === ca &&
        (await secret('tls.crt')) === leaf &&
        (await secret('tls.key')) === key &&
        (await trusting())
    )
    t.equal(await rulesAndSelectors(), registered)
    for (const { probeUrl } of replicas) t.equal((await fetch(`${probeUrl}/readyz`)).status, 200)
    t.equal(await eventually(async () => await create() === '' ? 'created' : undefined), 'created')
    const { count, failed } = await handshakes.stop()
    t.strictSame(failed, [], `${count} handshakes`)
    t.ok(count > 10)
  })
}

t.test('no create and no handshake fails while the leaf and the CA rotate', async (t) => {
  const failures: string[] = []
  const ending = new AbortController()
  let [creates, handshakes] = [0, 0]
  const load = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      const [bundle = ''] = await bundles()
      const results = await Promise.all([
        create(),
        create(),
        ...replicas.map(async ({ url }) => await handshake(url, bundle))
      ])
      creates += 2
      handshakes += 2
      failures.push(...results.filter((result) => result !== ''))
      await delay(20)
    }
  }
  const loading = load()
  for (const which of ['leaf', 'ca'] as const) {
    const ca = await secret('ca.crt')
    await rotate(which)
    t.equal(await secret('ca.crt') === ca, which === 'leaf')
  }
  const now = Buffer.from(await secret('tls.crt'), 'base64').toString()
  ending.abort()
  await loading
  t.strictSame(failures, [], `${creates} creates, ${handshakes} handshakes`)
  t.ok(creates >= 10)
  for (const { url } of replicas) {
    const socket = connect({
      host: '127.0.0.1',
      port: Number(new URL(url).port),
      ca: Buffer.from((await bundles())[0] ?? '', 'base64').toString()
    })
    await once(socket, 'secureConnect')
    t.equal(socket.getPeerX509Certificate()?.toString(), now)
    socket.destroy()
  }
})

t.test('accepts only clients with a certificate of a configured name, such as the API server', async (t) => {
  const strict = await startReplica(
    '--client-ca-file',
    await file('clients.crt', clients.cert),
    '--client-name',
    'kube-apiserver'
  )
  await register(strict.url, strict.url)
  await until(trusting)
  t.equal(await eventually(async () => await create() === '' ? 'created' : undefined), 'created')
  t.match(
    (await kubectl(
      ['-n', 'work', 'get', 'aimservice', `service-${created - 1}`, '-o', 'jsonpath={.spec.runtimeConfigName}']
    )).stdout,
    'default'
  )
  const named = await startReplica(
    '--client-ca-file',
    await file('clients.crt', clients.cert),
    '--client-name',
    'another-name'
  )
  await register(named.url, named.url)
  await until(trusting)
  t.match(await eventually(async () => {
    const answer = await create()
    return answer.includes('client certificate') ? answer : undefined
  }), /failed to call webhook: the client certificate has none of the accepted names/)
  const { msg } = await named.program.logged('rejected client certificate')
  t.equal(named.program.entries.filter((entry) => entry.msg === msg).length, 1)
})

t.test('no log contains a private key', async (t) => {
  const keys = await Promise.all(['tls.key', 'ca.key'].map(secret))
  const lines = programs.flatMap(({ lines }) => lines).join('\n')
  t.ok(lines.length > 1_000)
  for (const key of keys) {
    t.notOk(lines.includes(key) || lines.includes(Buffer.from(key, 'base64').toString().split('\n')[1] ?? '-'))
  }
  t.notMatch(lines, /PRIVATE KEY/)
})
