import { Command } from 'commander'
import { bypassPolicy } from '../../../../webhooks/bypass.ts'
import {
  webhookConfigurations, type RegisteredWebhook, type WebhookConfigurationOptions
} from '../../../../webhooks/webhook-configurations.ts'
import { customResourceDefinitions } from '../../../api/custom-resource-definitions.ts'
import { accessManifests } from './access.ts'
import { namespaceFlag } from '../../flags/options.ts'
import { webhookFlags, webhookOptions, type WebhookFlags } from '../../flags/webhooks.ts'
import { toYaml } from '../../output/yaml.ts'
import type { JsonObject } from '../../../platform/json.ts'

export interface ManifestsDependencies {
  readonly webhooks: readonly RegisteredWebhook[]
  readonly write: (text: string) => void
}

/**
 * `aim-admission manifests crds|rbac|webhooks`: what a cluster needs before the server runs, as YAML. Unusable flags
 * end it with exit code 2.
 */
export function manifestsCommand ({ webhooks, write }: ManifestsDependencies): Command {
  const print = (objects: readonly JsonObject[]) => { write(toYaml(objects)) }
  const command = new Command('manifests').description('print what a cluster needs before the server runs, as YAML')
  command.command('crds')
    .description('the CustomResourceDefinitions of the three kinds')
    .action(() => { print(customResourceDefinitions()) })
  command.command('rbac')
    .description('the service accounts of serve and reconcile, and what they may do')
    .addOption(namespaceFlag('namespace the program runs in'))
    .action(({ namespace }: { namespace: string }) => { print(accessManifests(namespace)) })
  command.addCommand(
    webhooksCommand((options) => { print([...webhookConfigurations(webhooks, options), ...bypassPolicy()]) })
  )
  return command
}

function webhooksCommand (print: (options: WebhookConfigurationOptions) => void): Command {
  const command = new Command('webhooks')
    .description('the webhook configurations that register the server; in a cluster without caBundle, which belongs to whoever issues the certificate')
  for (const option of webhookFlags()) command.addOption(option)
  return command.action((flags: WebhookFlags) => {
    const problems: string[] = []
    const options = webhookOptions(flags, problems)
    if (problems.length > 0) command.error(problems.map((problem) => `error: ${problem}`).join('\n'), { exitCode: 2 })
    print(options)
  })
}
