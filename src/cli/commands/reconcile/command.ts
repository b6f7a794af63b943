import { Command, Option } from 'commander'
import type { Logger } from 'pino'
import { ConfigIndex } from '../../../cache/config-index.ts'
import { ServiceIndex } from '../../../cache/service-index.ts'
import { cacheMetrics, newRegistry } from '../../../telemetry/metrics.ts'
import { listen } from '../../../server/listener.ts'
import { buildProbes } from '../../../server/probes.ts'
import { reconcileSettings, type ReconcileFlags, type ReconcileSettings } from '../../flags/settings.ts'
import { clusterSource, countedConnection, countObjects } from '../../../app/cluster-source.ts'
import { environmentVariable, pathFlags, reconcilerFlags } from '../../flags/options.ts'
import { openProcessLog } from '../../../telemetry/process-log.ts'
import { newReconciler } from '../../../app/reconciler.ts'
import { runUntilSignal, type Stop } from '../../../app/run-until-signal.ts'

/**
 * `aim-admission reconcile`: writes status and carries changed configurations to the services. Any number may run, one
 * works. Runs until it is told to end.
 */
export function reconcileCommand ({ version }: { readonly version: string }): Command {
  const command = new Command('reconcile')
    .description('run the reconciler: it writes status, and carries changed configurations to the services that use them; of several replicas one works')
    .addOption(new Option('--kubeconfig <file>', 'the cluster to work on; without it the cluster of this pod').env(environmentVariable('KUBECONFIG')))
    .addOption(new Option('--host <address>', 'address to listen on').env(environmentVariable('HOST')).default('127.0.0.1'))
    .addOption(new Option('--probe-port <port>', 'plain port of /healthz, /readyz and /metrics').env(environmentVariable('PROBE_PORT')).default('8080'))
    .addOption(new Option('--log-level <level>', 'least level logged: debug, info, warn or error').env(environmentVariable('LOG_LEVEL')).default('info'))
  for (const option of [...pathFlags(), ...reconcilerFlags()]) command.addOption(option)
  return command.action(async (flags: ReconcileFlags) => { await reconcile(reconcileSettings(flags), version) })
}

async function reconcile (settings: ReconcileSettings, version: string): Promise<void> {
  const processLog = openProcessLog(settings.logLevel)
  await runUntilSignal(processLog, async () => await start(settings, processLog.log, version))
}

async function start (settings: ReconcileSettings, log: Logger, version: string): Promise<Stop> {
  const registry = newRegistry(version)
  const metrics = cacheMetrics(registry)
  const connection = await countedConnection({ kubeconfig: settings.kubeconfig, metrics, log })
  const configs = new ConfigIndex()
  const services = new ServiceIndex()
  countObjects(metrics, (kind) => kind === 'AIMService' ? services.count() : configs.count(kind))
  const { pathPolicy } = settings
  const reconciler = newReconciler({
    connection, configs, services, settings: settings.reconciler, pathPolicy, registry, log
  })
  const source = clusterSource({
    connection,
    sinks: reconciler.sinks,
    metrics,
    log,
    onSynced: () => { reconciler.start() }
  })
  let stopping = false
  const probes = buildProbes({
    notReadyReason: () => (stopping ? 'the reconciler is shutting down' : source.unready() ?? reconciler.problem()),
    registry
  })
  const probeUrl = await listen(probes, { host: settings.host, port: settings.probePort, flag: '--probe-port' })
  await source.start()
  log.info({ probeUrl, version }, 'reconciling')

  return async () => {
    stopping = true
    await reconciler.stop() // the Lease first: another replica waits for it
    await source.stop()
    await connection.close()
    await probes.close()
  }
}
