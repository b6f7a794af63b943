import { spawn, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { clusterClient, type ClusterClient } from './cluster-client.ts'
import { kubernetesBinaries } from '../binaries/kubernetes-binaries.ts'
import { until } from '../until.ts'

export interface Ran { readonly code: number, readonly stdout: string, readonly stderr: string }

/** A real kube-apiserver and etcd of the test's own. */
export type Cluster = Awaited<ReturnType<typeof startCluster>>

export interface ClusterOptions {
  /**
   * Whether the API server keeps an audit log of the metadata of every request; with `patches`, also of what is sent of
   * our kinds, and what webhooks patch.
   */
  readonly audit?: boolean | 'patches'
  /** Further flags of the API server. */
  readonly apiServerFlags?: readonly string[]
}

/** One request, as the audit log has it once it has been answered. Source: audit.k8s.io/v1, Event. */
export interface AuditEvent {
  readonly verb: string
  readonly user: { readonly username: string }
  readonly impersonatedUser?: { readonly username: string }
  readonly requestURI: string
  readonly objectRef?: {
    readonly apiGroup?: string
    readonly resource: string
    readonly subresource?: string
    readonly namespace?: string
    readonly name?: string
  }
  readonly responseStatus?: { readonly code: number }
  /** RFC 3339 with six fractional digits, which compare as text: when it came, and when it was answered. */
  readonly requestReceivedTimestamp: string
  readonly stageTimestamp: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** Starts both on free ports of 127.0.0.1 in a temporary folder, and waits until the API server is ready. */
export async function startCluster ({ audit = false, apiServerFlags = [] }: ClusterOptions = {}) {
  const { kubeApiserver, etcd: etcdBinary } = await kubernetesBinaries()
  const dir = await mkdtemp(path.join(tmpdir(), 'aim-admission-cluster-'))
  const [clientPort, peerPort, apiPort] = await freePorts(3)
  await writeSecrets(dir)
  const run = runner(path.join(dir, 'cluster.log'))
  const etcdUrl = `http://127.0.0.1:${clientPort}`
  const etcd = run(etcdBinary, [
    '--data-dir', path.join(dir, 'etcd'), '--listen-client-urls', etcdUrl, '--advertise-client-urls', etcdUrl,
    '--listen-peer-urls', `http://127.0.0.1:${peerPort}`, '--unsafe-no-fsync', '--log-level', 'error'
  ])
  const url = `https://127.0.0.1:${apiPort}`
  const kubeconfig = path.join(dir, 'kubeconfig')
  const kubectl = kubectlOf(dir, kubeconfig)
  const client = clusterClient(kubeconfig)
  let api: ChildProcess | undefined
  const startApiServer = async (): Promise<void> => {
    api = run(kubeApiserver, [
      `--etcd-servers=${etcdUrl}`, `--cert-dir=${path.join(dir, 'certs')}`, '--bind-address=127.0.0.1', `--secure-port=${apiPort}`,
      '--service-cluster-ip-range=10.0.0.0/24', '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${path.join(dir, 'sa.pub')}`, `--service-account-signing-key-file=${path.join(dir, 'sa.key')}`,
      `--token-auth-file=${path.join(dir, 'tokens.csv')}`, '--authorization-mode=RBAC', '--disable-admission-plugins=ServiceAccount', '--profiling=false',
      ...(audit === false ? [] : await auditFlags(dir, audit === 'patches')), ...apiServerFlags
    ])
    await until(async () => await isReady(client), undefined, READY_MS)
  }
  await writeFile(kubeconfig, kubeconfigFor(url, path.join(dir, 'certs/apiserver.crt')))
  await startApiServer()
  return {
    dir,
    url,
    kubeconfig,
    kubectl,
    client,
    /**
     * A kubeconfig of a user of its own, whom the audit log names; through a proxy where one is given. Its rights are
     * those of the user's groups.
     */
    kubeconfigOf: async (user: TestUser, server: string = url): Promise<string> => {
      const file = path.join(dir, `kubeconfig-${user}`)
      await writeFile(file, kubeconfigFor(server, path.join(dir, 'certs/apiserver.crt'), `${user}-token`))
      return file
    },
    startApiServer,
    /** The audit log so far, as it is written. */
    auditLog: async (): Promise<string> => await readFile(path.join(dir, AUDIT_LOG), 'utf8'),
    /** The audit log so far, the latest last. */
    audited: reader(path.join(dir, AUDIT_LOG)),
    /** Ends the API server without notice; its data stays. */
    killApiServer: async () => { await end(api, 'SIGKILL') },
    pauseEtcd: () => { etcd.kill('SIGSTOP') },
    resumeEtcd: () => { etcd.kill('SIGCONT') },
    stop: async () => {
      await client.close()
      await end(api, 'SIGTERM')
      await end(etcd, 'SIGKILL')
      await rm(dir, { recursive: true, force: true })
    }
  }
}

/** Reads the events of an audit log that grows: what was read before is not read again. */
function reader (file: string): () => Promise<AuditEvent[]> {
  const events: AuditEvent[] = []
  let [offset, rest] = [0, '']
  const readOn = async (): Promise<void> => {
    const pieces = createReadStream(file, { start: offset, encoding: 'utf8' })
    for await (const piece of pieces) rest += String(piece)
    offset += pieces.bytesRead
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) events.push(JSON.parse(line) as AuditEvent) // as the API server writes it
  }
  let reading = Promise.resolve()
  return async () => {
    reading = reading.then(readOn)
    await reading
    return [...events]
  }
}

/** Every child ends with this process, however that ends. */
function runner (logFile: string): (file: string, args: readonly string[]) => ChildProcess {
  const log = openSync(logFile, 'a')
  return (file, args) => {
    const child = spawn(file, args, { stdio: ['ignore', log, log] })
    const kill = (): void => { child.kill('SIGKILL') }
    process.once('exit', kill)
    child.once('exit', () => process.removeListener('exit', kill))
    return child
  }
}

async function end (child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}

/** How long a busy machine may take to start an API server, in milliseconds. */
const READY_MS = 90_000

/** Before it listens there is no certificate to trust it by, and nobody to refuse a connection in words. */
async function isReady ({ request }: ClusterClient): Promise<boolean> {
  try {
    const { statusCode, body } = await request('/readyz', { signal: AbortSignal.timeout(2_000) })
    await body.dump()
    return statusCode === 200
  } catch {
    return false
  }
}

export type Kubectl = (args: readonly string[], stdin?: string) => Promise<Ran>

function kubectlOf (dir: string, kubeconfig: string): Kubectl {
  return async (args, stdin) => {
    const child = spawn('kubectl', ['--kubeconfig', kubeconfig, '--cache-dir', path.join(dir, 'cache'), ...args], {
      env: { ...process.env, HOME: dir }
    })
    child.stdin.end(stdin)
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    return { code: child.exitCode ?? 1, stdout, stderr }
  }
}

const AUDIT_LOG = 'audit.log'

/** Nothing is buffered: what has been answered is in the log. */
async function auditFlags (dir: string, withPatches: boolean): Promise<string[]> {
  const file = path.join(dir, 'audit-policy.yaml')
  await writeFile(file, JSON.stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived', 'ResponseStarted'],
    rules: [
      ...(withPatches
        ? [{ level: 'Request', resources: [{ group: 'aim.silogen.ai' }, { group: 'events.k8s.io' }] }]
        : []),
      { level: 'Metadata' }
    ]
  }))
  const whole = `--audit-log-maxsize=${MAX_AUDIT_MB}` // by default it begins a new file after 100
  return [
    `--audit-policy-file=${file}`,
    `--audit-log-path=${path.join(dir, AUDIT_LOG)}`,
    '--audit-log-mode=blocking-strict',
    whole
  ]
}

const MAX_AUDIT_MB = 10_000

const TOKEN = 'admin-token'

/** Users without a group: they have the rights that a test binds to them. */
const BOUND_USERS = ['bound', 'mallory', 'victim', 'platform'] as const
/** The other users may do everything. */
export const TEST_USERS = ['replica-a', 'replica-b', 'replica-c', ...BOUND_USERS] as const
export type TestUser = typeof TEST_USERS[number]

async function writeSecrets (dir: string): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  await writeFile(path.join(dir, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
  await writeFile(path.join(dir, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }))
  const users = TEST_USERS.map((user) =>
    `${user}-token,${user},${user}${BOUND_USERS.some((bound) => bound === user) ? '' : ',system:masters'}\n`)
  await writeFile(path.join(dir, 'tokens.csv'), `${TOKEN},admin,admin,system:masters\n${users.join('')}`)
}

/** JSON is YAML. */
function kubeconfigFor (server: string, caFile: string, token = TOKEN): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: 'admin', user: { token } }]
  })
}

async function freePorts (count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server
  }))
  return await Promise.all(servers.map(async (server) => {
    const { port } = server.address() as AddressInfo // it listens on a port
    server.close()
    await once(server, 'close')
    return port
  }))
}
