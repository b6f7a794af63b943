import { existsSync } from 'node:fs'
import path from 'node:path'
import type { Logger } from 'pino'
import { newAdmissionEngine, type AdmissionEngine } from '../../webhooks/engine.ts'
import { KEPT_TEXT_LIMITS } from '../cache/service-index.ts'
import type { World } from '../core/world.ts'
import { objectStore } from '../kube/objects/object-store.ts'
import { systemClock } from '../platform/clock.ts'
import type { Recorder } from '../recording/recorder.ts'
import { buildApp } from '../server/app.ts'
import { AdmissionGate, drain, shutdownGracefully } from '../server/lifecycle.ts'
import { SERVER_LIMITS } from '../server/limits.ts'
import { listen } from '../server/listener.ts'
import { LargeReviews } from '../server/offload/large-reviews.ts'
import { buildProbes } from '../server/probes.ts'
import { limitedLog } from '../telemetry/decision-log.ts'
import { createMetrics, type Metrics } from '../telemetry/metrics.ts'
import type { Tracing, TracingSettings } from '../telemetry/tracing.ts'
import { newCertificates } from './certificates.ts'
import type { Stop } from './process.ts'
import type { Reconciler } from './reconcile.ts'
import type { RecordSettings, ServeSettings } from './settings.ts'
import { clusterSource, folderSource, measureCaches, openCluster, type Cluster, type Source } from './source.ts'

/** Where the server listens, and the CA of its certificate if that is ephemeral. */
export interface Listening { readonly url: string, readonly probeUrl: string, readonly caPem: string | undefined }

export interface ServeOptions {
  readonly version: string
  readonly log: Logger
  readonly onListening?: ((address: Listening) => void) | undefined
}

/** Starts the admission server. The probe port opens first; reviews are admitted once the caches are filled. */
export async function startServer (settings: ServeSettings, options: ServeOptions): Promise<Stop> {
  const { version, log, onListening } = options
  const { host, port, probePort, manifests, missingConfig, failurePolicy, pathPolicy } = settings
  const metrics = createMetrics(version)
  const recorder = settings.record && await startRecorder(settings.record, metrics, options)
  const tracing = await newTracing(settings.tracing, options)
  const policy = { missingConfig, missingBlock: failurePolicy === 'Fail' ? 'refuse' : 'admit' } as const
  const cluster = manifests === undefined ? await openCluster(settings, { metrics, log }) : undefined
  const engine = newAdmissionEngine(policy, {
    pathPolicy,
    ...(cluster && { served: cluster.definitions.service }),
    serviceLimits: KEPT_TEXT_LIMITS,
    ...(recorder && { webhooksOver: (world: World) => recorder.webhooksOver(world, policy) })
  })
  const large = new LargeReviews({
    world: engine.world,
    policy,
    waitingBytes: SERVER_LIMITS.arrivingBytes,
    onJudged: () => { recorder?.skipLarge() }
  })
  measureCaches(metrics, engine)
  const { source, reconciler } = await objectsFor(settings, { engine, cluster, metrics, log })
  const store = cluster && objectStore(cluster.connection.request)
  const certificates = newCertificates(settings, { store, webhooks: engine.webhooks, metrics, log })
  const gate = new AdmissionGate(() => certificates.notReadyReason() ?? source.notReadyReason())
  const probes = buildProbes({
    notReadyReason: () => gate.notReadyReason(),
    problem: () => reconciler?.problem(),
    registry: metrics.registry,
    playground: manifests === undefined ? undefined : builtPlayground()
  })
  const probeUrl = await listen(probes, { host, port: probePort, flag: '--probe-port' })
  const tls = await certificates.start()
  const server = buildApp({
    webhooks: engine.webhooks,
    tls,
    clientNames: settings.clients?.names,
    gate,
    metrics,
    log,
    clock: systemClock,
    large,
    tracing
  })
  const url = await listen(server.app, { host, port, flag: '--port' })
  certificates.serveOn(server.app.server)
  await source.start()
  log.info({ url, probeUrl, version }, 'serving')
  onListening?.({ url, probeUrl, caPem: certificates.caPem() })

  return async (cause) => {
    // Ctrl-C at a terminal: no endpoints have to be withdrawn
    const drainTimes = cause === 'SIGINT' ? { min: 0, quiet: 0 } : settings.drain
    await Promise.all([reconciler?.stop(), drain(gate, drainTimes, systemClock)])
    await shutdownGracefully(server, gate, systemClock)
    await large.close()
    await certificates.stop()
    await source.stop()
    await cluster?.connection.close()
    await recorder?.stop()
    await tracing?.stop()
    await probes.close()
  }
}

interface Dependencies {
  readonly engine: AdmissionEngine
  /** Undefined for a folder of manifests. */
  readonly cluster: Cluster | undefined
  readonly metrics: Metrics
  readonly log: Logger
}

interface ServedObjects { readonly source: Source, readonly reconciler?: Reconciler | undefined }

/** The folder, or the cluster with the reconciler if that runs here. */
async function objectsFor (
  { manifests = '', reconciler: reconcilerSettings, pathPolicy }: ServeSettings,
  { engine, cluster, metrics, log: logger }: Dependencies
): Promise<ServedObjects> {
  if (cluster === undefined) return { source: await folderSource(manifests, { engine, metrics, log: logger }) }
  const { configs, services } = engine
  const { registry } = metrics
  const log = limitedLog(logger, systemClock)
  const reconciler = reconcilerSettings && (await import('./reconcile.ts')).newReconciler({
    ...cluster, configs, services, settings: reconcilerSettings, pathPolicy, registry, log
  })
  const { sinks, start: onSynced } = reconciler ?? { sinks: engine.sinks, start: () => undefined }
  return { source: clusterSource({ ...cluster, sinks, metrics, log, onSynced }), reconciler }
}

/** Imported on demand: OpenTelemetry costs memory and time at the start. */
async function newTracing (
  settings: TracingSettings | undefined, { version, log }: ServeOptions
): Promise<Tracing | undefined> {
  if (settings === undefined) return undefined
  const { startTracing } = await import('../telemetry/tracing.ts')
  return await startTracing(settings, { version, log, clock: systemClock })
}

async function startRecorder (
  settings: RecordSettings, metrics: Metrics, { version, log }: ServeOptions
): Promise<Recorder> {
  const { Recorder } = await import('../recording/recorder.ts')
  const count = (outcome: string): void => { metrics.recorded.inc({ outcome }) }
  const recorder = new Recorder({ settings, version, clock: systemClock, log, count })
  await recorder.start()
  return recorder
}

/** Folder of the playground, in a package or in a checkout; undefined if it is not built. */
function builtPlayground (): string | undefined {
  return ['../../playground', '../../dist/playground'].map((folder) => path.join(import.meta.dirname, folder))
    .find((folder) => existsSync(path.join(folder, 'assets')))
}
