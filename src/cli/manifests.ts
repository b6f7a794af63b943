import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { webhookConfigurations } from '../../webhooks/webhook-configurations.ts'
import type { RegisteredWebhook, WebhookClient, WebhookConfigurationOptions } from '../../webhooks/webhook-configurations.ts'
import { customResourceDefinitions } from '../api/custom-resource-definitions.ts'
import type { JsonObject } from '../api/meta.ts'
import { reasonOf } from '../core/reason-of.ts'
import { accessManifests } from './access-manifests.ts'
import { environmentVariable, namespaceFlag } from './flags.ts'
import { toYaml } from './yaml-output.ts'

export interface ManifestsDependencies {
  readonly webhooks: readonly RegisteredWebhook[]
  readonly write: (text: string) => void
}

/** `aim-admission manifests crds|rbac|webhooks`: what a cluster needs before the server runs, as YAML. Unusable flags end it with exit code 2. */
export function manifestsCommand ({ webhooks, write }: ManifestsDependencies): Command {
  const print = (objects: readonly JsonObject[]) => { write(toYaml(objects)) }
  const command = new Command('manifests').description('print what a cluster needs before the server runs, as YAML')
  command.command('crds')
    .description('the CustomResourceDefinitions of the three kinds')
    .action(() => { print(customResourceDefinitions()) })
  command.command('rbac')
    .description('the service account of the server, and what it may read')
    .addOption(namespaceFlag('namespace the program runs in'))
    .action(({ namespace }: { namespace: string }) => { print(accessManifests(namespace)) })
  command.addCommand(webhooksCommand((options) => { print(webhookConfigurations(webhooks, options)) }))
  return command
}

interface WebhookFlags {
  readonly namespace: string
  readonly serviceName: string
  readonly serviceNamespace?: string
  readonly url?: string
  readonly caFile?: string
  readonly failurePolicy: 'Fail' | 'Ignore'
  readonly timeoutSeconds: string
}

function webhooksCommand (print: (options: WebhookConfigurationOptions) => void): Command {
  return new Command('webhooks')
    .description('the webhook configurations that register the server; in a cluster without caBundle, which belongs to whoever issues the certificate')
    .addOption(namespaceFlag('namespace the program runs in'))
    .addOption(new Option('--service-name <name>', 'Service of the server').env(environmentVariable('SERVICE_NAME')).default('aim-admission'))
    .addOption(new Option('--service-namespace <name>', 'namespace of that Service (default: that of --namespace)').env(environmentVariable('SERVICE_NAMESPACE')))
    .addOption(new Option('--url <url>', 'address of a server outside the cluster, in place of a Service: https://host:port').env(environmentVariable('URL')))
    .addOption(new Option('--ca-file <file>', 'PEM file of the certificates that the one of --url is verified by').env(environmentVariable('CA_FILE')))
    .addOption(new Option('--failure-policy <policy>', 'what happens to a request while no server answers').env(environmentVariable('FAILURE_POLICY'))
      .choices(['Fail', 'Ignore']).default('Fail'))
    .addOption(new Option('--timeout-seconds <seconds>', 'how long the API server waits, 1 to 5').env(environmentVariable('TIMEOUT_SECONDS')).default('5'))
    .action((flags: WebhookFlags, command: Command) => {
      const problems: string[] = []
      const options = { ...flags, client: webhookClient(flags, problems), timeoutSeconds: timeoutSeconds(flags, problems) }
      if (problems.length > 0) command.error(problems.map((problem) => `error: ${problem}`).join('\n'), { exitCode: 2 })
      print(options)
    })
}

function timeoutSeconds ({ timeoutSeconds }: WebhookFlags, problems: string[]): number {
  if (!/^[1-5]$/.test(timeoutSeconds)) problems.push(`--timeout-seconds is ${timeoutSeconds}, and must be a whole number from 1 to 5`)
  return Number(timeoutSeconds)
}

function webhookClient (flags: WebhookFlags, problems: string[]): WebhookClient {
  const { url, caFile } = flags
  if (url === undefined) {
    if (caFile !== undefined) problems.push('--ca-file is given without --url, which it belongs to')
    return { kind: 'service', name: flags.serviceName, namespace: flags.serviceNamespace ?? flags.namespace }
  }
  if (!isBaseUrl(url)) problems.push(`--url is ${url}, and must be https://host or https://host:port, without a user, query or fragment`)
  if (caFile === undefined) problems.push('--url is given without --ca-file, by whose certificates the API server verifies that address')
  return { kind: 'url', url, caBundle: caFile === undefined ? '' : caBundle(caFile, problems) }
}

/** What the API server accepts. Source: apiserver, pkg/util/webhook, ValidateWebhookURL. */
function isBaseUrl (text: string): boolean {
  const url = URL.parse(text)
  return url?.protocol === 'https:' && url.username === '' && url.password === '' && url.search === '' && url.hash === ''
}

/** The certificates of a PEM file, and nothing else of it, in base64. */
function caBundle (file: string, problems: string[]): string {
  try {
    const certificates = readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    if (certificates.length === 0) problems.push(`--ca-file ${file} holds no certificate in PEM form`)
    return Buffer.from(certificates.map((certificate) => new X509Certificate(certificate).toString()).join('')).toString('base64')
  } catch (error) {
    problems.push(`--ca-file ${file} cannot be used: ${reasonOf(error)}`)
    return ''
  }
}
