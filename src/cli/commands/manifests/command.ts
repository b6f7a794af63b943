import type { Command } from 'commander'
import { webhookConfigurations, type RegisteredWebhook } from '../../../../webhooks/webhook-configurations.ts'
import { customResourceDefinitions } from '../../../api/custom-resource-definitions.ts'
import type { JsonObject } from '../../../platform/json.ts'
import { certificateSourceFlag } from '../../flags/certificates.ts'
import { apiGroupFlag, failWith, namespaceFlag, newCommand } from '../../flags/read-flags.ts'
import { webhookFlags, webhookOptions, type WebhookFlags } from '../../flags/webhooks.ts'
import { toYaml } from '../../output/formats.ts'
import { accessManifests, type AccessOptions } from './access.ts'

export interface ManifestsDependencies {
  readonly webhooks: readonly RegisteredWebhook[]
  readonly write: (text: string) => void
}

/** `aim-admission manifests crds|rbac|webhooks`: what a cluster needs before the server runs, as YAML. */
export function manifestsCommand ({ webhooks, write }: ManifestsDependencies): Command {
  const print = (objects: readonly JsonObject[]) => { write(toYaml(objects)) }
  const command = newCommand('manifests', 'print what a cluster needs before the server runs, as YAML', [])
  command.addCommand(newCommand('crds', 'CustomResourceDefinitions of the three kinds', [apiGroupFlag()])
    .action(() => { print(customResourceDefinitions()) }))
  command.addCommand(newCommand('rbac',
    'service accounts of serve and reconcile with their rights, and the roles of break-glass',
    [namespaceFlag(), apiGroupFlag(), certificateSourceFlag()]
  ).action((options: AccessOptions) => { print(accessManifests(options)) }))
  const registration = newCommand('webhooks',
    'webhook configurations; for a Service without a caBundle, which the certificate issuer sets',
    [...webhookFlags(), apiGroupFlag()])
  registration.action((flags: WebhookFlags) => {
    const problems: string[] = []
    const options = webhookOptions(flags, problems)
    failWith(problems, registration)
    print(webhookConfigurations(webhooks, options))
  })
  return command.addCommand(registration)
}
