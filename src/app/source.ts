import type { AdmissionEngine } from '../../webhooks/engine.ts'
import { AIM_CLUSTER_RUNTIME_CONFIG, AIM_RUNTIME_CONFIG, AIM_SERVICE, KINDS, type Kind } from '../api/kinds.ts'
import type { Log, ObjectSink } from '../core/ports.ts'
import { connectToCluster, type ApiConnection } from '../kube/client/api-connection.ts'
import { collectionPath } from '../kube/objects/list-objects.ts'
import { Reflector } from '../kube/watch/reflector.ts'
import { ServedDefinitions } from '../kube/watch/served-definitions.ts'
import { systemClock, type Clock } from '../platform/clock.ts'
import { atScrape, type CacheMetrics } from '../telemetry/metrics.ts'
import type { ServeSettings } from './settings.ts'

/** Fills the caches, and keeps them up to date. */
export interface Source {
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
  /** Why the caches are not filled yet, in one line; undefined if they are. */
  readonly notReadyReason: () => string | undefined
}

interface Telemetry { readonly metrics: CacheMetrics, readonly log: Log }

/** A connection whose requests are counted, and the definitions that its API server serves. */
export interface Cluster { readonly connection: ApiConnection, readonly definitions: ServedDefinitions }

export async function openCluster (
  { kubeconfig, reconciler }: Pick<ServeSettings, 'kubeconfig' | 'reconciler'>, { metrics, log }: Telemetry
): Promise<Cluster> {
  const connection = await connectToCluster({
    kubeconfig,
    inFlight: reconciler && Math.max(2, reconciler.concurrency),
    log,
    onRequest: (method, code) => { metrics.clientRequests.inc({ method, code }) }
  })
  return { connection, definitions: new ServedDefinitions({ request: connection.request, clock: systemClock, log }) }
}

export interface ClusterSourceOptions extends Telemetry {
  readonly connection: Pick<ApiConnection, 'request'>
  readonly definitions: Pick<ServedDefinitions, 'start' | 'stop'>
  readonly sinks: Readonly<Record<Kind['kind'], ObjectSink>>
  /** Called once, when every cache is filled. */
  readonly onSynced: () => void
  readonly clock?: Clock
}

/** The objects of the three kinds, from all namespaces of a cluster. */
export function clusterSource (options: ClusterSourceOptions): Source {
  const { connection: { request }, definitions, sinks, metrics, log, onSynced, clock = systemClock } = options
  const caches: ReadonlyArray<readonly [Kind['kind'], Reflector]> = KINDS.map((each) => {
    const { kind } = each
    metrics.cacheSynced.set({ kind }, 0)
    metrics.watchRestarts.inc({ kind }, 0) // makes the first restart an increase
    const observer = {
      onSynced: () => {
        metrics.cacheSynced.set({ kind }, 1)
        if (!caches.every(([, cache]) => cache.synced)) return
        collectGarbage()
        onSynced()
      },
      onRestart: () => { metrics.watchRestarts.inc({ kind }) },
      onFailedObject: (key: object) => { log.warn({ kind, ...key }, 'skipped unreadable object') }
    }
    const path = collectionPath(each, '')
    return [kind, new Reflector({ request, path, sink: sinks[kind], observer, log, clock, random: Math.random })]
  })
  atScrape(metrics.cacheAge, () => {
    for (const [kind, { age }] of caches) metrics.cacheAge.set({ kind }, age / 1_000)
  })
  return {
    start: async () => { definitions.start(() => { for (const [, cache] of caches) cache.start() }) },
    stop: async () => {
      await Promise.all([definitions, ...caches.map(([, cache]) => cache)].map(async (each) => { await each.stop() }))
    },
    notReadyReason: () => {
      const unsynced = caches.filter(([, { synced }]) => !synced)
      if (unsynced.length === 0) return undefined
      return unsynced.map(([kind, { error, state }]) => `${kind}: ${error ?? `not listed yet (${state})`}`).join('; ')
    }
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

/** Has the objects, the kept text of services, and what is left out measured at each scrape. */
export function measureCaches (
  metrics: CacheMetrics, { services, configs }: Pick<AdmissionEngine, 'services' | 'configs'>
): void {
  const { cacheObjects, cacheBytes, partialServices, oversizedConfigs } = metrics
  const { kind } = AIM_SERVICE
  atScrape(cacheBytes, () => { cacheBytes.set({ kind }, services.bytes) })
  atScrape(partialServices, () => { partialServices.set(services.partial) })
  atScrape(cacheObjects, () => {
    cacheObjects.set({ kind }, services.count())
    for (const { kind } of CONFIG_KINDS) cacheObjects.set({ kind }, configs.count(kind))
  })
  atScrape(oversizedConfigs, () => {
    for (const { kind } of CONFIG_KINDS) oversizedConfigs.set({ kind }, configs.oversized(kind))
  })
}

const CONFIG_KINDS = [AIM_RUNTIME_CONFIG, AIM_CLUSTER_RUNTIME_CONFIG] as const

/** Frees what filling the caches left, if Node has `--expose-gc`. Otherwise it stays until the heap grows by half. */
function collectGarbage (): void {
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
