import type { Option } from 'commander'
import { CONFIGURATION_NAME } from '../../../webhooks/webhook-configurations.ts'
import { SYSTEM_NAMESPACE } from '../../api/meta.ts'
import type { CertificateSettings, ClientSettings, ManagedSettings } from '../../app/settings.ts'
import { flag, flagReader, listFlag } from './read-flags.ts'

/** Name of the Secret of self-managed certificates. */
export const CERT_SECRET = 'aim-admission-tls'

export type CertificateFlags = Readonly<Record<
  'certSecret' | 'serviceName' | 'webhookConfiguration' | 'caDays' | 'certDays' | 'rotationWait', string
>> & Readonly<Partial<Record<
  'namespace' | 'manifests' | 'certificates' | 'certFile' | 'keyFile' | 'serviceNamespace' | 'clientCaFile', string
>>> &
  Readonly<Record<'certName' | 'clientName', readonly string[]>>

export function certificateFlags (): Option[] {
  return [
    flag('--certificates <source>', 'self-managed, files or ephemeral ' +
      '(default: files with --cert-file, ephemeral with --manifests, else self-managed)'),
    flag('--cert-file <file>', 'PEM certificate chain, reloaded on change'),
    flag('--key-file <file>', 'PEM key of the certificate, reloaded on change'),
    flag('--cert-secret <name>', 'self-managed: Secret of the certificates, in --namespace', CERT_SECRET),
    flag('--webhook-configuration <name>', 'self-managed: name of the webhook configurations that get the caBundle',
      CONFIGURATION_NAME),
    flag('--service-name <name>', 'self-managed: Service in the certificate', 'aim-admission'),
    flag('--service-namespace <name>', 'self-managed: namespace of that Service (default: --namespace)'),
    listFlag('--cert-name <name,…>', 'self-managed: more DNS names and IP addresses in the certificate'),
    flag('--cert-days <days>', 'self-managed: lifetime of a serving certificate, renewed after two thirds', '30'),
    flag('--ca-days <days>', 'self-managed: lifetime of the CA, renewed after two thirds', '365'),
    flag('--rotation-wait <seconds>', 'self-managed: time between steps of a CA rotation, for API servers to catch up',
      '30'),
    flag('--client-ca-file <file>', 'PEM certificates of the CA of client certificates, reloaded on change'),
    listFlag('--client-name <name,…>', 'names of which a client certificate must have one (default: any)')
  ]
}

/** Where the serving pair of an installation comes from, as the chart's `certificates.mode`. */
const CERTIFICATE_SOURCES = ['self-managed', 'cert-manager', 'files'] as const
export type CertificateSource = typeof CERTIFICATE_SOURCES[number]

/** The flag of the commands that print or check the rights of the program. */
export function certificateSourceFlag (): Option {
  return flag('--certificates <source>', 'source of the serving pair; only self-managed needs rights', 'self-managed')
    .choices(CERTIFICATE_SOURCES)
}

const SOURCES = ['self-managed', 'files', 'ephemeral'] as const

/** By default files if they are given, an ephemeral pair on the embedded store, else self-managed. */
export function certificateSettings (flags: CertificateFlags, problems: string[]): CertificateSettings {
  const { certFile = '', keyFile = '' } = flags
  const kind = flags.certificates === undefined
    ? defaultSource(flags)
    : flagReader(flags, problems).oneOf('certificates', SOURCES)
  problems.push(...contradictions(kind, flags))
  switch (kind) {
    case 'self-managed': return managedSettings(flags, problems)
    case 'files': return { kind, certFile, keyFile }
    case 'ephemeral': return { kind }
  }
}

function defaultSource ({ manifests, certFile, keyFile }: CertificateFlags): CertificateSettings['kind'] {
  if (certFile !== undefined || keyFile !== undefined) return 'files'
  return manifests === undefined ? 'self-managed' : 'ephemeral'
}

function * contradictions (kind: CertificateSettings['kind'], flags: CertificateFlags): Iterable<string> {
  const files = [flags.certFile, flags.keyFile].filter((file) => file !== undefined)
  if (files.length === 1) yield '--cert-file and --key-file belong together; give both or neither'
  if (kind === 'files' && files.length === 0) yield '--certificates files needs --cert-file and --key-file'
  if (kind !== 'files' && files.length > 0) {
    yield `--certificates ${kind} and --cert-file exclude each other; give one of them`
  }
  if (kind === 'self-managed' && flags.manifests !== undefined) {
    yield '--certificates self-managed and --manifests exclude each other: a folder stores no Secret'
  }
}

function managedSettings (flags: CertificateFlags, problems: string[]): ManagedSettings {
  const { namespace = SYSTEM_NAMESPACE, serviceNamespace = namespace } = flags
  const service = `${flags.serviceName}.${serviceNamespace}.svc`
  const { wholeNumber } = flagReader(flags, problems)
  const caDays = wholeNumber('caDays', { from: 3, to: 36_500 })
  return {
    kind: 'self-managed',
    secret: { namespace, name: flags.certSecret },
    configuration: flags.webhookConfiguration,
    names: [service, `${service}.cluster.local`, ...flags.certName],
    caDays,
    certDays: wholeNumber('certDays', { from: 1, to: Math.floor(caDays / 3) || 1 }),
    settleSeconds: wholeNumber('rotationWait', { from: 1, to: 86_400 })
  }
}

/** Undefined: clients need no certificate. */
export function clientSettings (
  { clientCaFile, clientName }: CertificateFlags, problems: string[]
): ClientSettings | undefined {
  if (clientCaFile !== undefined) return { caFile: clientCaFile, names: clientName }
  if (clientName.length > 0) problems.push('--client-name needs --client-ca-file, which verifies client certificates')
  return undefined
}
