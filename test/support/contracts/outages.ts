import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import type { RuntimeConfigKind } from '../../../src/api/runtime-config.ts'
import { isHousekeeping } from '../cluster/audit-log.ts'
import { CLUSTER_CONFIGS, inNamespace } from '../cluster/cluster-client.ts'
import { startOwnCluster, type Cluster } from '../cluster/cluster.ts'
import { manifest, routed } from '../builders/manifests.ts'
import { startProduct, startReconciler } from '../programs/product.ts'
import { reviewLoad } from '../http/review-load.ts'
import { startTcpProxy } from '../fakes/tcp-proxy.ts'
import { until } from '../until.ts'

/** The extent of the outages, by the time that a suite has. */
export interface Outages {
  readonly services: number
  /** How long no request may be sent while nothing changes, in milliseconds. */
  readonly quietMs: number
  readonly etcdPauseMs: number
  /** How often all connections are cut. */
  readonly cuts: number
  readonly apiServerKills: number
}

const CONCURRENCY = 2
/** For three watches, the writes of the rollout, and the Lease. */
const CONNECTIONS = 3 + CONCURRENCY + 1

/**
 * Outages of the API server, etcd and connections, and the recovery that the server and the reconciler must show. The
 * reconciler connects through a proxy.
 */
export async function outages (
  t: Test, { services, quietMs, etcdPauseMs, cuts, apiServerKills }: Outages
): Promise<void> {
  const cluster = await startOwnCluster({ audit: true })
  const product = await startProduct(cluster)
  const proxy = await startTcpProxy(cluster.url)
  const reconciler = await startReconciler(
    { client: cluster.client, kubeconfig: await cluster.kubeconfigOf('replica-a', proxy.url) },
    ['--admission-probe-interval', '0s', '--rollout-concurrency', String(CONCURRENCY)]
  )
  t.teardown(async () => {
    await reconciler.stop('SIGKILL')
    await proxy.stop()
    await product.stop('SIGKILL')
    await cluster.stop()
  })
  const many = probesOf(cluster, { namespace: 'default', config: { kind: 'AIMClusterRuntimeConfig', name: 'default' } })
  const config = { kind: 'AIMRuntimeConfig', namespace: 'few', name: 'default' } as const
  const few = probesOf(cluster, { namespace: 'few', config })
  const limit = 60_000 + services * MS_PER_SERVICE
  let version = 0
  /** Waits until a change has reached every service. Returns how long that took, in milliseconds. */
  const rollOut = async ({ applyConfig, isRolledOut }: Probes): Promise<number> => {
    const template = await applyConfig(++version)
    const from = performance.now()
    try {
      await until(async () => await isRolledOut(template), undefined, limit)
    } catch (error) {
      t.comment(await cluster.client.values(`${CLUSTER_CONFIGS}/default`, '.status'), reconciler.lines.slice(-30))
      throw error
    }
    return performance.now() - from
  }
  /** After an outage, no change is lost, and new changes reach every service. */
  const recovers = async (t: Test): Promise<void> => {
    t.comment(`a change reached all ${FEW} services after ${Math.round(await rollOut(few))} ms`)
  }

  t.test('settled services cause no requests except for the lease and the watches', async (t) => {
    await cluster.client.create('/api/v1/namespaces', { metadata: { name: 'few' } })
    for (const [{ applyConfig, addServices }, count] of [[many, services], [few, FEW]] as const) {
      await applyConfig(0)
      for (let from = 0; from < count; from += 100) await addServices(from, Math.min(100, count - from))
    }
    await until(async () => await many.statusesFor() === services, undefined, limit)
    await many.settled()
    const before = (await cluster.audited()).length
    await delay(quietMs)
    const sent = (await cluster.audited()).slice(before).filter(({ user }) => user.username === 'replica-a')
    t.ok(sent.length > 0)
    t.strictSame(
      sent.filter((entry) => !isHousekeeping(entry)).map(({ verb, requestURI }) => `${verb} ${requestURI}`),
      []
    )
  })

  t.test(`no change is lost while all connections are cut ${cuts} times`, async (t) => {
    const descriptors = await openFiles(reconciler.pid)
    for (let time = 0; time < cuts; time++) {
      proxy.cut()
      if (time % 10 === 5) await few.applyConfig(++version)
      await delay(100)
    }
    await recovers(t)
    t.ok(proxy.count().most <= CONNECTIONS, `${proxy.count().most} connections at most`)
    t.ok(await openFiles(reconciler.pid) <= descriptors + CONNECTIONS, 'no file descriptor leaks')
  })

  t.test('recovers from kills of the API server', async (t) => {
    for (let time = 0; time < apiServerKills; time++) {
      await cluster.killApiServer()
      await delay(2_000)
      await cluster.startApiServer()
      await recovers(t)
    }
    t.ok(proxy.count().most <= CONNECTIONS, `${proxy.count().most} connections at most`)
  })

  t.test('reviews succeed while etcd is suspended, and the reconciler recovers', async (t) => {
    const reviews = reviewLoad({ url: product.url, ca: await readFile(product.caFile, 'utf8'), rate: 20 })
    cluster.pauseEtcd()
    await delay(etcdPauseMs)
    cluster.resumeEtcd()
    const { sent, failed, latencies } = await reviews.end()
    t.strictSame(
      failed,
      [],
      `${sent} reviews, p99 ${(latencies[Math.floor(0.99 * (latencies.length - 1))] ?? 0).toFixed(1)} ms`
    )
    if (etcdPauseMs > 10_000) {
      const terms = reconciler.entries.filter(({ msg }) => /^(became leader|stepped down as leader)$/.test(msg))
      t.ok(terms.length >= 2, 'the leader stepped down')
    }
    await recovers(t)
  })

  t.test('reports the deletion of a configuration on every service, and recovers when it returns', async (t) => {
    await cluster.client.remove(`${CLUSTER_CONFIGS}/default`)
    await until(async () => await many.statusesFor('RuntimeConfigMissing') === services, undefined, limit)
    t.ok(await rollOut(many) > 0)
  })

  t.test('both processes are still running', async (t) => {
    for (const { pid } of [product, reconciler]) t.doesNotThrow(() => process.kill(pid, 0))
    t.notOk(reconciler.entries.some(({ msg }) => msg.includes('defect')))
  })
}

/** The services that show a recovery: so few that their rollout takes no time. */
const FEW = 20
const MS_PER_SERVICE = 60

type Probes = ReturnType<typeof probesOf>

function probesOf (
  cluster: Cluster,
  { namespace, config }: { namespace: string, config: { kind: RuntimeConfigKind, namespace?: string, name: string } }
) {
  // empty while the API server is down
  const values = async (path: string, jsonPath: string): Promise<string> =>
    await cluster.client.values(path, jsonPath).catch(() => '')
  const succeeds = async (...manifests: string[]): Promise<void> => {
    await until(async () => await cluster.client.apply(...manifests).then(() => true, () => false))
  }
  const read = async (jsonPath: string): Promise<string[]> =>
    (await values(inNamespace(namespace).services, jsonPath)).split(' ').filter((word) => word !== '')
  const statusesFor = async (reason = 'Resolved'): Promise<number> => {
    const reasons = await read('.items[*].status.conditions[?(@.type=="RuntimeConfigResolved")].reason')
    return reasons.filter((found) => found === reason).length
  }
  return {
    statusesFor,
    addServices: async (from: number, count: number): Promise<void> => {
      await succeeds(...Array.from({ length: count }, (_, index) => manifest({ namespace, name: `s-${from + index}` })))
    },
    /** Returns the start of the paths under it. */
    applyConfig: async (version: number): Promise<string> => {
      await succeeds(manifest({ ...config, spec: routed(`/${namespace}/v${version}/{.metadata.name}`) }))
      return `/${namespace}/v${version}/`
    },
    /** Whether the path of every block and of every status starts so. */
    isRolledOut: async (start: string): Promise<boolean> => {
      const [blocks, statuses] = [
        await read('.items[*].spec.resolvedRuntimeConfig.routing.path'),
        await read('.items[*].status.routing.path')
      ]
      return (
        statuses.length > 0 &&
        blocks.length === statuses.length &&
        [...blocks, ...statuses].every((path) => path.startsWith(start))
      )
    },
    /** Waits until no object changes, events included. */
    settled: async (): Promise<void> => {
      for (let last = ''; ;) {
        const versions = (await read('.items[*].metadata.resourceVersion')).join()
        const others = await Promise.all(['events.k8s.io/v1/events', 'aim.silogen.ai/v1alpha1/aimclusterruntimeconfigs']
          .map(async (path) => await values(`/apis/${path}`, '.items[*].metadata.resourceVersion')))
        const now = [versions, ...others].join()
        if (last === now) return
        last = now
        await delay(2_000)
      }
    }
  }
}

async function openFiles (pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length
}
