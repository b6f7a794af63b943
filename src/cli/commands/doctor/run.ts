import { pino } from 'pino'
import {
  webhookConfigurations, type RegisteredWebhook, type WebhookConfigurationOptions
} from '../../../../webhooks/webhook-configurations.ts'
import { customResourceDefinitions } from '../../../api/custom-resource-definitions.ts'
import type { CertificateSource } from '../../flags/certificates.ts'
import { connectToCluster, type ConnectionOptions } from '../../../kube/client/api-connection.ts'
import { accessManifests } from '../manifests/access.ts'
import { checkAccess } from './check-access.ts'
import { caBundleCommand, checkCertificate } from './check-certificate.ts'
import { checkDefinitions, checkPolicy, checkRegistration, nameOf } from './check-objects.ts'
import { checkLeftovers } from './check-leftovers.ts'
import { checkOtherWebhooks } from './check-other-webhooks.ts'
import { checkVersion } from './check-version.ts'
import { clusterReader } from './cluster-reader.ts'
import { CHECKS, type CheckResult } from './format.ts'

export interface Examination extends Pick<ConnectionOptions, 'kubeconfig' | 'context'> {
  /** `host:port` of the server, instead of its registered address. */
  readonly server: string | undefined
  /** A certificate that expires sooner, in days, is a problem. */
  readonly days: number
  readonly registration: WebhookConfigurationOptions
  readonly certificates: CertificateSource
  /** Commands that create the registration and the rights, and restart the server, which renews its certificate. */
  readonly commands: Readonly<Record<'registration' | 'access' | 'restart', string>>
}

/** Compares a cluster with what the program needs; changes nothing. Rejects if the API server does not respond. */
export async function examine (webhooks: readonly RegisteredWebhook[], options: Examination): Promise<CheckResult[]> {
  const { kubeconfig, context, server, days, registration: { client, namespace }, certificates, commands } = options
  const registration = webhookConfigurations(webhooks, options.registration)
  const access = accessManifests({ namespace, certificates })
  const log = pino({ level: 'warn' }, pino.destination({ dest: 2, sync: true }))
  const connection = await connectToCluster({ kubeconfig, context, log })
  const cluster = clusterReader(connection.request)
  const certificateFix = client.kind === 'url' ? caBundleCommand(registration, client.caBundle) : commands.restart
  try {
    const results = await Promise.all([
      checkVersion(cluster),
      checkDefinitions(customResourceDefinitions(), cluster),
      checkRegistration(registration, { cluster, fix: commands.registration }),
      checkCertificate(registration, { cluster, server, days, fix: certificateFix, now: () => new Date() }),
      checkAccess(access, { cluster, fix: commands.access }),
      checkPolicy(access, { cluster, fix: commands.access }),
      checkOtherWebhooks(nameOf(registration[0] ?? {}), cluster),
      checkLeftovers(cluster)
    ])
    return results.flat().sort((a, b) => CHECKS.indexOf(a.check) - CHECKS.indexOf(b.check))
  } finally {
    await connection.close()
  }
}
