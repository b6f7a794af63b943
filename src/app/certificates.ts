import type { Server } from 'node:https'
import { isIP, type AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import { issueEphemeralPair } from '../../certs/issue.ts'
import { ManagedCertificates } from '../../certs/managed-certificates.ts'
import { checkServingPair, clientAuthorities } from '../../certs/certificate-set.ts'
import { probeServingCert, type ServerAddress } from '../../certs/replicas.ts'
import { WatchedFiles } from '../../certs/watch-files.ts'
import type { RegisteredWebhook } from '../../webhooks/webhook-configurations.ts'
import type { ObjectStore } from '../core/ports.ts'
import { systemClock } from '../platform/clock.ts'
import { tlsOptions, type TlsMaterial } from '../server/tls.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { ManagedSettings, ServeSettings } from './settings.ts'

/** The TLS material of the server, kept up to date while it runs. */
export interface Certificates {
  /** Resolves with the first material. Rejects with one line if files are unusable, or if stopped before. */
  start (): Promise<TlsMaterial>
  /** Swaps later changes into this server. */
  serveOn (server: Server): void
  /** Why there is nothing to serve yet; undefined if there is. */
  notReadyReason (): string | undefined
  /** The CA of an ephemeral pair. */
  caPem (): string | undefined
  stop (): Promise<void>
}

export interface CertificatesDependencies {
  /** Undefined on the embedded store. */
  readonly store: ObjectStore | undefined
  readonly webhooks: readonly RegisteredWebhook[]
  readonly metrics: Pick<Metrics, 'certificateExpiry' | 'certificateReloadErrors'>
  readonly log: Logger
}

type CertificateOptions = Pick<ServeSettings, 'certificates' | 'clients' | 'host'>

export function newCertificates (settings: CertificateOptions, dependencies: CertificatesDependencies): Certificates {
  const { clients } = settings
  const material = new LiveMaterial(dependencies.metrics)
  const pair = pairSource(settings, material, dependencies)
  const clientCa = clients && watchedFiles([clients.caFile], dependencies, ([pem = '']) => {
    material.useClientCa(pem, clients.caFile)
  })
  return {
    start: async () => {
      clientCa?.start()
      await pair.start()
      if (material.current === undefined) throw new Error('stopped before there was a certificate')
      return material.current
    },
    serveOn: (server) => { material.serveOn(server) },
    notReadyReason: () => pair.notReadyReason?.(),
    caPem: () => material.ephemeralCa,
    stop: async () => {
      clientCa?.stop()
      await pair.stop?.()
    }
  }
}

/** What is served. Every change is checked first: an unusable one throws a one-line error and has no effect. */
class LiveMaterial {
  ephemeralCa: string | undefined
  server: Server | undefined
  readonly #expiry: Metrics['certificateExpiry']
  #pair: Pick<TlsMaterial, 'cert' | 'key'> | undefined
  #clientCa: string | undefined

  constructor ({ certificateExpiry }: CertificatesDependencies['metrics']) { this.#expiry = certificateExpiry }

  get current (): TlsMaterial | undefined { return this.#pair && { ...this.#pair, clientCa: this.#clientCa } }

  serveOn (server: Server): void {
    this.server = server
    this.#swap({}) // changed since the server was built
  }

  usePair (cert: string, key: string, title: string): void {
    const notAfter = checkServingPair({ certPem: cert, keyPem: key }, title)
    this.#swap({ cert, key })
    this.#pair = { cert, key }
    this.#expiry.set({ which: 'serving' }, notAfter.getTime() / 1_000)
  }

  useClientCa (pem: string, title: string): void {
    const clientCa = clientAuthorities(pem, title)
    this.#swap({ clientCa })
    this.#clientCa = clientCa
  }

  #swap (changed: Partial<TlsMaterial>): void {
    const { cert, key, clientCa } = { ...this.#pair, clientCa: this.#clientCa, ...changed }
    if (cert !== undefined && key !== undefined) this.server?.setSecureContext(tlsOptions({ cert, key, clientCa }))
  }
}

/** Gives the first pair to the material on start, and changed pairs later. */
interface PairSource {
  readonly start: () => void | Promise<void>
  readonly notReadyReason?: () => string | undefined
  readonly stop?: () => void | Promise<void>
}

function pairSource (
  { certificates, host }: CertificateOptions, material: LiveMaterial, dependencies: CertificatesDependencies
): PairSource {
  switch (certificates.kind) {
    case 'ephemeral': return { start: async () => { await useEphemeralPair(material) } }
    case 'files': {
      const { certFile, keyFile } = certificates
      return watchedFiles([certFile, keyFile], dependencies, ([cert = '', key = '']) => {
        material.usePair(cert, key, `the pair ${certFile} and ${keyFile}`)
      })
    }
    case 'self-managed': return managedPair({ ...certificates, host }, material, dependencies)
  }
}

async function useEphemeralPair (material: LiveMaterial): Promise<void> {
  const names = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', '::1'] }
  const { certPem, keyPem, caPem } = await issueEphemeralPair({ ...names, days: 30 })
  material.usePair(certPem, keyPem, 'the ephemeral pair')
  material.ephemeralCa = caPem
}

function watchedFiles (
  files: readonly string[], { metrics, log }: CertificatesDependencies, take: (texts: readonly string[]) => void
): WatchedFiles {
  const onUnusable = (): void => { metrics.certificateReloadErrors.inc() }
  return new WatchedFiles({ files, take, onUnusable, clock: systemClock, log })
}

type HostedSettings = ManagedSettings & { readonly host: string }

function managedPair (
  settings: HostedSettings, material: LiveMaterial, { store, webhooks, metrics, log }: CertificatesDependencies
): PairSource {
  if (store === undefined) throw new Error('self-managed certificates need a cluster')
  const { secret, configuration, names, caDays, certDays, settleSeconds } = settings
  const webhookNames = new Set(webhooks.flatMap(({ registrations }) => registrations.map(({ name }) => name)))
  const managed = new ManagedCertificates({
    store,
    objects: { secret, configuration, webhookNames },
    policy: { names, caDays, certDays, settle: settleSeconds * 1_000 },
    serve: ({ serving, ca }) => {
      material.usePair(serving.certPem, serving.keyPem, 'the pair of the Secret')
      metrics.certificateExpiry.set({ which: 'ca' }, ca.notAfter / 1_000)
    },
    probeServingCert,
    self: () => localAddress(material.server, settings),
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
    notReadyReason: () => managed.notReadyReason(),
    stop: async () => { await managed.stop() }
  }
}

/** Where the server is reached from its own host; undefined until it listens. */
function localAddress (server: Server | undefined, { host, names }: HostedSettings): ServerAddress | undefined {
  const address = server?.address() as AddressInfo | null | undefined // a server that listens on a port
  if (!address) return undefined
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return { host: reachable, port: address.port, serverName: isIP(reachable) === 0 ? reachable : names[0] }
}
