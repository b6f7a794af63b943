import { pino } from 'pino'
import {
  CONFIGURATION_NAME, webhookConfigurations, type RegisteredWebhook, type WebhookClient,
  type WebhookConfigurationOptions
} from '../../../../webhooks/webhook-configurations.ts'
import { customResourceDefinitions } from '../../../api/custom-resource-definitions.ts'
import { DEFAULT_NAMESPACE, GROUP, PREFIX, SYSTEM_NAMESPACE } from '../../../api/meta.ts'
import type { ReadResult } from '../../../core/ports.ts'
import type { CertificateSource } from '../../flags/certificates.ts'
import { connectToCluster, type ConnectionOptions } from '../../../kube/client/api-connection.ts'
import { admissionProbe } from '../../../kube/objects/admission-probe.ts'
import { accessManifests, type AccessOptions } from '../manifests/access.ts'
import { checkAccess } from './check-access.ts'
import { checkCertificate } from './check-certificate.ts'
import { checkDefinitions, checkPolicy } from './check-objects.ts'
import { checkLeftovers } from './check-leftovers.ts'
import { checkOtherWebhooks } from './check-other-webhooks.ts'
import { checkRegistration } from './check-registration.ts'
import { checkVersion } from './check-version.ts'
import { clusterReader, type ClusterReader } from './cluster-reader.ts'
import { CHECKS, shellWord, type CheckResult } from './format.ts'
import { fitTo, foundOptions, otherGroup, readConfigurations, type Fit, type FitOptions } from './found-registration.ts'
import { createCommand } from './registration-command.ts'

export interface Examination extends Pick<ConnectionOptions, 'kubeconfig' | 'context'> {
  /** `host:port` of the server, instead of its registered address. */
  readonly server: string | undefined
  /** A certificate that expires sooner, in days, is a problem. */
  readonly days: number
  readonly registration: WebhookConfigurationOptions
  readonly caFile: string | undefined
  readonly certificates: CertificateSource
  /** Whether a flag was given; what was not given follows the cluster. */
  readonly isGiven: (flag: string) => boolean
}

/** Compares a cluster with what the program needs; changes nothing. Rejects if the API server does not respond. */
export async function examine (webhooks: readonly RegisteredWebhook[], options: Examination): Promise<CheckResult[]> {
  const { kubeconfig, context } = options
  const log = pino({ level: 'warn' }, pino.destination({ dest: 2, sync: true }))
  const connection = await connectToCluster({ kubeconfig, context, log })
  try {
    const probe = admissionProbe({ request: connection.request, namespace: DEFAULT_NAMESPACE, fencing: () => true })
    const cluster = clusterReader(connection.request)
    const results = await allResults(webhooks, options, { cluster, probed: await probe() })
    return results.sort((a, b) => CHECKS.indexOf(a.check) - CHECKS.indexOf(b.check))
  } finally {
    await connection.close()
  }
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
      checkCertificate(configurations, { server, days, fixes, now: () => new Date() }),
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
