import { once } from 'node:events'
import path from 'node:path'
import { createServer } from 'node:tls'
import t from 'tap'
import { issueEphemeralPair } from '../../../certs/issue.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { storedCertificates } from '../../support/cluster/stored-certificates.ts'
import { listening } from '../../support/processes.ts'
import { installCrds, manifestsOf, ready } from '../../support/programs/product.ts'
import { startProgram, type Program } from '../../support/programs/program.ts'
import { until } from '../../support/until.ts'

const cluster = await startCluster()
const { client, kubeconfig } = cluster
const programs: Program[] = []
t.teardown(async () => {
  await Promise.all(programs.map(async (program) => await program.stop('SIGKILL')))
  await cluster.stop()
})

/** Replicas listen on the same port of different addresses, as pods do. */
const free = createServer()
const port = await listening(free)
await once(free.close(), 'close')
const REPLICAS = ['127.0.0.1', '127.0.0.2'] as const
const IMPOSTER = '127.0.0.3'

async function startReplica (host: string): Promise<void> {
  const program = startProgram([
    'serve', '--kubeconfig', kubeconfig, '--host', host, '--port', String(port), '--probe-port', '0',
    '--rotation-wait', '1'
  ],
  { NODE_OPTIONS: `--import=${path.resolve(import.meta.dirname, '../../support/programs/loopback-names.ts')}` })
  programs.push(program)
  await ready((await program.logged('serving'))['probeUrl'] as string) // what the command logs
}

/** Writes the EndpointSlice that the control plane would write for the Service. */
async function listEndpoints (
  endpoints: ReadonlyArray<{ readonly address: string, readonly serving: boolean }>
): Promise<void> {
  await client.apply(JSON.stringify({
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

const { secret, requestRotation } = storedCertificates(cluster)

/** Requests a CA rotation, and waits until the new CA signs while the old one is still trusted. */
async function startRotation (): Promise<void> {
  await requestRotation('ca')
  await until(async () => await secret('old-ca.crt') !== '')
}

/** Waits until this many rotations have ended; returns on which basis old CAs were retired. */
async function retired (rotations: number): Promise<unknown[]> {
  const retirements = () => programs
    .flatMap(({ entries }) => entries)
    .filter(({ msg }) => msg === 'stopped trusting the old CA')
  await until(() => retirements().length >= rotations)
  return retirements().map(({ basis }) => basis)
}

await client.create('/api/v1/namespaces', { metadata: { name: 'aim-system' } })
await installCrds(cluster)
await client.apply(...await manifestsOf('webhooks'))
await listEndpoints(REPLICAS.map((address) => ({ address, serving: true })))
await Promise.all(REPLICAS.map(startReplica))

t.test('replicas discover each other behind their Service, and retire the old CA once unused', async (t) => {
  await startRotation()
  t.strictSame(await retired(1), ['confirmed'])
})

t.test('the old CA stays trusted while an endpoint of the Service serves another certificate', async (t) => {
  const { certPem, keyPem } = await issueEphemeralPair({ dnsNames: [], ipAddresses: [IMPOSTER], days: 1 })
  const names: string[] = []
  const imposter = createServer({
    cert: certPem,
    key: keyPem,
    SNICallback: (name, done) => { // the probe closes the connection before the handshake completes
      names.push(name)
      done(null)
    }
  }).listen(port, IMPOSTER)
  t.teardown(() => { imposter.close() })
  await once(imposter, 'listening')
  await listEndpoints([...REPLICAS, IMPOSTER].map((address) => ({ address, serving: true })))
  await startRotation()
  await until(() => names.length >= 10) // each replica probes once a second
  t.not(await secret('old-ca.crt'), '', 'the old CA is still trusted')
  t.strictSame(
    new Set(names),
    new Set(['aim-admission.aim-system.svc']),
    'the probe uses the server name of the API server'
  )
  await listEndpoints([
    ...REPLICAS.map((address) => ({ address, serving: true })),
    { address: IMPOSTER, serving: false }
  ])
  t.strictSame(await retired(2), ['confirmed', 'confirmed'])
})
