import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { accessOf } from './cluster-client.ts'
import type { Cluster } from './cluster.ts'
import { manifest } from '../builders/manifests.ts'

interface FailedCreate {
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

/**
 * Creates services at a fixed rate, whatever becomes of those before; what counts is whether the API server's client
 * was told that it is created.
 */
export async function createLoad (cluster: Pick<Cluster, 'kubeconfig'>, { namespace, count, rate }: Load): Promise<LoadResult> {
  const createOne = creator(cluster)
  const failed: FailedCreate[] = []
  const latencies: number[] = []
  const began = performance.now()
  const create = async (at: number): Promise<void> => {
    const due = at * 1_000 / rate
    await delay(Math.max(1, began + due - performance.now()))
    const why = await createOne(manifest({ namespace, name: `load-${at}` }), namespace)
    latencies.push(performance.now() - began - due)
    if (why !== undefined) failed.push({ due, why })
  }
  await Promise.all(Array.from({ length: count }, async (_, at) => { await create(at) }))
  return { created: count - failed.length, failed, latencies }
}

/** Creates services without kubectl, which takes a third of a second for each. Yields why one was not created. */
export function creator ({ kubeconfig }: Pick<Cluster, 'kubeconfig'>): (service: string, namespace: string) => Promise<string | undefined> {
  const { server, ca, token } = accessOf(kubeconfig)
  const dispatcher = new Agent({ connections: 64, connect: { ca } })
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return async (body, namespace) => {
    const url = `${server}/apis/aim.silogen.ai/v1alpha1/namespaces/${namespace}/aimservices`
    return await request(url, { method: 'POST', headers, dispatcher, body }).then(
      async ({ statusCode, body }) => statusCode === 201 ? (await body.dump(), undefined) : await body.text(), String)
  }
}
