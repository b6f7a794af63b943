import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import t from 'tap'
import { issueEphemeralPair } from '../../../certs/issue.ts'
import { inNamespace } from '../../support/cluster/cluster-client.ts'
import { startOwnCluster } from '../../support/cluster/cluster.ts'
import { manifest } from '../../support/builders/manifests.ts'
import { installCrds, manifestsOf, ready } from '../../support/programs/product.ts'
import { startProgram, type Program } from '../../support/programs/program.ts'
import { asServiceAccount } from '../../support/cluster/service-account.ts'
import { handshake, storedCertificates, TLS_SECRET } from '../../support/cluster/stored-certificates.ts'
import { aTestAuthority } from '../../support/builders/test-certificates.ts'
import { eventually, until } from '../../support/until.ts'

const folder = t.testdir({})
const file = async (name: string, content: string): Promise<string> => {
  await writeFile(path.join(folder, name), content)
  return path.join(folder, name)
}

/** The client certificate that the API server presents to webhooks, configured as in docs/how-to/certificates.md. */
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
const { client } = cluster
const programs: Program[] = []
t.teardown(async () => {
  await Promise.all(programs.map(async (program) => await program.stop()))
  await cluster.stop()
})

/** The program has exactly the rights of its own manifests. */
const { kubeconfig: restricted } = await asServiceAccount(cluster, 'aim-admission')

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
const registration = await manifestsOf('webhooks', '--url', NOWHERE, '--ca-file', otherCa)

/** Registers one server for mutating and one for validating webhooks, with the CA of neither. */
async function register (mutating: string, validating: string): Promise<void> {
  await client.apply(...registration.map(
    (object, index) => object.replaceAll(NOWHERE, index === 0 ? mutating : validating)
  ))
}

const { bundles, secret, trusting, rotate } = storedCertificates(cluster)

let created = 0
/** Creates a service; returns the response if that fails, else an empty string. */
async function create (): Promise<string> {
  const { statusCode, body } = await client.request(inNamespace('work').services, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: manifest({ namespace: 'work', name: `service-${created++}` })
  })
  const answer = await body.text()
  return statusCode === 201 ? '' : answer
}

for (const name of ['aim-system', 'work']) await client.create('/api/v1/namespaces', { metadata: { name } })
await installCrds(cluster)
await client.apply(...await manifestsOf('rbac'))
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
      await delay(20)
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

const REGISTRATIONS = '/apis/admissionregistration.k8s.io/v1'
const MUTATING = `${REGISTRATIONS}/mutatingwebhookconfigurations/aim-admission`
const CA_BUNDLE = '/webhooks/0/clientConfig/caBundle'
const anotherPair = await issueEphemeralPair({ dnsNames: [], ipAddresses: ['127.0.0.1'], days: 1 })
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const damages: Record<string, () => Promise<void>> = {
  'a caBundle is emptied': async () => { await client.patch(MUTATING, [{ op: 'remove', path: CA_BUNDLE }]) },
  'a caBundle is garbage': async () => {
    await client.patch(MUTATING, [{ op: 'replace', path: CA_BUNDLE, value: 'AAAA' }])
  },
  'caBundles contain another CA': async () => { await register(first.url, second.url) },
  'the Secret is deleted': async () => { await client.remove(TLS_SECRET) },
  'the Secret is emptied': async () => {
    await client.patch(TLS_SECRET, { data: { 'tls.crt': '', 'tls.key': '', 'ca.crt': null, 'ca.key': null } })
  },
  'the Secret is filled with garbage': async () => {
    await client.patch(TLS_SECRET, { data: { 'tls.crt': 'AAAA', 'ca.key': 'AAAA' } })
  },
  'the key of the Secret does not match its certificate': async () => {
    await client.patch(TLS_SECRET, { data: { 'tls.key': base64(anotherPair.keyPem) } })
  },
  'the CA of the Secret did not sign its pair': async () => {
    await client.patch(TLS_SECRET, {
      data: { 'tls.crt': base64(anotherPair.certPem), 'tls.key': base64(anotherPair.keyPem) }
    })
  }
}
/** Every registered webhook without its `clientConfig`. */
const rulesAndSelectors = async (): Promise<object[]> =>
  (await Promise.all(['mutating', 'validating'].map(async (type) => {
    const registered = await client.stored<{ webhooks: ReadonlyArray<{ clientConfig: object }> }>(
      `${REGISTRATIONS}/${type}webhookconfigurations/aim-admission`
    )
    return (registered?.webhooks ?? []).map(({ clientConfig: _, ...webhook }) => webhook)
  }))).flat()

for (const [name, damage] of Object.entries(damages)) {
  t.test(`recovers with the same CA and without a failed handshake if ${name}`, async (t) => {
    const [ca, leaf, key, registered] = [
      await secret('ca.crt'),
      await secret('tls.crt'),
      await secret('tls.key'),
      await rulesAndSelectors()
    ]
    const handshakes = repeatHandshakes(ca)
    await damage()
    await until(
      async () =>
        (await secret('ca.crt')) === ca &&
        (await secret('tls.crt')) === leaf &&
        (await secret('tls.key')) === key &&
        (await trusting())
    )
    t.strictSame(await rulesAndSelectors(), registered)
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
  t.equal(
    await client.values(`${inNamespace('work').services}/service-${created - 1}`, '.spec.runtimeConfigName'), 'default'
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
