import type { Logger } from 'pino'
import { KINDS, type Kind } from '../api/kinds.ts'
import type { ObjectSink } from '../core/ports.ts'
import { systemClock } from '../platform/clock.ts'
import { connectToCluster, type ApiConnection } from '../kube/client/api-connection.ts'
import { ClusterCaches } from '../kube/watch/cluster-caches.ts'
import type { CacheMetrics } from '../telemetry/metrics.ts'

/** Where objects come from. */
export interface Source {
  readonly start: () => Promise<void>
  /** Gives up at once what another replica can take over; objects still come. */
  readonly resign: () => Promise<void>
  readonly stop: () => Promise<void>
  /** Why the caches are not filled yet; undefined where they are. */
  readonly unready: () => string | undefined
}

export interface ClusterSourceOptions {
  readonly connection: ApiConnection
  readonly sinks: Readonly<Record<Kind['kind'], ObjectSink>>
  readonly metrics: CacheMetrics
  readonly log: Logger
  /** All caches are filled. */
  readonly onSynced?: () => void
}

export interface CountedConnectionOptions {
  readonly kubeconfig: string | undefined
  readonly metrics: CacheMetrics
  readonly log: Logger
}

/** Connects to a cluster, and counts what is asked of it. */
export async function countedConnection ({ kubeconfig, metrics, log }: CountedConnectionOptions): Promise<ApiConnection> {
  return await connectToCluster({
    kubeconfig,
    log,
    onRequest: (method, code) => { metrics.clientRequests.inc({ method, code }) }
  })
}

/** The objects of a cluster, kept up to date by list and watch. */
export function clusterSource ({ connection, sinks, metrics, log, onSynced = () => undefined }: ClusterSourceOptions): Source {
  for (const { kind } of KINDS) {
    metrics.cacheSynced.set({ kind }, 0)
    metrics.watchRestarts.inc({ kind }, 0) // so that the first one is an increase
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
      onFailedObject: (key) => { log.warn({ kind, ...key }, 'an object cannot be read and is passed over') }
    })
  })
  Object.assign(metrics.cacheAge, {
    collect: () => {
      for (const { kind, ageSeconds } of caches.ages()) metrics.cacheAge.set({ kind }, ageSeconds)
    }
  })
  return {
    start: async () => { caches.start() },
    resign: async () => undefined,
    stop: async () => { await caches.stop() },
    unready: () => caches.synced ? undefined : caches.unsynced().join('; ')
  }
}

/**
 * What filling the caches has left goes at once, where Node is run with `--expose-gc`, as the image does: it would stay
 * until the heap has grown by a half.
 */
function collectGarbage (): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

/** The object counts are read whenever the metrics are. */
export function countObjects (metrics: CacheMetrics, count: (kind: Kind['kind']) => number): void {
  Object.assign(metrics.cacheObjects, {
    collect: () => {
      for (const { kind } of KINDS) metrics.cacheObjects.set({ kind }, count(kind))
    }
  })
}
