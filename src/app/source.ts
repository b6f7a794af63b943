import type { AdmissionEngine } from '../../webhooks/engine.ts'
import { AIM_CLUSTER_RUNTIME_CONFIG, AIM_RUNTIME_CONFIG, AIM_SERVICE, KINDS, type Kind } from '../api/kinds.ts'
import type { ConfigIndex } from '../cache/config-index.ts'
import type { ServiceIndex } from '../cache/service-index.ts'
import type { Log, ObjectSink } from '../core/ports.ts'
import { connectToCluster, type ApiConnection } from '../kube/client/api-connection.ts'
import { ClusterCaches } from '../kube/watch/cluster-caches.ts'
import { systemClock } from '../platform/clock.ts'
import type { ServedDefinitions } from '../kube/watch/served-definitions.ts'
import type { CacheMetrics } from '../telemetry/metrics.ts'

/** Fills the caches, and keeps them up to date. */
export interface Source {
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
  /** Why the caches are not filled yet; undefined if they are. */
  readonly notReadyReason: () => string | undefined
}

interface Telemetry { readonly metrics: CacheMetrics, readonly log: Log }

export interface ClusterSourceOptions extends Telemetry {
  readonly connection: ApiConnection
  readonly definitions: ServedDefinitions
  readonly sinks: Readonly<Record<Kind['kind'], ObjectSink>>
  /** Called once, when every cache is filled. */
  readonly onSynced: () => void
}

/** A connection whose requests are counted. `inFlight`: how many writes the reconciler sends at once. */
export async function countedConnection ({ kubeconfig, inFlight, metrics, log }: Telemetry & {
  readonly kubeconfig: string | undefined
  readonly inFlight: number | undefined
}): Promise<ApiConnection> {
  return await connectToCluster({
    kubeconfig,
    inFlight: inFlight && Math.max(2, inFlight),
    log,
    onRequest: (method, code) => { metrics.clientRequests.inc({ method, code }) }
  })
}

/** The objects of a cluster, by list and watch. */
export function clusterSource ({
  connection, definitions, sinks, metrics, log, onSynced
}: ClusterSourceOptions): Source {
  for (const { kind } of KINDS) {
    metrics.cacheSynced.set({ kind }, 0)
    metrics.watchRestarts.inc({ kind }, 0) // makes the first restart an increase
  }
  const caches = new ClusterCaches({
    request: connection.request,
    sinks,
    clock: systemClock,
    log,
    observe: (kind) => ({
      onSynced: () => {
        metrics.cacheSynced.set({ kind }, 1)
        if (!caches.synced) return
        collectGarbage()
        onSynced()
      },
      onRestart: () => { metrics.watchRestarts.inc({ kind }) },
      onFailedObject: (key) => { log.warn({ kind, ...key }, 'skipped unreadable object') }
    })
  })
  Object.assign(metrics.cacheAge, {
    collect: () => {
      for (const { kind, ageSeconds } of caches.ages()) metrics.cacheAge.set({ kind }, ageSeconds)
    }
  })
  return {
    start: async () => { definitions.start(() => { caches.start() }) },
    stop: async () => { await Promise.all([definitions.stop(), caches.stop()]) },
    notReadyReason: () => caches.synced ? undefined : caches.unsynced().join('; ')
  }
}

/** The objects of a folder of manifests. */
export async function folderSource (
  folder: string, { engine, metrics, log }: Telemetry & { readonly engine: AdmissionEngine }
): Promise<Source> {
  const [{ AdmittedServices }, { ManifestStore }] = await Promise.all([
    import('../offline/admitted-services.ts'),
    import('../offline/manifest-store.ts')
  ])
  const sinks = { ...engine.sinks, AIMService: new AdmittedServices(engine) }
  const store = new ManifestStore({ folder, sinks, log })
  let loaded = false
  return {
    start: async () => {
      await store.start()
      loaded = true
      for (const { kind } of KINDS) metrics.cacheSynced.set({ kind }, 1)
    },
    stop: async () => { await store.stop() },
    notReadyReason: () => loaded ? undefined : 'the manifests are not loaded yet'
  }
}

/** Has the objects counted at each scrape. */
export function countObjects (metrics: CacheMetrics, count: (kind: Kind['kind']) => number): void {
  Object.assign(metrics.cacheObjects, {
    collect: () => {
      for (const { kind } of KINDS) metrics.cacheObjects.set({ kind }, count(kind))
    }
  })
}

/** Has the kept text of services, and what is left out, measured at each scrape. */
export function measureCaches (
  metrics: CacheMetrics, { services, configs }: { readonly services: ServiceIndex, readonly configs: ConfigIndex }
): void {
  Object.assign(metrics.cacheBytes, {
    collect: () => { metrics.cacheBytes.set({ kind: AIM_SERVICE.kind }, services.bytes) }
  })
  Object.assign(metrics.partialServices, { collect: () => { metrics.partialServices.set(services.partial) } })
  Object.assign(metrics.oversizedConfigs, {
    collect: () => {
      for (const { kind } of [AIM_RUNTIME_CONFIG, AIM_CLUSTER_RUNTIME_CONFIG]) {
        metrics.oversizedConfigs.set({ kind }, configs.oversized(kind))
      }
    }
  })
}

/** Frees what filling the caches left, if Node has `--expose-gc`. Otherwise it stays until the heap grows by half. */
function collectGarbage (): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
