import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Registry } from 'prom-client'
import type { Logger } from 'pino'
import type { Kind } from '../api/kinds.ts'
import { SYSTEM_NAMESPACE } from '../api/meta.ts'
import type { ConfigIndex } from '../cache/config-index.ts'
import type { ObjectSink } from '../core/ports.ts'
import { ownConfigStatus } from '../core/status/rollout.ts'
import type { ServiceIndex } from '../cache/service-index.ts'
import { ownServiceStatus } from '../core/status/service.ts'
import { systemClock } from '../platform/clock.ts'
import type { ApiConnection } from '../kube/client/api-connection.ts'
import { EventRecorder } from '../kube/events/event-recorder.ts'
import { LeaderElection } from '../kube/lease/leader-election.ts'
import { leaseTimes } from '../kube/lease/lease.ts'
import { objectWriter } from '../kube/objects/object-writer.ts'
import { Controller } from '../reconcile/controller.ts'
import { ObservedObjects } from '../reconcile/world.ts'
import { watchedSinks } from '../reconcile/watched-sinks.ts'
import { reconcileMetrics, workQueueMetrics } from '../telemetry/reconcile-metrics.ts'
import type { PathPolicy } from '../core/world.ts'
import type { ReconcilerSettings } from '../cli/flags/settings.ts'
import { endToEndProbe } from './end-to-end-probe.ts'

/** Name of the Lease, and of this election in the metrics. */
export const ELECTION = 'aim-admission-reconcile'

export interface ReconcilerOptions {
  readonly connection: ApiConnection
  readonly configs: ConfigIndex
  readonly services: ServiceIndex
  readonly settings: ReconcilerSettings
  readonly pathPolicy: PathPolicy
  readonly registry: Registry
  readonly log: Logger
}

/** The reconciler of one process: its caches are kept warm, and it works while it leads. */
export interface Reconciler {
  /** Where the objects of the cluster are fed in. */
  readonly sinks: Readonly<Record<Kind['kind'], ObjectSink>>
  /** Stands for election; to be called once the caches are filled. */
  readonly start: () => void
  /** Why no replica can lead before an operator acts; undefined otherwise. One line. */
  readonly problem: () => string | undefined
  /** Once settled, nothing is written any more, and the Lease is given up. */
  readonly stop: () => Promise<void>
}

export function newReconciler (options: ReconcilerOptions): Reconciler {
  const { connection, configs, services, settings, pathPolicy, registry, log } = options
  const { request } = connection
  const identity = `${hostname()}_${randomUUID()}`
  const wallTime = (): Date => new Date()
  const times = leaseTimes(settings.leaseSeconds)
  const watched = {
    configs,
    services,
    serviceStatuses: new ObservedObjects(ownServiceStatus),
    configStatuses: {
      AIMRuntimeConfig: new ObservedObjects(ownConfigStatus),
      AIMClusterRuntimeConfig: new ObservedObjects(ownConfigStatus)
    }
  }
  let controller: Controller | undefined
  const queueMetrics = workQueueMetrics(registry)
  const observers = {
    status: queueMetrics.observe('status', () => controller?.queues.status),
    rollforward: queueMetrics.observe('rollforward', () => controller?.queues.rollforward)
  }
  const election: LeaderElection = new LeaderElection({
    lease: { namespace: settings.namespace ?? connection.contextNamespace ?? SYSTEM_NAMESPACE, name: ELECTION },
    identity,
    request,
    clock: systemClock,
    wallTime,
    random: Math.random,
    log,
    times,
    onLead: () => {
      controller = new Controller({ world, limits: settings, clock: systemClock, random: Math.random, log, observers })
      controller.start()
      probe.start()
    },
    onLose: async () => {
      await Promise.all([controller?.stop(), probe.stop()])
      controller = undefined
    }
  })
  const { isLeader } = election
  const probe = endToEndProbe({ settings: settings.probe, request, fencing: isLeader, registry, log })
  const events = new EventRecorder({
    request,
    instance: identity,
    clock: systemClock,
    wallTime,
    fencing: isLeader,
    log
  })
  const world = {
    ...watched,
    pathPolicy,
    events,
    writer: objectWriter({ request, fencing: isLeader, timeoutMs: times.duration - times.renewDeadline }),
    now: () => wallTime().toISOString().replace(/\.\d+/, '')
  }
  reconcileMetrics(registry, {
    election: ELECTION,
    leads: isLeader,
    unobserved: () => controller?.unobserved ?? 0,
    configs: () => controller === undefined ? [] : tallied(controller, configs)
  })
  return {
    sinks: watchedSinks(watched, {
      serviceChanged: (id, how) => { controller?.serviceChanged(id, how) },
      configChanged: (config, how) => { controller?.configChanged(config, how) },
      pathAcquired: (claim) => { controller?.pathAcquired(claim) },
      pathReleased: (claim) => { controller?.pathReleased(claim) }
    }),
    start: () => { election.start() },
    problem: () => election.problem,
    stop: async () => {
      await election.stop()
      await events.stop()
    }
  }
}

function * tallied (controller: Controller, configs: ConfigIndex) {
  for (const config of configs.all()) {
    const { kind, namespace, name } = config
    const { total, current, failing } = controller.tally(config)
    yield { kind, namespace, name, services: { total, current, failing } }
  }
}
