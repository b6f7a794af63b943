import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Command, Option } from 'commander'
import { pino } from 'pino'
import type { Logger } from 'pino'
import { issueThrowawayPair } from '../../certs/issue.ts'
import { KINDS } from '../api/kinds.ts'
import { AdmittedServices } from '../local/admitted-services.ts'
import { ManifestStore } from '../local/manifest-store.ts'
import { buildApp } from '../server/app.ts'
import { Gate } from '../server/gate.ts'
import { createMetrics } from '../server/metrics.ts'
import type { Metrics } from '../server/metrics.ts'
import { buildProbes } from '../server/probes.ts'
import { readServingPair, servingPair } from '../server/tls.ts'
import type { ServingPair } from '../server/tls.ts'
import { serveSettings } from '../settings.ts'
import type { ServeFlags, ServeSettings } from '../settings.ts'
import { newAdmission } from './admission.ts'
import type { Admission } from './admission.ts'
import { clusterSource, countedConnection, countObjects } from './cluster-source.ts'
import type { Source } from './cluster-source.ts'
import { environmentVariable, reconcilerFlags } from './flags.ts'
import { newReconciler } from './reconciler.ts'

/** `aim-admission serve`: the admission server, in a cluster or on the embedded store. Runs until SIGTERM or SIGINT. */
export function serveCommand (dependencies: ServeDependencies): Command {
  const command = new Command('serve')
    .description('run the admission server: in a cluster, with --kubeconfig, or on the embedded store with --manifests')
    .addOption(new Option('--manifests <dir>', 'embedded store: a folder of YAML or JSON manifests, watched').env(environmentVariable('MANIFESTS')))
    .addOption(new Option('--kubeconfig <file>', 'the cluster to serve; without it and --manifests, the cluster of this pod').env(environmentVariable('KUBECONFIG')))
    .addOption(new Option('--host <address>', 'address to listen on').env(environmentVariable('HOST')).default('127.0.0.1'))
    .addOption(new Option('--port <port>', 'HTTPS port of the webhooks').env(environmentVariable('PORT')).default('8443'))
    .addOption(new Option('--probe-port <port>', 'plain port of /healthz, /readyz and /metrics').env(environmentVariable('PROBE_PORT')).default('8080'))
    .addOption(new Option('--cert-file <file>', 'PEM certificate chain to serve; without it a throw-away pair for localhost').env(environmentVariable('CERT_FILE')))
    .addOption(new Option('--key-file <file>', 'PEM key of the certificate').env(environmentVariable('KEY_FILE')))
    .addOption(new Option('--missing-config <what>', 'what becomes of a service whose runtime configuration is missing: warn or refuse')
      .env(environmentVariable('MISSING_CONFIG')).default('warn'))
    .addOption(new Option('--failure-policy <policy>', 'the failurePolicy that the webhooks are registered with: under Ignore, a service without a block may have come unseen')
      .env(environmentVariable('FAILURE_POLICY')).default('Fail'))
    .addOption(new Option('--log-level <level>', 'least level logged: debug, info, warn or error').env(environmentVariable('LOG_LEVEL')).default('info'))
    .addOption(new Option('--with-reconciler', 'also write status and carry changed configurations to the services, in this process').env(environmentVariable('WITH_RECONCILER')))
  for (const option of reconcilerFlags()) command.addOption(option)
  return command.action(async (flags: ServeFlags) => { await serve(serveSettings(flags), dependencies) })
}

/** Where the server answers, and the CA that its certificate is of (absent where the pair comes from files). */
export interface Listening { readonly url: string, readonly probeUrl: string, readonly caPem: string | undefined }

interface ServeDependencies { readonly version: string, readonly onListening?: ((address: Listening) => void) | undefined }

async function serve (settings: ServeSettings, { version, onListening }: ServeDependencies): Promise<void> {
  const log = pino({ level: settings.logLevel }, pino.destination({ dest: 2, sync: false }))
  const metrics = createMetrics(version)
  const { pair, caPem } = await pairFor(settings)
  metrics.certificateExpiry.set({ which: 'serving' }, pair.notAfter.getTime() / 1_000)
  const admission = newAdmission({ missingConfig: settings.missingConfig, missingBlock: settings.failurePolicy === 'Fail' ? 'refuse' : 'admit' })
  const source = await sourceFor(settings, { admission, metrics, log })
  const gate = new Gate(source.unready)
  const app = buildApp({ webhooks: admission.webhooks, tls: { cert: pair.cert, key: pair.key }, gate, metrics, log })
  const probes = buildProbes({ unready: () => gate.unready(), registry: metrics.registry })
  const probeUrl = await probes.listen({ host: settings.host, port: settings.probePort })
  await source.start()
  const url = await app.listen({ host: settings.host, port: settings.port })
  log.info({ url, probeUrl, version }, 'serving')
  onListening?.({ url, probeUrl, caPem })

  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  log.info({ inFlight: gate.inFlight }, 'draining')
  gate.drain()
  for (let waited = 0; gate.inFlight > 0 && waited < DRAIN_MS; waited += POLL_MS) await delay(POLL_MS)
  gate.shut()
  await source.stop()
  app.server.closeAllConnections()
  await Promise.all([app.close(), probes.close()])
  log.info('stopped')
  log.flush()
}

/** Longest wait for reviews on their way, and how often they are counted, in milliseconds. */
const DRAIN_MS = 10_000
const POLL_MS = 20

async function pairFor ({ pair }: ServeSettings): Promise<{ pair: ServingPair, caPem: string | undefined }> {
  if (pair !== undefined) return { pair: readServingPair(pair.certFile, pair.keyFile), caPem: undefined }
  const { certPem, keyPem, caPem } = await issueThrowawayPair({ dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', '::1'], days: 30 })
  return { pair: servingPair(certPem, keyPem, 'the throw-away pair'), caPem }
}

interface SourceDependencies { readonly admission: Admission, readonly metrics: Metrics, readonly log: Logger }

async function sourceFor (settings: ServeSettings, dependencies: SourceDependencies): Promise<Source> {
  countObjects(dependencies.metrics, dependencies.admission.count)
  return settings.manifests === undefined ? await sourceInCluster(settings, dependencies) : folderSource(settings.manifests, dependencies)
}

function folderSource (folder: string, { admission: { configs, sinks }, metrics, log }: SourceDependencies): Source {
  const store = new ManifestStore({ folder, sinks: { ...sinks, AIMService: new AdmittedServices(configs, sinks.AIMService) }, log })
  let loaded = false
  return {
    start: async () => {
      await store.start()
      loaded = true
      for (const { kind } of KINDS) metrics.cacheSynced.set({ kind }, 1)
    },
    stop: async () => { await store.stop() },
    unready: () => loaded ? undefined : 'the manifests are not loaded yet'
  }
}

async function sourceInCluster ({ kubeconfig, reconciler: settings }: ServeSettings, { admission, metrics, log }: SourceDependencies): Promise<Source> {
  const connection = await countedConnection({ kubeconfig, metrics, log })
  const { configs, services } = admission
  const reconciler = settings && newReconciler({ connection, configs, services, settings, registry: metrics.registry, log })
  const source = clusterSource({ connection, sinks: reconciler?.sinks ?? admission.sinks, metrics, log, onSynced: () => { reconciler?.start() } })
  return {
    ...source,
    stop: async () => {
      await reconciler?.stop()
      await source.stop()
      await connection.close()
    }
  }
}
