import { once } from 'node:events'
import { createServer as createPlainServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createServer } from 'node:tls'
import t from 'tap'
import { issueEphemeralPair } from '../../../certs/issue.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { applied, installCrds, ready } from '../../support/programs/product.ts'
import { outputOf, startProgram, type Program } from '../../support/programs/program.ts'
import { until } from '../../support/until.ts'

const cluster = await startCluster()
const { kubectl, kubeconfig } = cluster
const programs: Program[] = []
t.teardown(async () => {
  await Promise.all(programs.map(async (program) => await program.stop('SIGKILL')))
  await cluster.stop()
})

/** Replicas listen on one port, as pods do, each on an address of its own. */
const port = await freePort()
const REPLICAS = ['127.0.0.1', '127.0.0.2'] as const
const IMPOSTER = '127.0.0.3'

async function freePort (): Promise<number> {
  const server = createPlainServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on a port
  server.close()
  await once(server, 'close')
  return port
}

async function startReplica (host: string): Promise<void> {
  const program = startProgram(['serve', '--kubeconfig', kubeconfig, '--host', host, '--port', String(port), '--probe-port', '0', '--rotation-wait', '1'],
    { NODE_OPTIONS: `--import=${path.resolve(import.meta.dirname, '../../support/programs/loopback-names.ts')}` })
  programs.push(program)
  await ready((await program.logged('serving'))['probeUrl'] as string) // what the command logs
}

/** What the control plane writes for a Service, by hand; the labels and conditions are what counts. */
async function listEndpoints (endpoints: ReadonlyArray<{ readonly address: string, readonly serving: boolean }>): Promise<void> {
  await applied(kubectl, JSON.stringify({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: 'aim-system',
      name: 'aim-admission-1',
      labels: { 'kubernetes.io/service-name': 'aim-admission' }
    },
    addressType: 'FQDN',
    ports: [{ name: 'https', port }],
    endpoints: endpoints.map(({ address, serving }) => ({
      addresses: [`${address.replaceAll('.', '-')}.replicas.test`],
      conditions: { serving }
    }))
  }))
}

const secret = async (key: string): Promise<string> =>
  await cluster.client.values('/api/v1/namespaces/aim-system/secrets/aim-admission-tls', `.data['${key}']`)

/** Has the CA changed, and waits until the new one signs while the old one is still trusted. */
async function beginChange (): Promise<void> {
  await kubectl(['-n', 'aim-system', 'annotate', 'secret', 'aim-admission-tls', 'aim.silogen.ai/rotate=ca'])
  await until(async () => await secret('old-ca.crt') !== '')
}

/** How long the old CA stays trusted from now on, in milliseconds. */
async function retired (): Promise<number> {
  const since = performance.now()
  while (await secret('old-ca.crt') !== '') await delay(100)
  return performance.now() - since
}

await kubectl(['create', 'namespace', 'aim-system'])
await installCrds(cluster)
await applied(kubectl, await outputOf(['manifests', 'webhooks']))
await listEndpoints(REPLICAS.map((address) => ({ address, serving: true })))
await Promise.all(REPLICAS.map(startReplica))

t.test('replicas find each other behind their Service, and once each has seen the new certificate of all, the old CA goes', async (t) => {
  await beginChange()
  const took = await retired()
  t.ok(took < 15_000, `after ${Math.round(took)} ms; without any word of the others it would be 20 s`)
})

t.test('a replica behind the Service that serves another certificate keeps the old CA trusted, until it is no longer served from', async (t) => {
  const { certPem, keyPem } = await issueEphemeralPair({ dnsNames: [], ipAddresses: [IMPOSTER], days: 1 })
  const names: string[] = []
  const imposter = createServer({
    cert: certPem,
    key: keyPem,
    SNICallback: (name, done) => { // whoever has seen the certificate hangs up before a handshake is done
      names.push(name)
      done(null)
    }
  }).listen(port, IMPOSTER)
  t.teardown(() => { imposter.close() })
  await once(imposter, 'listening')
  await listEndpoints([...REPLICAS, IMPOSTER].map((address) => ({ address, serving: true })))
  await beginChange()
  await until(() => names.length >= 10) // each replica asks once a second, and has to see it for one
  t.not(await secret('old-ca.crt'), '', 'the old CA is still trusted')
  t.strictSame(
    new Set(names),
    new Set(['aim-admission.aim-system.svc']),
    'it was asked for the name that the API server asks for'
  )
  await listEndpoints([
    ...REPLICAS.map((address) => ({ address, serving: true })),
    { address: IMPOSTER, serving: false }
  ])
  t.ok(await retired() < 15_000)
})
