import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { kubernetesBinaries } from './kubernetes-binaries.ts'

export interface Ran { readonly code: number, readonly stdout: string, readonly stderr: string }

/** A real kube-apiserver and etcd of the test's own. */
export type Cluster = Awaited<ReturnType<typeof startCluster>>

/** Starts both on free ports of 127.0.0.1 in a temporary folder, and waits until the API server is ready. */
export async function startCluster () {
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
  let api: ChildProcess | undefined
  const startApiServer = async (): Promise<void> => {
    api = run(kubeApiserver, [
      `--etcd-servers=${etcdUrl}`, `--cert-dir=${path.join(dir, 'certs')}`, '--bind-address=127.0.0.1', `--secure-port=${apiPort}`,
      '--service-cluster-ip-range=10.0.0.0/24', '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${path.join(dir, 'sa.pub')}`, `--service-account-signing-key-file=${path.join(dir, 'sa.key')}`,
      `--token-auth-file=${path.join(dir, 'tokens.csv')}`, '--authorization-mode=RBAC', '--disable-admission-plugins=ServiceAccount', '--profiling=false'
    ])
    await ready(kubectl)
  }
  await writeFile(kubeconfig, kubeconfigFor(url, path.join(dir, 'certs/apiserver.crt')))
  await startApiServer()
  return {
    dir,
    url,
    kubeconfig,
    kubectl,
    startApiServer,
    /** Ends the API server without notice; its data stays. */
    killApiServer: async () => { await end(api, 'SIGKILL') },
    pauseEtcd: () => { etcd.kill('SIGSTOP') },
    resumeEtcd: () => { etcd.kill('SIGCONT') },
    stop: async () => {
      await end(api, 'SIGTERM')
      await end(etcd, 'SIGKILL')
      await rm(dir, { recursive: true, force: true })
    }
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

async function ready (kubectl: Kubectl): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const { code } = await kubectl(['get', '--raw', '/readyz', '--request-timeout=2s'])
    if (code === 0) return
    await delay(100)
  }
  throw new Error('the API server did not become ready')
}

export type Kubectl = (args: readonly string[], stdin?: string) => Promise<Ran>

function kubectlOf (dir: string, kubeconfig: string): Kubectl {
  return async (args, stdin) => {
    const child = spawn('kubectl', ['--kubeconfig', kubeconfig, '--cache-dir', path.join(dir, 'cache'), ...args], { env: { ...process.env, HOME: dir } })
    child.stdin.end(stdin)
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    return { code: child.exitCode ?? 1, stdout, stderr }
  }
}

const TOKEN = 'admin-token'

async function writeSecrets (dir: string): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  await writeFile(path.join(dir, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
  await writeFile(path.join(dir, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }))
  await writeFile(path.join(dir, 'tokens.csv'), `${TOKEN},admin,admin,system:masters\n`)
}

/** JSON is YAML. */
function kubeconfigFor (server: string, caFile: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: 'admin', user: { token: TOKEN } }]
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
