import { setTimeout as delay } from 'node:timers/promises'
import { isWrite } from '../cluster/audit-log.ts'
import type { AuditEvent, Cluster } from '../cluster/cluster.ts'
import { creator } from '../cluster/create-load.ts'
import { manifest } from '../builders/manifests.ts'
import { startReconciler, type ReconcilerProcess } from './product.ts'
import { eventually } from '../until.ts'

const LEASE = { namespace: 'aim-system', name: 'aim-admission-reconcile' } as const

export type ReplicaName = 'replica-a' | 'replica-b' | 'replica-c'

/** Reconcilers of one cluster, each a user of its own, so that the audit log tells them apart. */
export function reconcilersOf (cluster: Cluster, flags: readonly string[] = []) {
  const { client } = cluster
  const running = new Map<ReplicaName, ReconcilerProcess>()
  const create = creator(cluster)
  let pokes = 0
  /** Makes a service whose status has yet to be written. */
  const poke = async (): Promise<string> => {
    const name = `poke-${pokes++}`
    const why = await create(manifest({ namespace: 'default', name }), 'default')
    if (why !== undefined) throw new Error(why)
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
     * Who wrote the status of a service that is made now, and when, in milliseconds of the wall clock; rejects where
     * nobody has after `limit` ms.
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

/** Ways to take the Lease from its leader by hand. */
export function leaseActions ({ kubectl, client }: Pick<Cluster, 'kubectl' | 'client'>) {
  const lease = ['-n', LEASE.namespace, 'lease', LEASE.name] as const
  const patch = async (holder: string): Promise<void> => {
    await kubectl(['patch', ...lease, '--type=merge', '-p', JSON.stringify({ spec: { holderIdentity: holder } })])
  }
  return {
    remove: async (): Promise<void> => { await kubectl(['delete', ...lease]) },
    steal: async (): Promise<void> => { await patch('thief') },
    empty: async (): Promise<void> => { await patch('') },
    read: async (jsonPath: string): Promise<string> =>
      await client.values(`/apis/coordination.k8s.io/v1/namespaces/${LEASE.namespace}/leases/${LEASE.name}`, jsonPath)
  }
}
