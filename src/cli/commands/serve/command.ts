import { existsSync } from 'node:fs'
import path from 'node:path'
import { Command, Option } from 'commander'
import type { Logger } from 'pino'
import type { World } from '../../../core/world.ts'
import { KINDS } from '../../../api/kinds.ts'
import type { ObjectStore } from '../../../core/ports.ts'
import { systemClock } from '../../../platform/clock.ts'
import { objectStore } from '../../../kube/objects/object-store.ts'
import type { Recorder, RecorderOptions } from '../../../recording/recorder.ts'
import { newAdmissionEngine, type AdmissionEngine } from '../../../../webhooks/engine.ts'
import { buildApp } from '../../../server/app.ts'
import { drain, shutdownGracefully } from '../../../server/lifecycle/shutdown.ts'
import { AdmissionGate } from '../../../server/lifecycle/admission-gate.ts'
import { LargeReviews } from '../../../server/offload/large-reviews.ts'
import { listen, SERVER_LIMITS } from '../../../server/listener.ts'
import { createMetrics, type Metrics } from '../../../telemetry/metrics.ts'
import { buildProbes } from '../../../server/probes.ts'
import { serveSettings, type ServeFlags, type ServeSettings } from '../../flags/settings.ts'
import { certificateFlags } from '../../flags/certificates.ts'
import { newCertificates } from '../../../app/certificates.ts'
import { clusterSource, countedConnection, countObjects, type Source } from '../../../app/cluster-source.ts'
import { pathFlags, drainFlags, environmentVariable, reconcilerFlags, recordFlags } from '../../flags/options.ts'
import { openProcessLog } from '../../../telemetry/process-log.ts'
import { runUntilSignal, type Stop } from '../../../app/run-until-signal.ts'

/** `aim-admission serve`: the admission server, in a cluster or on the embedded store. Runs until it is told to end. */
export function serveCommand (dependencies: ServeDependencies): Command {
  const command = new Command('serve')
    .description('run the admission server: in a cluster, with --kubeconfig, or on the embedded store with --manifests')
    .addOption(new Option('--manifests <dir>', 'embedded store: a folder of YAML or JSON manifests, watched').env(environmentVariable('MANIFESTS')))
    .addOption(new Option('--kubeconfig <file>', 'the cluster to serve; without it and --manifests, the cluster of this pod').env(environmentVariable('KUBECONFIG')))
    .addOption(new Option('--host <address>', 'address to listen on').env(environmentVariable('HOST')).default('127.0.0.1'))
    .addOption(new Option('--port <port>', 'HTTPS port of the webhooks').env(environmentVariable('PORT')).default('8443'))
    .addOption(new Option('--probe-port <port>', 'plain port of /healthz, /readyz and /metrics').env(environmentVariable('PROBE_PORT')).default('8080'))
    .addOption(new Option('--missing-config <what>', 'what becomes of a service whose runtime configuration is missing: warn or refuse')
      .env(environmentVariable('MISSING_CONFIG')).default('warn'))
    .addOption(new Option('--failure-policy <policy>', 'the failurePolicy that the webhooks are registered with: under Ignore, a service without a block may have come unseen')
      .env(environmentVariable('FAILURE_POLICY')).default('Fail'))
    .addOption(new Option('--log-level <level>', 'least level logged: debug, info, warn or error').env(environmentVariable('LOG_LEVEL')).default('info'))
    .addOption(new Option('--with-reconciler', 'also write status and carry changed configurations to the services, in this process').env(environmentVariable('WITH_RECONCILER')))
  for (const option of [...pathFlags(), ...certificateFlags(), ...drainFlags(), ...recordFlags(), ...reconcilerFlags()]) {
    command.addOption(option)
  }
  return command.action(async (flags: ServeFlags) => { await serve(serveSettings(flags), dependencies) })
}

/** Where the server answers, and the CA that its certificate is of (absent where the pair comes from files). */
export interface Listening { readonly url: string, readonly probeUrl: string, readonly caPem: string | undefined }

interface ServeDependencies {
  readonly version: string
  readonly onListening?: ((address: Listening) => void) | undefined
}

async function serve (settings: ServeSettings, dependencies: ServeDependencies): Promise<void> {
  const processLog = openProcessLog(settings.logLevel)
  await runUntilSignal(processLog, async () => await start(settings, processLog.log, dependencies))
}

async function start (settings: ServeSettings, log: Logger, { version, onListening }: ServeDependencies): Promise<Stop> {
  const { host, port, probePort } = settings
  const metrics = createMetrics(version)
  const recorder = await startRecorder(settings, { version, metrics, log })
  const policy = {
    missingConfig: settings.missingConfig,
    missingBlock: settings.failurePolicy === 'Fail' ? 'refuse' : 'admit'
  } as const
  const { pathPolicy } = settings
  const admission = newAdmissionEngine(policy, {
    pathPolicy,
    ...(recorder && { webhooksOver: (world: World) => recorder.webhooksOver(world, policy) })
  })
  const large = new LargeReviews({
    world: admission.world,
    policy,
    waitingBytes: SERVER_LIMITS.arrivingBytes,
    onJudged: () => { recorder?.skipLarge() }
  })
  const source = await sourceFor(settings, { admission, metrics, log })
  const certificates = newCertificates(settings, { store: source.store, webhooks: admission.webhooks, metrics, log })
  const gate = new AdmissionGate(() => certificates.unready() ?? source.unready())
  const playground = settings.manifests === undefined ? undefined : builtPlayground()
  const probes = buildProbes({
    notReadyReason: () => gate.notReadyReason(),
    problem: source.problem,
    registry: metrics.registry,
    playground
  })
  const probeUrl = await listen(probes, { host, port: probePort, flag: '--probe-port' })
  const tls = await certificates.start()
  const server = buildApp({
    webhooks: admission.webhooks,
    tls,
    clientNames: settings.clients?.names ?? [],
    gate,
    metrics,
    log,
    clock: systemClock,
    large
  })
  const url = await listen(server.app, { host, port, flag: '--port' })
  certificates.serveOn(server.app.server)
  await source.start()
  log.info({ url, probeUrl, version }, 'serving')
  onListening?.({ url, probeUrl, caPem: certificates.caPem() })

  return async (cause) => {
    // at a terminal nobody waits for endpoints to be withdrawn
    await Promise.all([
      source.resign(),
      drain(gate, cause === 'SIGINT' ? { min: 0, quiet: 0 } : settings.drain, systemClock)
    ])
    await shutdownGracefully(server, gate, systemClock)
    await large.close()
    await certificates.stop()
    await source.stop()
    await recorder?.stop()
    await probes.close()
  }
}

interface RecorderDependencies { readonly version: string, readonly metrics: Metrics, readonly log: Logger }

async function startRecorder ({ record }: ServeSettings, { version, metrics, log }: RecorderDependencies): Promise<Recorder | undefined> {
  if (record === undefined) return undefined
  const { Recorder } = await import('../../../recording/recorder.ts')
  const count: RecorderOptions['count'] = (outcome) => { metrics.recorded.inc({ outcome }) }
  const recorder = new Recorder({ settings: record, version, clock: systemClock, log, count })
  await recorder.start()
  return recorder
}

/**
 * The folder of the playground, beside the compiled program or in a checkout; undefined where it has not been built.
 */
function builtPlayground (): string | undefined {
  const folders = ['../../../../playground', '../../../../dist/playground'].map((folder) =>
    path.join(import.meta.dirname, folder)
  )
  return folders.find((folder) => existsSync(path.join(folder, 'assets')))
}

/** Objects, and for a cluster also single reads and writes of them. */
interface ServedSource extends Source {
  readonly store?: ObjectStore
  /** A problem of the reconciler. */
  readonly problem?: () => string | undefined
}

interface SourceDependencies { readonly admission: AdmissionEngine, readonly metrics: Metrics, readonly log: Logger }

async function sourceFor (settings: ServeSettings, dependencies: SourceDependencies): Promise<ServedSource> {
  countObjects(dependencies.metrics, dependencies.admission.count)
  return settings.manifests === undefined
    ? await sourceInCluster(settings, dependencies)
    : await folderSource(settings.manifests, dependencies)
}

async function folderSource (folder: string, { admission, metrics, log }: SourceDependencies): Promise<Source> {
  const [{ AdmittedServices }, { ManifestStore }] = await Promise.all([
    import('../../../offline/admitted-services.ts'),
    import('../../../offline/manifest-store.ts')
  ])
  const store = new ManifestStore({
    folder,
    sinks: { ...admission.sinks, AIMService: new AdmittedServices(admission) },
    log
  })
  let loaded = false
  return {
    start: async () => {
      await store.start()
      loaded = true
      for (const { kind } of KINDS) metrics.cacheSynced.set({ kind }, 1)
    },
    resign: async () => undefined,
    stop: async () => { await store.stop() },
    unready: () => loaded ? undefined : 'the manifests are not loaded yet'
  }
}

async function sourceInCluster ({ kubeconfig, reconciler: settings }: ServeSettings, { admission, metrics, log }: SourceDependencies): Promise<ServedSource> {
  const connection = await countedConnection({ kubeconfig, metrics, log })
  const { configs, services } = admission
  const reconciler =
    settings &&
    (await import('../../../app/reconciler.ts')).newReconciler({
      connection,
      configs,
      services,
      settings,
      pathPolicy: admission.world.pathPolicy,
      registry: metrics.registry,
      log
    })
  const source = clusterSource({
    connection,
    sinks: reconciler?.sinks ?? admission.sinks,
    metrics,
    log,
    onSynced: () => { reconciler?.start() }
  })
  return {
    ...source,
    resign: async () => { await reconciler?.stop() },
    problem: () => reconciler?.problem(),
    store: objectStore(connection.request),
    stop: async () => {
      await source.stop()
      await connection.close()
    }
  }
}
