// The pool of API servers of one test run: `node pool-process.ts SOCKET PID`. Each connection leases a server, and ends
// the lease when it closes. The process ends soon after the process PID.
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import path from 'node:path'
import { customResourceDefinitions } from '../../../src/api/custom-resource-definitions.ts'
import { KINDS } from '../../../src/api/kinds.ts'
import { API_VERSION } from '../../../src/api/meta.ts'
import { errorMessage } from '../../../src/platform/error-message.ts'
import { manifest } from '../builders/manifests.ts'
import { arePublished } from '../operator/install.ts'
import { installCrds } from '../programs/product.ts'
import { until } from '../until.ts'
import { clusterClient, type ClusterClient } from './cluster-client.ts'
import { startControlPlane, type ControlPlane, type ControlPlaneAddress } from './control-plane.ts'
import { rememberState } from './etcd-state.ts'
import type { PoolMessage } from './pool.ts'

interface PooledServer extends Pick<ControlPlane, 'pause' | 'resume'> {
  readonly address: ControlPlaneAddress
  /** Restores the state after the start. */
  readonly reset: () => Promise<void>
}

const [socketFile = '', pid = ''] = process.argv.slice(2)
const started: ControlPlane[] = []
/** Servers without a lease; each resolves once its state is restored and it is paused. */
const free: Array<Promise<PooledServer>> = []

async function startServer (): Promise<PooledServer> {
  const plane = await startControlPlane({ audit: true })
  started.push(plane)
  const client = clusterClient(path.join(plane.dir, 'kubeconfig'))
  await until(async () => (await Promise.all(SYSTEM_NAMESPACES.map(
    async (name) => await client.stored(`/api/v1/namespaces/${name}`)
  ))).every((namespace) => namespace !== undefined))
  await installCrds({ client })
  const definitions = customResourceDefinitions()
  await until(async () => await arePublished(client, definitions))
  const restore = await rememberState(plane.etcdUrl)
  const { dir, url, etcdUrl, pause, resume } = plane
  return {
    pause,
    resume,
    address: { dir, url, etcdUrl },
    reset: async () => {
      await until(async () => {
        await restore() // again, if the API server wrote meanwhile
        return await arePublished(client, definitions) && await isRestored(client)
      }, undefined, RESTORE_MS)
    }
  }
}

/** The API server creates them after it is ready. */
const SYSTEM_NAMESPACES = ['kube-system', 'kube-public', 'kube-node-lease', 'default']

/** How long the restored state may take to be served; then another server takes over, in milliseconds. */
const RESTORE_MS = 20_000

/** Whether the API server has the kinds again, and no webhook of the last lease. */
async function isRestored ({ dryRun }: ClusterClient): Promise<boolean> {
  const created = await Promise.all(KINDS.map(async ({ kind, plural, scope }) => {
    const collection = `/apis/${API_VERSION}/${scope === 'Cluster' ? '' : 'namespaces/default/'}${plural}`
    return await dryRun(collection, manifest({ kind, name: 'restored' }))
  }))
  return created.every(({ code }) => code === 201)
}

async function lease (socket: Socket): Promise<void> {
  const closed = once(socket, 'close')
  socket.on('error', () => {}) // a process that was killed closes its connection too
  socket.resume()
  const send = (message: PoolMessage): void => { socket.write(`${JSON.stringify(message)}\n`) }
  try {
    const server = await (free.pop() ?? startServer())
    server.resume()
    send(server.address)
    await closed
    const restored = server.reset().then(() => {
      server.pause()
      return server
    })
    free.push(restored.catch(startServer))
  } catch (error) {
    send({ error: errorMessage(error) })
    socket.end()
  }
}

/** Listens, unless another process of this pool does. */
async function listen (): Promise<void> {
  const server = createServer((socket) => { lease(socket).catch(console.error) })
  const tryListen = async (): Promise<boolean> =>
    await once(server.listen(socketFile), 'listening').then(() => true, () => false)
  if (await tryListen()) return
  const other = connect(socketFile)
  if (await once(other, 'connect').then(() => true, () => false)) process.exit()
  await rm(socketFile, { force: true }) // of a process that was killed
  if (!await tryListen()) process.exit(1)
}

function hasEnded (processId: number): boolean {
  try {
    return !process.kill(processId, 0)
  } catch {
    return true
  }
}

await listen()
setInterval(() => {
  if (!hasEnded(Number(pid))) return
  Promise.allSettled(started.map(async (plane) => { await plane.stop() }))
    .then(async () => { await rm(path.dirname(socketFile), { recursive: true, force: true }) })
    .then(() => process.exit(), () => process.exit(1))
}, 500)
