import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Registry } from 'prom-client'
import { AIM_SERVICE, type Kind } from '../api/kinds.ts'
import { SYSTEM_NAMESPACE } from '../api/meta.ts'
import { ConfigIndex } from '../cache/config-index.ts'
import { KEPT_TEXT_LIMITS, ServiceIndex } from '../cache/service-index.ts'
import type { Log, ObjectKey, ObjectSink } from '../core/ports.ts'
import { ownConfigStatus } from '../core/status/rollout.ts'
import { ownServiceStatus } from '../core/status/service.ts'
import type { PathPolicy } from '../core/world.ts'
import { EventRecorder } from '../kube/event-recorder.ts'
import { LeaderElection, leaseTimes, type LeaseTimes } from '../kube/leader-election.ts'
import { objectPath, objectStore, objectWriter } from '../kube/objects/object-store.ts'
import { systemClock } from '../platform/clock.ts'
import { Controller } from '../reconcile/controller.ts'
import { watchedSinks } from '../reconcile/watched-sinks.ts'
import { ObservedObjects } from '../reconcile/world.ts'
import { listen } from '../server/listener.ts'
import { buildProbes } from '../server/probes.ts'
import { limitedLog } from '../telemetry/decision-log.ts'
import { cacheMetrics, newRegistry } from '../telemetry/metrics.ts'
import { reconcileMetrics, workQueueMetrics } from '../telemetry/reconcile-metrics.ts'
import { endToEndProbe } from './end-to-end-probe.ts'
import type { Stop } from './process.ts'
import { LEASE_NAME, type ReconcilerSettings, type ReconcileSettings } from './settings.ts'
import { clusterSource, measureCaches, openCluster, type Cluster } from './source.ts'

/** Starts the reconciler in a process that serves no reviews. */
export async function startReconciler (settings: ReconcileSettings, logger: Log, version: string): Promise<Stop> {
  const log = limitedLog(logger, systemClock)
  const { host, probePort, pathPolicy } = settings
  const registry = newRegistry(version)
  const metrics = cacheMetrics(registry)
  const cluster = await openCluster(settings, { metrics, log })
  const configs = new ConfigIndex()
  const services = new ServiceIndex(KEPT_TEXT_LIMITS, pathPolicy.pathSegments)
  measureCaches(metrics, { services, configs })
  const reconciler = newReconciler({
    ...cluster, configs, services, settings: settings.reconciler, pathPolicy, registry, log
  })
  const { sinks, start: onSynced } = reconciler
  const source = clusterSource({ ...cluster, sinks, metrics, log, onSynced })
  let stopping = false
  const probes = buildProbes({
    notReadyReason: () =>
      stopping ? 'the reconciler is shutting down' : source.notReadyReason() ?? reconciler.problem(),
    registry
  })
  const probeUrl = await listen(probes, { host, port: probePort, flag: '--probe-port' })
  await source.start()
  log.info({ probeUrl, version }, 'reconciling')

  return async () => {
    stopping = true
    await reconciler.stop() // first: another replica waits for the Lease
    await source.stop()
    await cluster.connection.close()
    await probes.close()
  }
}

export interface ReconcilerOptions extends Cluster {
  readonly configs: ConfigIndex
  readonly services: ServiceIndex
  readonly settings: ReconcilerSettings
  readonly pathPolicy: PathPolicy
  readonly registry: Registry
  readonly log: Log
}

/** Works while it leads; its caches are filled in any case. */
export interface Reconciler {
  /** To be fed with the objects of the cluster. */
  readonly sinks: Readonly<Record<Kind['kind'], ObjectSink>>
  /** Stands for election; to be called once the caches are filled. */
  readonly start: () => void
  /** Why no replica can lead before an operator acts; undefined otherwise. One line. */
  readonly problem: () => string | undefined
  /** Releases the Lease. Settles after the last write. */
  readonly stop: () => Promise<void>
}

export function newReconciler (options: ReconcilerOptions): Reconciler {
  const { connection: { request, contextNamespace }, definitions, configs } = options
  const { settings, pathPolicy, registry, log } = options
  const identity = `${hostname()}_${randomUUID()}`
  const wallTime = (): Date => new Date()
  const times = leaseTimes(settings.leaseSeconds)
  let controller: Controller | undefined
  const queueMetrics = workQueueMetrics(registry)
  const observers = {
    status: queueMetrics.observe('status', () => controller?.queues.status),
    rollforward: queueMetrics.observe('rollforward', () => controller?.queues.rollforward)
  }
  const election: LeaderElection = new LeaderElection({
    lease: { namespace: settings.namespace ?? contextNamespace ?? SYSTEM_NAMESPACE, name: LEASE_NAME },
    identity,
    request,
    clock: systemClock,
    wallTime,
    random: Math.random,
    log,
    times,
    onLead: () => {
      controller = new Controller({
        world, limits: settings, clock: systemClock, random: Math.random, log, observers, onContest, onGivenUp
      })
      controller.start()
      probe.start()
    },
    onLose: async () => {
      await Promise.all([controller?.stop(), probe.stop()])
      controller = undefined
    }
  })
  const fencing = election.isLeader
  const probe = endToEndProbe({ settings: settings.probe, request, fencing, registry, log })
  const events = new EventRecorder({ request, instance: identity, clock: systemClock, wallTime, fencing, log })
  const watched = watchedObjects(options)
  const sinks = watchedSinks(watched, {
    serviceChanged: (id, change) => { controller?.serviceChanged(id, change) },
    configChanged: (config, how) => { controller?.configChanged(config, how) },
    pathAcquired: (claim) => { controller?.pathAcquired(claim) },
    pathReleased: (claim) => { controller?.pathReleased(claim) }
  })
  const world = {
    ...watched,
    pathPolicy,
    definitions,
    events,
    writer: objectWriter({ request, fencing, timeoutMs: writeTimeout(times) }),
    written: sinks.written,
    readService: async (key: ObjectKey) => await objectStore(request).read(objectPath(AIM_SERVICE, key)),
    now: () => wallTime().toISOString().replace(/\.\d+/, '')
  }
  definitions.onChange(() => { controller?.definitionsChanged() })
  const { onContest, onGivenUp } = reconcileMetrics(registry, {
    election: LEASE_NAME,
    leads: fencing,
    unobserved: () => controller?.unobserved ?? 0,
    limit: () => controller?.limit,
    configs: () => controller === undefined ? [] : tallied(controller, configs)
  }, settings.metricNames)
  return {
    sinks,
    start: () => { election.start() },
    problem: () => election.problem,
    stop: async () => {
      await election.stop()
      await events.stop()
    }
  }
}

function watchedObjects ({ configs, services }: ReconcilerOptions) {
  return {
    configs,
    services,
    serviceStatuses: new ObservedObjects(ownServiceStatus),
    configStatuses: {
      AIMRuntimeConfig: new ObservedObjects(ownConfigStatus),
      AIMClusterRuntimeConfig: new ObservedObjects(ownConfigStatus)
    }
  }
}

/** A slow write occupies a place in a queue: 10 s at most. */
function writeTimeout ({ duration, renewDeadline }: LeaseTimes): number {
  return Math.min(10_000, duration - renewDeadline)
}

function * tallied (controller: Controller, configs: ConfigIndex) {
  for (const config of configs.all()) {
    const { kind, namespace, name } = config
    const { total, current, failing } = controller.tally(config)
    yield { kind, namespace, name, services: { total, current, failing } }
  }
}
