import { setTimeout as delay } from 'node:timers/promises'
import { isWrite } from '../cluster/audit-log.ts'
import type { AuditEvent, Cluster } from '../cluster/cluster.ts'
import { creator } from '../cluster/create-load.ts'
import { manifest } from '../builders/manifests.ts'
import { startReconciler, type ReconcilerProcess } from './product.ts'
import { eventually } from '../until.ts'

const LEASE = { namespace: 'aim-system', name: 'aim-admission-reconcile' } as const

export type ReplicaName = 'replica-a' | 'replica-b' | 'replica-c'

/** Reconcilers of one cluster, each with its own user, which the audit log names. */
export function reconcilersOf (cluster: Cluster, flags: readonly string[] = []) {
  const { client } = cluster
  const running = new Map<ReplicaName, ReconcilerProcess>()
  const create = creator(cluster)
  let pokes = 0
  /** Creates a service without a status. */
  const poke = async (): Promise<string> => {
    const name = `poke-${pokes++}`
    const failure = await create(manifest({ namespace: 'default', name }), 'default')
    if (failure !== undefined) throw new Error(failure)
    return name
  }
  const writes = async (): Promise<AuditEvent[]> => (await cluster.audited()).filter(isWrite)
  return {
    running,
    poke,
    writes,
    start: async (name: ReplicaName): Promise<ReconcilerProcess> => {
      const process = await startReconciler({ client, kubeconfig: await cluster.kubeconfigOf(name) }, flags)
      running.set(name, process)
      return process
    },
    stop: async (name: ReplicaName, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null | undefined> => {
      const process = running.get(name)
      running.delete(name)
      return await process?.stop(signal)
    },
    stopAll: async (): Promise<void> => {
      for (const process of running.values()) process.signal('SIGCONT')
      await Promise.all([...running.values()].map(async (process) => await process.stop('SIGKILL')))
    },
    /**
     * Creates a service. Resolves with the user that writes its status, and the time in milliseconds of the wall
     * clock; rejects after `limit` milliseconds without a write.
     */
    nextWrite: async (limit?: number): Promise<{ user: ReplicaName, at: number }> => {
      const name = await poke()
      return await eventually(async () => {
        const write = (await writes()).find(({ objectRef }) => objectRef?.name === name)
        if (write === undefined) await delay(50)
        // only replicas write
        return write === undefined
          ? undefined
          : { user: write.user.username as ReplicaName, at: Date.parse(write.requestReceivedTimestamp) }
      }, limit)
    }
  }
}

/** Manual changes of the Lease. */
export function leaseActions ({ client }: Pick<Cluster, 'client'>) {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${LEASE.namespace}/leases/${LEASE.name}`
  const patch = async (holder: string): Promise<void> => {
    await client.patch(path, { spec: { holderIdentity: holder } })
  }
  return {
    remove: async (): Promise<void> => { await client.remove(path) },
    steal: async (): Promise<void> => { await patch('thief') },
    empty: async (): Promise<void> => { await patch('') },
    read: async (jsonPath: string): Promise<string> => await client.values(path, jsonPath)
  }
}
