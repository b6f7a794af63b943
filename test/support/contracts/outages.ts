import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import type { RuntimeConfigKind } from '../../../src/api/runtime-config.ts'
import { isHousekeeping } from '../cluster/audit-log.ts'
import { startCluster, type Cluster } from '../cluster/cluster.ts'
import { actionsOf, manifest, routed } from '../builders/manifests.ts'
import { startProduct, startReconciler } from '../programs/product.ts'
import { reviewLoad } from '../http/review-load.ts'
import { startTcpProxy } from '../fakes/tcp-proxy.ts'

/** How much of everything a suite has the time for. */
export interface Outages {
  readonly services: number
  /** How long nothing is to be sent while nothing changes, in milliseconds. */
  readonly quietMs: number
  readonly etcdPauseMs: number
  /** How often every connection is cut. */
  readonly cuts: number
  readonly apiServerKills: number
}

/**
 * What the server and the reconciler are put through, and how they have to come out of it; each is reached through a
 * proxy of its own.
 */
export async function outages (
  t: Test, { services, quietMs, etcdPauseMs, cuts, apiServerKills }: Outages
): Promise<void> {
  const cluster = await startCluster({ audit: true })
  const product = await startProduct(cluster)
  const proxy = await startTcpProxy(cluster.url)
  const reconciler = await startReconciler(
    { client: cluster.client, kubeconfig: await cluster.kubeconfigOf('replica-a', proxy.url) },
    ['--admission-probe-interval', '0s']
  )
  t.teardown(async () => {
    await reconciler.stop('SIGKILL')
    await proxy.stop()
    await product.stop('SIGKILL')
    await cluster.stop()
  })
  const many = probesOf(cluster, { namespace: 'default', config: { kind: 'AIMClusterRuntimeConfig', name: 'default' } })
  const few = probesOf(cluster, {
    namespace: 'few',
    config: { kind: 'AIMRuntimeConfig', namespace: 'few', name: 'default' }
  })
  let version = 0
  /** A change that has to reach every service; milliseconds until it had. */
  const carried = async ({ applyConfig, isCarried }: Probes): Promise<number> => {
    const template = await applyConfig(++version)
    const from = performance.now()
    try {
      await patiently(async () => await isCarried(template), LIMIT_MS + services * MS_PER_SERVICE)
    } catch (error) {
      const { stdout } = await cluster.kubectl([
        'get',
        'aimclusterruntimeconfig',
        'default',
        '-o',
        'jsonpath={.status}'
      ])
      t.comment(stdout, reconciler.lines.slice(-30))
      throw error
    }
    return performance.now() - from
  }
  /** What has changed since the trouble ended is nowhere old for long, and what has changed before is not lost. */
  const recovers = async (t: Test): Promise<void> => {
    const took = await carried(few)
    t.ok(took < RECOVERY_MS, `a change was in all ${FEW} services after ${Math.round(took)} ms`)
  }

  t.test('services come to rest, and then nothing is sent but for the lease and the watches', async (t) => {
    await cluster.kubectl(['create', 'namespace', 'few'])
    for (const [{ applyConfig, addServices }, count] of [[many, services], [few, FEW]] as const) {
      await applyConfig(0)
      for (let from = 0; from < count; from += 100) await addServices(from, Math.min(100, count - from))
    }
    await patiently(async () => await many.statusesFor() === services, LIMIT_MS + services * MS_PER_SERVICE)
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

  t.test(`nothing is lost or old while every connection is cut ${cuts} times`, async (t) => {
    const descriptors = await openFiles(reconciler.pid)
    for (let time = 0; time < cuts; time++) {
      proxy.cut()
      if (time % 10 === 5) await few.applyConfig(++version)
      await delay(100)
    }
    await recovers(t)
    t.ok(proxy.count().most <= 6, `${proxy.count().most} connections at most`)
    t.ok(await openFiles(reconciler.pid) <= descriptors + 6, 'no descriptor is left behind')
  })

  t.test('an API server that is killed and comes back is followed', async (t) => {
    for (let time = 0; time < apiServerKills; time++) {
      await cluster.killApiServer()
      await delay(2_000)
      await cluster.startApiServer()
      await recovers(t)
    }
    t.ok(proxy.count().most <= 6, `${proxy.count().most} connections at most`)
  })

  t.test(`etcd that stands still for ${etcdPauseMs / 1_000} s costs the lease, and nothing else: reviews are answered meanwhile`, async (t) => {
    const from = performance.now()
    const reviews = reviewLoad({ url: product.url, ca: await readFile(product.caFile, 'utf8'), rate: 20 })
    cluster.pauseEtcd()
    await delay(etcdPauseMs)
    cluster.resumeEtcd()
    t.ok(performance.now() - from >= etcdPauseMs)
    const { sent, failed, latencies } = await reviews.end()
    t.strictSame(
      failed,
      [],
      `${sent} reviews, p99 ${(latencies[Math.floor(0.99 * (latencies.length - 1))] ?? 0).toFixed(1)} ms`
    )
    if (etcdPauseMs > 10_000) {
      const terms = reconciler.entries.filter(
        ({ msg }) => msg === 'this replica leads' || msg === 'this replica no longer leads'
      )
      t.ok(terms.length >= 2, 'it stepped down')
    }
    await recovers(t)
  })

  t.test('a configuration that is deleted leaves every service told of it, and one that comes back heals them', async (t) => {
    await cluster.kubectl(['delete', 'aimclusterruntimeconfig', 'default'])
    await patiently(
      async () => (await many.statusesFor('RuntimeConfigMissing')) === services,
      LIMIT_MS + services * MS_PER_SERVICE
    )
    t.ok(await carried(many) > 0)
  })

  t.test('neither process has ended', async (t) => {
    for (const { pid } of [product, reconciler]) t.doesNotThrow(() => process.kill(pid, 0))
    t.notOk(reconciler.entries.some(({ msg }) => msg.includes('defect')))
  })
}

/** The services whose recovery is timed: so few that carrying a change to them takes no time of its own. */
const FEW = 20
/** In milliseconds: 5 s, and what a busy machine takes to look. */
const RECOVERY_MS = 10_000
const LIMIT_MS = 60_000
const MS_PER_SERVICE = 60

type Probes = ReturnType<typeof probesOf>

function probesOf (
  cluster: Cluster,
  { namespace, config }: { namespace: string, config: { kind: RuntimeConfigKind, namespace?: string, name: string } }
) {
  const { apply } = actionsOf(cluster)
  // while no API server is there
  const values = async (path: string, jsonPath: string): Promise<string> =>
    await cluster.client.values(path, jsonPath).catch(() => '')
  const succeeds = async (...manifests: string[]): Promise<void> => {
    await patiently(async () => (await apply(...manifests)).code === 0)
  }
  const read = async (jsonPath: string): Promise<string[]> =>
    (
      await values(`/apis/aim.silogen.ai/v1alpha1/namespaces/${namespace}/aimservices`, jsonPath)
    ).split(' ').filter((word) => word !== '')
  const statusesFor = async (reason = 'Resolved'): Promise<number> =>
    (
      await read('.items[*].status.conditions[?(@.type=="RuntimeConfigResolved")].reason')
    ).filter((found) => found === reason).length
  return {
    statusesFor,
    addServices: async (from: number, count: number): Promise<void> => {
      await succeeds(...Array.from({ length: count }, (_, index) => manifest({ namespace, name: `s-${from + index}` })))
    },
    /** Answers with the paths' first segment under it. */
    applyConfig: async (version: number): Promise<string> => {
      await succeeds(manifest({ ...config, spec: routed(`/${namespace}/v${version}/{.metadata.name}`) }))
      return `/${namespace}/v${version}/`
    },
    /** Whether every service and every status has it. */
    isCarried: async (start: string): Promise<boolean> => {
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
    /** Until no object changes any more, events included. */
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

/** Looks now and then until something holds. */
async function patiently (look: () => Promise<boolean>, limitMs = LIMIT_MS): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!await look()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${look.toString()}`)
    await delay(200)
  }
}

async function openFiles (pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length
}
