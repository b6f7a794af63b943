import type { Cluster } from '../cluster/cluster.ts'
import { addressesOf, installCrds, register, writePair } from './product.ts'
import { startProgram, type Program } from './program.ts'
import { startServiceProxy, type ServiceProxyOptions } from './service-proxy.ts'
import { until } from '../until.ts'

export interface Replica extends Program {
  readonly probeUrl: string
  /** Whether it receives new connections. */
  readonly isListed: () => boolean
  /** Removes its endpoint, as the deletion of a pod does. */
  readonly remove: () => void
}

export interface ReplicasOptions extends ServiceProxyOptions {
  readonly count?: number
  readonly flags?: readonly string[]
  /** Whether they serve a pair from files, or manage certificates in a Secret of `aim-system`. */
  readonly certificates?: 'given' | 'managed'
}

/** Starts several servers behind one registered address. */
export async function startReplicas (
  cluster: Cluster, { count = 2, flags = [], certificates = 'given', ...options }: ReplicasOptions = {}
) {
  const { dir, kubeconfig, client } = cluster
  const { caFile, certFile, keyFile, keyPem } = await writePair(dir, 'service')
  const pairFlags = certificates === 'given'
    ? ['--cert-file', certFile, '--key-file', keyFile]
    : ['--cert-name', '127.0.0.1', '--rotation-wait', '2']
  await installCrds(cluster)
  const proxy = await startServiceProxy(options)
  const all: Program[] = []
  const running: Replica[] = []
  const start = async (more: readonly string[] = []): Promise<Replica> => {
    const program = startProgram(
      ['serve', '--kubeconfig', kubeconfig, '--port', '0', '--probe-port', '0', ...pairFlags, ...flags, ...more])
    all.push(program)
    const address = await addressesOf(program)
    const replica = { ...program, probeUrl: address.probeUrl, ...proxy.add(address) }
    running.push(replica)
    return replica
  }
  const listed = async (replica: Replica): Promise<void> => { await until(() => replica.isListed()) }
  await Promise.all(Array.from({ length: count }, async () => { await listed(await start()) }))
  await register(client, proxy.url, caFile)
  return {
    url: proxy.url,
    /** PEM of the key of the given pair. */
    keyPem,
    /** Includes stopped replicas. */
    all: all as readonly Program[],
    running,
    start,
    /**
     * Replaces each replica, the new one first, as a Deployment with maxUnavailable 0 does. Returns the future exit
     * codes of the old replicas.
     */
    roll: async (): Promise<Array<Promise<number | null>>> => {
      const codes: Array<Promise<number | null>> = []
      for (const old of running.splice(0)) {
        await listed(await start())
        codes.push(old.stop().finally(() => { old.remove() }))
      }
      return codes
    },
    stop: async () => {
      await Promise.all(all.map(async (program) => await program.stop('SIGKILL')))
      await proxy.close()
    }
  }
}
