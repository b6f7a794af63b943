import { isIP, type AddressInfo } from 'node:net'
import type { Server } from 'node:https'
import type { Logger } from 'pino'
import type { CertificateSet } from '../../certs/certificate-set.ts'
import { issueEphemeralPair } from '../../certs/issue.ts'
import { ManagedCertificates } from '../../certs/managed-certificates.ts'
import { checkServingPair, clientAuthorities } from '../../certs/pem.ts'
import { probeServingCert, type ServerAddress } from '../../certs/replicas.ts'
import { WatchedFiles } from '../../certs/watch-files.ts'
import type { RegisteredWebhook } from '../../webhooks/webhook-configurations.ts'
import type { ManagedSettings } from '../cli/flags/certificate-settings.ts'
import type { ObjectStore } from '../core/ports.ts'
import { systemClock } from '../platform/clock.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { swapServingPair, type TlsMaterial } from '../server/tls.ts'
import type { ServeSettings } from '../cli/flags/settings.ts'

/** What the server shows to its callers, from wherever it comes, kept fresh for as long as the server runs. */
export interface Certificates {
  /**
   * Resolves with what is to be served first. Rejects with a sentence where files cannot be used, or this was stopped
   * before there was any.
   */
  start (): Promise<TlsMaterial>
  /** From now on, what changes is swapped into this server, which listens. */
  serveOn (server: Server): void
  /** Why nothing can be served yet; undefined where something can. */
  unready (): string | undefined
  /** The CA of a throw-away pair. */
  caPem (): string | undefined
  stop (): Promise<void>
}

export interface CertificatesDependencies {
  /** Of the cluster; undefined on the embedded store. */
  readonly store: ObjectStore | undefined
  readonly webhooks: readonly RegisteredWebhook[]
  readonly metrics: Pick<Metrics, 'certificateExpiry' | 'certificateReloadErrors'>
  readonly log: Logger
}

/** Where the material comes from. */
interface Origin {
  readonly start: () => Promise<void>
  readonly unready: () => string | undefined
  readonly stop: () => Promise<void>
}

export function newCertificates (settings: ServeSettings, dependencies: CertificatesDependencies): Certificates {
  const material = new LiveMaterial(dependencies.metrics)
  let caPem: string | undefined
  const origin = originOf(settings, material, { ...dependencies, onThrowaway: (pem) => { caPem = pem } })
  const clients = clientFiles(settings, material, dependencies)
  return {
    start: async () => {
      clients?.start()
      await origin.start()
      if (material.current === undefined) throw new Error('the program ends before it has a certificate')
      return material.current
    },
    serveOn: (server) => { material.serveOn(server) },
    unready: () => origin.unready(),
    caPem: () => caPem,
    stop: async () => {
      clients?.stop()
      await origin.stop()
    }
  }
}

/**
 * What is served at present. A change is checked whole before it takes effect; one that fails throws a sentence, and
 * changes nothing.
 */
class LiveMaterial {
  readonly #metrics: CertificatesDependencies['metrics']
  #pair: Pick<TlsMaterial, 'cert' | 'key'> | undefined
  #clientCa: string | undefined
  #server: Server | undefined

  constructor (metrics: CertificatesDependencies['metrics']) {
    this.#metrics = metrics
  }

  get current (): TlsMaterial | undefined {
    return this.#pair && { ...this.#pair, clientCa: this.#clientCa }
  }

  get server (): Server | undefined {
    return this.#server
  }

  serveOn (server: Server): void {
    this.#server = server
    // it may have changed since the server was built
    if (this.current !== undefined) swapServingPair(server, this.current)
  }

  usePair (cert: string, key: string, title: string): void {
    const notAfter = checkServingPair({ certPem: cert, keyPem: key }, title)
    if (this.#server !== undefined) swapServingPair(this.#server, { cert, key, clientCa: this.#clientCa })
    this.#pair = { cert, key }
    this.#metrics.certificateExpiry.set({ which: 'serving' }, notAfter.getTime() / 1_000)
  }

  useClientCa (pem: string, title: string): void {
    const clientCa = clientAuthorities(pem, title)
    if (this.#server !== undefined && this.#pair !== undefined) { swapServingPair(this.#server, { ...this.#pair, clientCa }) }
    this.#clientCa = clientCa
  }
}

interface OriginDependencies extends CertificatesDependencies { readonly onThrowaway: (caPem: string) => void }

function originOf (settings: ServeSettings, material: LiveMaterial, dependencies: OriginDependencies): Origin {
  const { certificates } = settings
  switch (certificates.kind) {
    case 'throw-away': return throwawayOrigin(material, dependencies)
    case 'files': return fileOrigin(certificates, material, dependencies)
    case 'self-managed': return managedOrigin({ ...certificates, host: settings.host }, material, dependencies)
  }
}

function throwawayOrigin (material: LiveMaterial, { onThrowaway }: OriginDependencies): Origin {
  return {
    start: async () => {
      const { certPem, keyPem, caPem } = await issueEphemeralPair({
        dnsNames: ['localhost'],
        ipAddresses: ['127.0.0.1', '::1'],
        days: 30
      })
      material.usePair(certPem, keyPem, 'the ephemeral pair')
      onThrowaway(caPem)
    },
    unready: () => undefined,
    stop: async () => undefined
  }
}

type FileSettings = ServeSettings['certificates'] & { readonly kind: 'files' }

function fileOrigin ({ certFile, keyFile }: FileSettings, material: LiveMaterial, dependencies: CertificatesDependencies): Origin {
  const files = watchedFiles([certFile, keyFile], dependencies, ([cert = '', key = '']) => {
    material.usePair(cert, key, `the pair ${certFile} and ${keyFile}`)
  })
  return { start: async () => { files.start() }, unready: () => undefined, stop: async () => { files.stop() } }
}

function clientFiles ({ clients }: ServeSettings, material: LiveMaterial, dependencies: CertificatesDependencies): WatchedFiles | undefined {
  return (
    clients &&
    watchedFiles([clients.caFile], dependencies, ([pem = '']) => { material.useClientCa(pem, clients.caFile) })
  )
}

function watchedFiles (files: readonly string[], { metrics, log }: CertificatesDependencies, take: (texts: readonly string[]) => void): WatchedFiles {
  return new WatchedFiles({
    files,
    take,
    onUnusable: () => { metrics.certificateReloadErrors.inc() },
    clock: systemClock,
    log
  })
}

type HostedSettings = ManagedSettings & { readonly host: string }

function managedOrigin (settings: HostedSettings, material: LiveMaterial, { store, webhooks, metrics, log }: CertificatesDependencies): Origin {
  if (store === undefined) throw new Error('self-managed certificates need a cluster')
  const { secret, configuration, names, caDays, certDays, settleSeconds } = settings
  const managed = new ManagedCertificates({
    store,
    objects: {
      secret,
      configuration,
      webhookNames: new Set(webhooks.flatMap(({ registrations }) => registrations.map(({ name }) => name)))
    },
    policy: { names, caDays, certDays, settle: settleSeconds * 1_000 },
    serve: ({ serving, ca }: CertificateSet) => {
      material.usePair(serving.certPem, serving.keyPem, 'the pair of the Secret')
      metrics.certificateExpiry.set({ which: 'ca' }, ca.notAfter / 1_000)
    },
    probeServingCert,
    self: () => selfAt(material.server, settings),
    onUnusable: () => { metrics.certificateReloadErrors.inc() },
    clock: systemClock,
    wallTime: () => new Date(),
    random: Math.random,
    log
  })
  return {
    start: async () => {
      managed.start()
      await managed.ready
    },
    unready: () => managed.notReadyReason(),
    stop: async () => { await managed.stop() }
  }
}

/** Where a server can be reached from its own host. */
function selfAt (server: Server | undefined, { host, names }: HostedSettings): ServerAddress | undefined {
  const address = server?.address() as AddressInfo | null | undefined // it listens on a port, if at all
  if (!address) return undefined
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return { host: reachable, port: address.port, serverName: isIP(reachable) === 0 ? reachable : names[0] }
}
