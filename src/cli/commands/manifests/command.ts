import { Command } from 'commander'
import { webhookConfigurations, type RegisteredWebhook } from '../../../../webhooks/webhook-configurations.ts'
import { customResourceDefinitions } from '../../../api/custom-resource-definitions.ts'
import type { JsonObject } from '../../../platform/json.ts'
import { certificateSourceFlag } from '../../flags/certificates.ts'
import { apiGroupFlag, namespaceFlag } from '../../flags/read-flags.ts'
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
  const command = new Command('manifests').description('print what a cluster needs before the server runs, as YAML')
  command.command('crds').description('CustomResourceDefinitions of the three kinds').addOption(apiGroupFlag())
    .action(() => { print(customResourceDefinitions()) })
  command.command('rbac')
    .description('service accounts of serve and reconcile with their rights, and the roles of break-glass')
    .addOption(namespaceFlag())
    .addOption(apiGroupFlag())
    .addOption(certificateSourceFlag())
    .action((options: AccessOptions) => { print(accessManifests(options)) })
  const registration = command.command('webhooks')
    .description('webhook configurations; for a Service without a caBundle, which the certificate issuer sets')
  for (const option of [...webhookFlags(), apiGroupFlag()]) registration.addOption(option)
  registration.action((flags: WebhookFlags) => {
    const problems: string[] = []
    const options = webhookOptions(flags, problems)
    if (problems.length > 0) {
      registration.error(problems.map((problem) => `error: ${problem}`).join('\n'), { exitCode: 2 })
    }
    print(webhookConfigurations(webhooks, options))
  })
  return command
}
