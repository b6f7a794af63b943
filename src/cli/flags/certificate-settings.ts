import { SYSTEM_NAMESPACE } from '../../api/meta.ts'
import { oneOf, wholeNumber } from './read-flags.ts'

/** Where the serving pair comes from. */
export type CertificateSettings =
  /** Made for this process alone. */
  | { readonly kind: 'throw-away' }
  | { readonly kind: 'files', readonly certFile: string, readonly keyFile: string }
  | ManagedSettings

/** Made by the program, shared by its replicas. */
export interface ManagedSettings {
  readonly kind: 'self-managed'
  readonly secret: { readonly namespace: string, readonly name: string }
  /** Name of both webhook configurations. */
  readonly configuration: string
  /** What the certificate is good for: DNS names and IP addresses. The first is that of the Service. */
  readonly names: readonly [string, ...string[]]
  readonly caDays: number
  readonly certDays: number
  /** How long each step of a CA change rests, in seconds. */
  readonly settleSeconds: number
}

/** Which callers are let in. */
export interface ClientSettings {
  readonly caFile: string
  /** Empty where any certificate of the CA will do. */
  readonly names: readonly string[]
}

export type CertificateFlags = Readonly<Record<'certSecret' | 'serviceName' | 'webhookConfiguration' | 'caDays' | 'certDays' | 'rotationWait', string>> &
  Readonly<Partial<Record<'namespace' | 'manifests' | 'certificates' | 'certFile' | 'keyFile' | 'serviceNamespace' | 'clientCaFile', string>>> &
  { readonly certName: readonly string[], readonly clientName: readonly string[] }

const WAYS = ['self-managed', 'files', 'throw-away'] as const

/** Files where they are given; without them self-managed in a cluster, and a throw-away pair on the embedded store. */
export function certificateSettings (flags: CertificateFlags, problems: string[]): CertificateSettings {
  const { certFile = '', keyFile = '' } = flags
  const kind = oneOf('certificates', flags.certificates ?? usualWay(flags), { choices: WAYS, problems })
  problems.push(...contradictions(kind, flags))
  switch (kind) {
    case 'self-managed': return managedSettings(flags, problems)
    case 'files': return { kind, certFile, keyFile }
    case 'throw-away': return { kind }
  }
}

function usualWay ({ manifests, certFile, keyFile }: CertificateFlags): CertificateSettings['kind'] {
  if (certFile !== undefined || keyFile !== undefined) return 'files'
  return manifests === undefined ? 'self-managed' : 'throw-away'
}

function * contradictions (kind: CertificateSettings['kind'], { manifests, certFile, keyFile }: CertificateFlags): Iterable<string> {
  const files = [certFile, keyFile].filter((file) => file !== undefined)
  if (files.length === 1) yield '--cert-file and --key-file belong together; give both or neither'
  if (kind === 'files' && files.length === 0) yield '--certificates files needs --cert-file and --key-file'
  if (kind !== 'files' && files.length > 0) {
    yield `--certificates ${kind} and --cert-file exclude each other; give one of them`
  }
  if (kind === 'self-managed' && manifests !== undefined) {
    yield '--certificates self-managed and --manifests exclude each other; a folder keeps no Secret'
  }
}

function managedSettings (flags: CertificateFlags, problems: string[]): ManagedSettings {
  const {
    namespace = SYSTEM_NAMESPACE,
    certSecret,
    serviceName,
    serviceNamespace = namespace,
    webhookConfiguration,
    certName
  } = flags
  const service = `${serviceName}.${serviceNamespace}.svc`
  const caDays = wholeNumber('ca-days', flags.caDays, { from: 3, to: 36_500, problems })
  return {
    kind: 'self-managed',
    secret: { namespace, name: certSecret },
    configuration: webhookConfiguration,
    names: [service, `${service}.cluster.local`, ...certName],
    caDays,
    certDays: wholeNumber('cert-days', flags.certDays, { from: 1, to: Math.floor(caDays / 3) || 1, problems }),
    settleSeconds: wholeNumber('rotation-wait', flags.rotationWait, { from: 1, to: 86_400, problems })
  }
}

/** Undefined where everybody may call. */
export function clientSettings ({ clientCaFile, clientName }: CertificateFlags, problems: string[]): ClientSettings | undefined {
  if (clientCaFile !== undefined) return { caFile: clientCaFile, names: clientName }
  if (clientName.length > 0) {
    problems.push('--client-name is given without --client-ca-file, by whose certificates callers are verified')
  }
  return undefined
}
