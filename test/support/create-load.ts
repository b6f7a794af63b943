import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { Cluster } from './cluster.ts'
import { manifest } from './manifests.ts'

export interface FailedCreate {
  /** When it was due, in milliseconds since the load began. */
  readonly due: number
  /** What the API server said. */
  readonly why: string
}

export interface LoadResult {
  readonly created: number
  readonly failed: readonly FailedCreate[]
  /** Of each create, in milliseconds since it was due, so that a stall is not hidden. */
  readonly latencies: readonly number[]
}

export interface Load {
  readonly namespace: string
  readonly count: number
  /** Creates a second. */
  readonly rate: number
}

/** Creates services at a fixed rate, whatever becomes of those before; what counts is whether the API server's client was told that it is created. */
export async function createLoad ({ kubeconfig }: Cluster, { namespace, count, rate }: Load): Promise<LoadResult> {
  const { server, ca, token } = accessOf(kubeconfig)
  const dispatcher = new Agent({ connections: 64, connect: { ca } })
  const url = `${server}/apis/aim.silogen.ai/v1alpha1/namespaces/${namespace}/aimservices`
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const failed: FailedCreate[] = []
  const latencies: number[] = []
  const began = performance.now()
  const create = async (at: number): Promise<void> => {
    const due = at * 1_000 / rate
    await delay(Math.max(1, began + due - performance.now()))
    const why = await request(url, { method: 'POST', headers, dispatcher, body: manifest({ namespace, name: `load-${at}` }) }).then(
      async ({ statusCode, body }) => statusCode === 201 ? (await body.dump(), undefined) : await body.text(), String)
    latencies.push(performance.now() - began - due)
    if (why !== undefined) failed.push({ due, why })
  }
  await Promise.all(Array.from({ length: count }, async (_, at) => { await create(at) }))
  await dispatcher.close()
  return { created: count - failed.length, failed, latencies }
}

/** How to reach a test cluster without a client of Kubernetes. */
export function accessOf (kubeconfig: string): { server: string, ca: string, token: string } {
  const { clusters, users } = JSON.parse(readFileSync(kubeconfig, 'utf8')) as // as the test cluster writes it
    { clusters: [{ cluster: { server: string, 'certificate-authority': string } }], users: [{ user: { token: string } }] }
  const [{ cluster }] = clusters
  return { server: cluster.server, ca: readFileSync(cluster['certificate-authority'], 'utf8'), token: users[0].user.token }
}
