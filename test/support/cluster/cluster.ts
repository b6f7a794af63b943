import { createReadStream } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { clusterClient, type ClusterClient } from './cluster-client.ts'
import {
  AUDIT_LOG, kubeconfigFor, startControlPlane, type ControlPlaneAddress, type ControlPlaneOptions, type TestUser
} from './control-plane.ts'
import { leaseControlPlane } from './pool.ts'
import { run, type Ran } from '../processes.ts'

/** One request, as the audit log has it after the response. Source: audit.k8s.io/v1, Event. */
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
  /** Times of the request and of the response: RFC 3339 with six fractional digits, so that they compare as text. */
  readonly requestReceivedTimestamp: string
  readonly stageTimestamp: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** A real kube-apiserver and etcd that one test file uses alone. */
export type Cluster = Awaited<ReturnType<typeof clusterOver>>

/**
 * Leases an API server from the pool of the test run: it has the CRDs of the product, an audit log, and nothing that
 * another file left. Outside of `tap` it starts a server.
 */
export async function startCluster (): Promise<Cluster> {
  if (process.env['TAP'] !== '1') return await startOwnCluster({ audit: true })
  const lease = await leaseControlPlane()
  const dir = await mkdtemp(path.join(tmpdir(), 'aim-admission-lease-'))
  return await clusterOver(lease.address, dir, async () => {
    lease.release()
    await rm(dir, { recursive: true, force: true })
  })
}

/** Starts an API server without CRDs, for tests that configure, break or restart it. */
export async function startOwnCluster (options: ControlPlaneOptions = {}) {
  const plane = await startControlPlane(options)
  const { startApiServer, killApiServer, pauseEtcd, resumeEtcd } = plane
  return {
    ...await clusterOver(plane, plane.dir, async () => { await plane.stop() }),
    startApiServer,
    killApiServer,
    pauseEtcd,
    resumeEtcd
  }
}

/** What the API server, or the kubectl beside it, has since a minor version of Kubernetes 1. */
const SINCE = { 'streamed lists': 34, 'kubectl apply --subresource': 32 } as const

/** Why a test is skipped that needs it, if this cluster is older: for the option `skip` of the test. */
export async function needs ({ client }: Cluster, feature: keyof typeof SINCE): Promise<string | false> {
  const minor = await minorVersion(client)
  return minor < SINCE[feature] && `Kubernetes 1.${minor} lacks ${feature}: needs 1.${SINCE[feature]}`
}

/** The minor version of the API server. */
export async function minorVersion (client: ClusterClient): Promise<number> {
  return Number.parseInt((await client.stored<{ minor: string }>('/version'))?.minor ?? '', 10)
}

/** `dir` is the folder of the test's own files. */
async function clusterOver (plane: ControlPlaneAddress, dir: string, release: () => Promise<void>) {
  const kubeconfig = path.join(dir, 'kubeconfig')
  await writeFile(kubeconfig, kubeconfigFor(plane.dir, plane.url))
  const client = clusterClient(kubeconfig)
  const auditFile = path.join(plane.dir, AUDIT_LOG)
  const auditedBefore = (await stat(auditFile).catch(() => undefined))?.size ?? 0
  return {
    dir,
    url: plane.url,
    kubeconfig,
    kubectl: async (args: readonly string[], stdin?: string): Promise<Ran> => {
      const flags = ['--kubeconfig', kubeconfig, '--cache-dir', path.join(plane.dir, 'kubectl-cache')]
      return await run('kubectl', [...flags, ...args], { env: { HOME: dir }, stdin })
    },
    client,
    /** A kubeconfig of another user, which the audit log names; through a proxy if one is given. */
    kubeconfigOf: async (user: TestUser, server: string = plane.url): Promise<string> => {
      const file = path.join(dir, `kubeconfig-${user}`)
      await writeFile(file, kubeconfigFor(plane.dir, server, user))
      return file
    },
    /** The audit log since the start of this cluster, as text. */
    auditLog: async (): Promise<string> => await text(createReadStream(auditFile, { start: auditedBefore })),
    /** The events of the audit log since the start of this cluster, latest last. */
    audited: auditReader(auditFile, auditedBefore),
    stop: async () => {
      await client.close()
      await release()
    }
  }
}

/** Reads the events of a growing audit log; each call reads only what is new. */
function auditReader (file: string, start: number): () => Promise<AuditEvent[]> {
  const events: AuditEvent[] = []
  let [offset, rest] = [start, '']
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
