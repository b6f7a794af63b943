import { readFileSync } from 'node:fs'
import { Option } from 'commander'
import type { WebhookClient, WebhookConfigurationOptions } from '../../../webhooks/webhook-configurations.ts'
import { errorMessage } from '../../platform/error-message.ts'
import { parseCertificates, toPem } from '../../../certs/pem.ts'
import { environmentVariable, namespaceFlag } from './options.ts'

/** The flags that say how the webhooks are registered, as they were given. */
export interface WebhookFlags {
  readonly namespace: string
  readonly serviceName: string
  readonly serviceNamespace?: string
  readonly url?: string
  readonly caFile?: string
  readonly failurePolicy: 'Fail' | 'Ignore'
  readonly timeoutSeconds: string
}

/** The same for every command that is about the registration. */
export function webhookFlags (): Option[] {
  return [
    namespaceFlag('namespace the program runs in'),
    new Option('--service-name <name>', 'Service of the server')
      .env(environmentVariable('SERVICE_NAME'))
      .default('aim-admission'),
    new Option('--service-namespace <name>', 'namespace of that Service (default: that of --namespace)').env(
      environmentVariable('SERVICE_NAMESPACE')
    ),
    new Option('--url <url>', 'address of a server outside the cluster, in place of a Service: https://host:port').env(
      environmentVariable('URL')
    ),
    new Option('--ca-file <file>', 'PEM file of the certificates that the one of --url is verified by').env(
      environmentVariable('CA_FILE')
    ),
    new Option('--failure-policy <policy>', 'what happens to a request while no server answers').env(environmentVariable('FAILURE_POLICY'))
      .choices(['Fail', 'Ignore']).default('Fail'),
    new Option('--timeout-seconds <seconds>', 'how long the API server waits, 1 to 5')
      .env(environmentVariable('TIMEOUT_SECONDS'))
      .default('5')
  ]
}

/** What the flags ask for; what is wrong with them is added to the problems, a line each. */
export function webhookOptions (flags: WebhookFlags, problems: string[]): WebhookConfigurationOptions {
  const { failurePolicy, namespace } = flags
  return {
    failurePolicy,
    namespace,
    client: webhookClient(flags, problems),
    timeoutSeconds: timeoutSeconds(flags, problems)
  }
}

function timeoutSeconds ({ timeoutSeconds }: WebhookFlags, problems: string[]): number {
  if (!/^[1-5]$/.test(timeoutSeconds)) { problems.push(`--timeout-seconds is ${timeoutSeconds}, and must be a whole number from 1 to 5`) }
  return Number(timeoutSeconds)
}

function webhookClient (flags: WebhookFlags, problems: string[]): WebhookClient {
  const { url, caFile } = flags
  if (url === undefined) {
    if (caFile !== undefined) problems.push('--ca-file is given without --url, which it belongs to')
    return { kind: 'service', name: flags.serviceName, namespace: flags.serviceNamespace ?? flags.namespace }
  }
  if (!isBaseUrl(url)) { problems.push(`--url is ${url}, and must be https://host or https://host:port, without a user, query or fragment`) }
  if (caFile === undefined) { problems.push('--url is given without --ca-file, by whose certificates the API server verifies that address') }
  return { kind: 'url', url, caBundle: caFile === undefined ? '' : caBundle(caFile, problems) }
}

/** What the API server accepts. Source: apiserver, pkg/util/webhook, ValidateWebhookURL. */
function isBaseUrl (text: string): boolean {
  const url = URL.parse(text)
  return (
    url?.protocol === 'https:' && url.username === '' && url.password === '' && url.search === '' && url.hash === ''
  )
}

/** The certificates of a PEM file, and nothing else of it, in base64. */
function caBundle (file: string, problems: string[]): string {
  try {
    const certificates = parseCertificates(readFileSync(file, 'utf8'))
    if (certificates.length === 0) problems.push(`--ca-file ${file} holds no certificate in PEM form`)
    return Buffer.from(toPem(certificates)).toString('base64')
  } catch (error) {
    problems.push(`--ca-file ${file} cannot be used: ${errorMessage(error)}`)
    return ''
  }
}
