import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { accessOf } from './cluster-client.ts'
import type { Cluster } from './cluster.ts'
import { manifest } from '../builders/manifests.ts'

interface FailedCreate {
  /** Scheduled time, in milliseconds since the start of the load. */
  readonly due: number
  /** The error, or the response of the API server. */
  readonly reason: string
}

export interface LoadResult {
  readonly created: number
  readonly failed: readonly FailedCreate[]
  /** Per create, in milliseconds since its scheduled time, so that a stall is visible. */
  readonly latencies: readonly number[]
}

export interface Load {
  readonly namespace: string
  readonly count: number
  /** Creates per second. */
  readonly rate: number
}

/** Creates services at a fixed rate, without waiting for earlier ones. */
export async function createLoad (
  cluster: Pick<Cluster, 'kubeconfig'>, { namespace, count, rate }: Load
): Promise<LoadResult> {
  const createOne = creator(cluster)
  const failed: FailedCreate[] = []
  const latencies: number[] = []
  const began = performance.now()
  const create = async (at: number): Promise<void> => {
    const due = at * 1_000 / rate
    await delay(Math.max(1, began + due - performance.now()))
    const reason = await createOne(manifest({ namespace, name: `load-${at}` }), namespace)
    latencies.push(performance.now() - began - due)
    if (reason !== undefined) failed.push({ due, reason })
  }
  await Promise.all(Array.from({ length: count }, async (_, at) => { await create(at) }))
  return { created: count - failed.length, failed, latencies }
}

type Create = (service: string, namespace: string) => Promise<string | undefined>

/** Creates services through up to 64 connections; each call resolves with the error, if there is one. */
export function creator ({ kubeconfig }: Pick<Cluster, 'kubeconfig'>): Create {
  const { server, ca, token } = accessOf(kubeconfig)
  const dispatcher = new Agent({ connections: 64, connect: { ca } })
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return async (body, namespace) => {
    const url = `${server}/apis/aim.silogen.ai/v1alpha1/namespaces/${namespace}/aimservices`
    return await request(url, { method: 'POST', headers, dispatcher, body }).then(
      async ({ statusCode, body }) => statusCode === 201 ? (await body.dump(), undefined) : await body.text(), String)
  }
}
