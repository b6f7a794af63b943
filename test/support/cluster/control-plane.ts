import { spawn, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { kubernetesBinaries } from '../binaries/kubernetes-binaries.ts'
import { end, endWithUs, listening } from '../processes.ts'
import { until } from '../until.ts'
import { clusterClient } from './cluster-client.ts'

export interface ControlPlaneOptions {
  /**
   * The audit log has the metadata of every request; with `patches`, also request bodies of the product's kinds and
   * the patches of webhooks.
   */
  readonly audit?: boolean | 'patches'
  /** Further flags of the API server. */
  readonly apiServerFlags?: readonly string[]
}

/** Where the files and addresses of a control plane are; serializable. */
export interface ControlPlaneAddress { readonly dir: string, readonly url: string, readonly etcdUrl: string }

export type ControlPlane = Awaited<ReturnType<typeof startControlPlane>>

/** Starts kube-apiserver and etcd on free ports of 127.0.0.1, and waits until the API server is ready. */
export async function startControlPlane ({ audit = false, apiServerFlags = [] }: ControlPlaneOptions = {}) {
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
  await writeFile(kubeconfig, kubeconfigFor(dir, url))
  const flags = [
    `--etcd-servers=${etcdUrl}`, `--cert-dir=${path.join(dir, 'certs')}`, '--bind-address=127.0.0.1',
    `--secure-port=${apiPort}`, '--service-cluster-ip-range=10.0.0.0/24', '--profiling=false',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${path.join(dir, 'sa.pub')}`,
    `--service-account-signing-key-file=${path.join(dir, 'sa.key')}`,
    `--token-auth-file=${path.join(dir, 'tokens.csv')}`, '--authorization-mode=RBAC',
    '--disable-admission-plugins=ServiceAccount',
    ...(audit === false ? [] : await auditFlags(dir, audit === 'patches')), ...apiServerFlags
  ]
  let api: ChildProcess
  const startApiServer = async (): Promise<void> => {
    api = run(kubeApiserver, flags)
    const client = clusterClient(kubeconfig)
    await until(async () => await client.isReady(), undefined, READY_MS)
    await client.close()
  }
  await startApiServer()
  const address: ControlPlaneAddress = { dir, url, etcdUrl }
  return {
    ...address,
    startApiServer,
    /** Ends the API server without notice; its data stays. */
    killApiServer: async () => { await end(api, 'SIGKILL') },
    /** Stops both processes, which otherwise take 0.03 s of CPU each second, until `resume`. */
    pause: () => { for (const process of [api, etcd]) process.kill('SIGSTOP') },
    resume: () => { for (const process of [etcd, api]) process.kill('SIGCONT') },
    pauseEtcd: () => { etcd.kill('SIGSTOP') },
    resumeEtcd: () => { etcd.kill('SIGCONT') },
    stop: async () => {
      await Promise.all([end(api, 'SIGKILL'), end(etcd, 'SIGKILL')])
      await rm(dir, { recursive: true, force: true })
    }
  }
}

export const AUDIT_LOG = 'audit.log'

export const ADMIN_TOKEN = 'admin-token'

/** Users without a group: they have the rights that a test binds to them. */
const BOUND_USERS = ['bound', 'mallory', 'victim', 'platform'] as const
/** The other users have every right. */
const TEST_USERS = ['replica-a', 'replica-b', 'replica-c', 'operator', ...BOUND_USERS] as const
export type TestUser = typeof TEST_USERS[number]

/** A kubeconfig as JSON, which is YAML; of the administrator by default. */
export function kubeconfigFor (dir: string, server: string, user?: TestUser): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': path.join(dir, 'certs/apiserver.crt') } }],
    users: [{ name: 'admin', user: { token: user === undefined ? ADMIN_TOKEN : `${user}-token` } }]
  })
}

/** Every child ends with this process. */
function runner (logFile: string): (file: string, args: readonly string[]) => ChildProcess {
  const log = openSync(logFile, 'a')
  return (file, args) => {
    const child = spawn(file, args, { stdio: ['ignore', log, log] })
    endWithUs(child)
    return child
  }
}

/** How long an API server may take to start on a busy machine, in milliseconds. */
const READY_MS = 90_000

/** Writes without a buffer: the log has every request that was answered. */
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
  return [
    `--audit-policy-file=${file}`,
    `--audit-log-path=${path.join(dir, AUDIT_LOG)}`,
    '--audit-log-mode=blocking-strict',
    `--audit-log-maxsize=${MAX_AUDIT_MB}`
  ]
}

/** The default of 100 MB would rotate the log. */
const MAX_AUDIT_MB = 10_000

async function writeSecrets (dir: string): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  await writeFile(path.join(dir, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
  await writeFile(path.join(dir, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }))
  const users = TEST_USERS.map((user) =>
    `${user}-token,${user},${user}${BOUND_USERS.some((bound) => bound === user) ? '' : ',system:masters'}\n`)
  await writeFile(path.join(dir, 'tokens.csv'), `${ADMIN_TOKEN},admin,admin,system:masters\n${users.join('')}`)
}

export async function freePorts (count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(servers.map(async (server) => await listening(server)))
  await Promise.all(servers.map(async (server) => { await once(server.close(), 'close') }))
  return ports
}
