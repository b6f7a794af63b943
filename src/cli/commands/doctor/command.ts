import type { Command } from 'commander'
import { pino } from 'pino'
import {
  CONFIGURATION_NAME, webhookConfigurations, type RegisteredWebhook, type WebhookClient,
  type WebhookConfigurationOptions
} from '../../../../webhooks/webhook-configurations.ts'
import { customResourceDefinitions } from '../../../api/custom-resource-definitions.ts'
import { DEFAULT_NAMESPACE, GROUP, PREFIX, SYSTEM_NAMESPACE } from '../../../api/meta.ts'
import type { ReadResult } from '../../../core/ports.ts'
import { admissionProbe } from '../../../kube/objects/admission-probe.ts'
import { certificateSourceFlag, type CertificateSource } from '../../flags/certificates.ts'
import { apiGroupFlag, failWith, flag, flagReader, newCommand } from '../../flags/read-flags.ts'
import { webhookFlags, webhookOptions, type WebhookFlags } from '../../flags/webhooks.ts'
import { clusterFlags, withCluster } from '../../user-cluster.ts'
import { accessManifests, type AccessOptions } from '../manifests/access.ts'
import { checkAccess } from './check-access.ts'
import { checkCertificate } from './check-certificate.ts'
import { checkDefinitions, checkPolicy } from './check-objects.ts'
import { checkRegistration } from './check-registration.ts'
import { checkLeftovers, checkOtherWebhooks, checkVersion } from './check-surroundings.ts'
import { clusterReader, type ClusterReader } from './cluster-reader.ts'
import { CHECKS, FORMATTERS, shellWord, type CheckResult, type DoctorFormat } from './format.ts'
import {
  createCommand, fitTo, foundOptions, otherGroup, readConfigurations, type Fit, type FitOptions
} from './found-registration.ts'

export interface DoctorDependencies {
  readonly webhooks: readonly RegisteredWebhook[]
  readonly write: (text: string) => void
  readonly setExitCode: (code: 0 | 1) => void
}

interface DoctorFlags extends WebhookFlags {
  readonly certificates: CertificateSource
  readonly kubeconfig?: string
  readonly context?: string
  readonly server?: string
  readonly certificateDays: string
  readonly output: DoctorFormat
}

/** `aim-admission doctor`: compares a cluster with what the program needs. Exit code 1 if there is a problem. */
export function doctorCommand ({ webhooks, write, setExitCode }: DoctorDependencies): Command {
  const command = newCommand('doctor',
    'compare a cluster with what the program needs, and print a fix for each problem; exit 1 if any', [
      flag('--server <host:port>', 'address of the server, instead of the registered one'),
      flag('--certificate-days <days>', 'report certificates that expire sooner', '3'),
      flag('-o, --output <format>', 'text, or json with one line per result', 'text').choices(Object.keys(FORMATTERS)),
      ...clusterFlags('the cluster (default: that of kubectl, or of this pod)'),
      ...webhookFlags(),
      apiGroupFlag(),
      certificateSourceFlag()
    ])
  return command.action(async (flags: DoctorFlags) => {
    const problems: string[] = []
    const registration = webhookOptions(flags, problems)
    const days = flagReader(flags, problems).wholeNumber('certificateDays', { to: 9_999 })
    if (flags.server !== undefined && !/^.+:\d+$/.test(flags.server)) {
      problems.push(`--server must be host:port, not "${flags.server}"`)
    }
    failWith(problems, command)
    const isGiven = (name: string): boolean => !['default', undefined].includes(command.getOptionValueSource(name))
    const results = await examine(webhooks, { ...flags, days, registration, isGiven })
    write(FORMATTERS[flags.output](results))
    setExitCode(results.some(({ kind }) => kind === 'problem') ? 1 : 0)
  })
}

interface Examination extends Omit<DoctorFlags, 'output'> {
  /** A certificate that expires sooner, in days, is a problem. */
  readonly days: number
  readonly registration: WebhookConfigurationOptions
  /** Whether a flag was given; what was not given follows the cluster. */
  readonly isGiven: (flag: string) => boolean
}

/** Compares a cluster with what the program needs; changes nothing. Rejects if the API server does not respond. */
async function examine (webhooks: readonly RegisteredWebhook[], options: Examination): Promise<CheckResult[]> {
  const log = pino({ level: 'warn' }, pino.destination({ dest: 2, sync: true }))
  return await withCluster(options, async ({ request }) => {
    const probed = await admissionProbe({ request, namespace: DEFAULT_NAMESPACE, fencing: () => true })()
    const results = await allResults(webhooks, options, { cluster: clusterReader(request), probed })
    return results.sort((a, b) => CHECKS.indexOf(a.check) - CHECKS.indexOf(b.check))
  }, log)
}

async function allResults (
  webhooks: readonly RegisteredWebhook[], options: Examination,
  { cluster, probed }: Pick<FitOptions, 'cluster' | 'probed'>
): Promise<CheckResult[]> {
  const { server, days, registration, isGiven, caFile } = options
  const version = await checkVersion(cluster)
  const read = await readConfigurations(webhooks, registration, cluster)
  const found = foundOptions(read, probed.kind === 'success')
  if (found.group !== undefined && found.group !== GROUP) return [version, otherGroup(found.group)]
  const fit = await fitTo(found, { options: registration, isGiven, cluster, probed })
  const wanted = webhookConfigurations(webhooks, fit.options)
  const configurations = read.map(({ live }, at) => ({ wanted: wanted[at] ?? {}, live }))
  const installed = await readInstalled(fit, cluster)
  const certificates = isGiven('certificates') ? options.certificates : sourceOf(installed.deployment, options)
  const access = accessManifests({ namespace: fit.options.namespace, certificates })
  const grants = {
    cluster,
    fix: rbacCommand({ namespace: fit.options.namespace, certificates }, installed.namespace),
    isOutside: fit.options.client.kind === 'url' && installed.account.kind === 'missing' && !fit.isBroken
  }
  const isManaged = certificates === 'self-managed'
  const create = createCommand(fit.options, read, { caFile, common: GROUP_FLAG })
  const restart = isManaged ? restartCommand(fit.options.client, installed) : undefined
  const fixes = { expiry: restart, trust: isGiven('url') && fit.responds ? create : restart }
  return [
    version,
    ...fit.results,
    ...checkRegistration(configurations, { ...fit, create: isCreatable(fit, isManaged) ? create : undefined }),
    ...(await Promise.all([
      checkDefinitions(customResourceDefinitions(), cluster),
      checkCertificate(configurations, { server, days, fixes }),
      checkAccess(access, grants),
      checkPolicy(access, grants),
      checkOtherWebhooks(CONFIGURATION_NAME, cluster),
      checkLeftovers(cluster)
    ])).flat()
  ]
}

/** Whether a new registration would work. That for a Service has no caBundle: self-managed certificates add it. */
function isCreatable ({ responds, options: { client } }: Fit, isManaged: boolean): boolean {
  return responds && (client.kind === 'url' || isManaged)
}

/** A new pod renews the certificate. */
function restartCommand (client: WebhookClient, { deployment }: Installed): string | undefined {
  if (client.kind === 'url' || deployment.kind !== 'found') return undefined
  return `kubectl -n ${shellWord(client.namespace)} rollout restart deployment ${shellWord(client.name)}`
}

const GROUP_FLAG = GROUP === PREFIX ? [] : [`--api-group ${GROUP}`]

type Installed = Readonly<Record<'deployment' | 'account' | 'namespace', ReadResult>>

async function readInstalled ({ options: { client, namespace } }: Fit, cluster: ClusterReader): Promise<Installed> {
  const server = client.kind === 'service' ? client : { name: CONFIGURATION_NAME, namespace }
  const [deployment, account, ownNamespace] = await Promise.all([
    cluster.read(`/apis/apps/v1/namespaces/${server.namespace}/deployments/${server.name}`),
    cluster.read(`/api/v1/namespaces/${namespace}/serviceaccounts/${CONFIGURATION_NAME}`),
    cluster.read(`/api/v1/namespaces/${namespace}`)
  ])
  return { deployment, account, namespace: ownNamespace }
}

/** As the Deployment says, which without a pair of its own manages its certificates. */
function sourceOf (deployment: ReadResult, { certificates }: Examination): CertificateSource {
  const hasPair = deployment.kind === 'found' && /AIM_ADMISSION_CERT_FILE|--cert-file/.test(JSON.stringify(deployment))
  return hasPair ? 'files' : certificates
}

/** The command that grants the rights, in a namespace that may be missing. */
function rbacCommand ({ namespace, certificates }: AccessOptions, live: ReadResult): string {
  const create = live.kind === 'missing' ? `kubectl create namespace ${shellWord(namespace)} && ` : ''
  return create + [
    'aim-admission manifests rbac',
    ...(namespace === SYSTEM_NAMESPACE ? [] : [`--namespace ${shellWord(namespace)}`]),
    ...(certificates === 'self-managed' ? [] : [`--certificates ${certificates}`]),
    ...GROUP_FLAG
  ].join(' ') + ' | kubectl apply -f -'
}
