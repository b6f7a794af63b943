import { readFileSync } from 'node:fs'
import type { Option } from 'commander'
import { parseCertificates, toPem } from '../../../certs/certificate-set.ts'
import type { WebhookClient, WebhookConfigurationOptions } from '../../../webhooks/webhook-configurations.ts'
import { errorMessage } from '../../platform/error-message.ts'
import { flag, flagReader, namespaceFlag } from './read-flags.ts'

/** The flags of the webhook registration, as given. */
export interface WebhookFlags {
  readonly namespace: string
  readonly serviceName: string
  readonly serviceNamespace?: string
  readonly url?: string
  readonly caFile?: string
  readonly failurePolicy: 'Fail' | 'Ignore'
  readonly timeoutSeconds: string
}

export function webhookFlags (): Option[] {
  return [
    namespaceFlag(),
    flag('--service-name <name>', 'Service of the server', 'aim-admission'),
    flag('--service-namespace <name>', 'namespace of that Service (default: --namespace)'),
    flag('--url <url>', 'https://host:port of a server outside the cluster, instead of a Service'),
    flag('--ca-file <file>', 'PEM certificates that verify the server of --url'),
    flag('--failure-policy <policy>', 'verdict of the API server while no server responds', 'Fail')
      .choices(['Fail', 'Ignore']),
    flag('--timeout-seconds <seconds>', 'timeout of the API server, 1 to 5', '5')
  ]
}

/** Adds one line to the problems for each unusable flag. */
export function webhookOptions (flags: WebhookFlags, problems: string[]): WebhookConfigurationOptions {
  const { failurePolicy, namespace } = flags
  const client = webhookClient(flags, problems)
  const timeoutSeconds = flagReader(flags, problems).wholeNumber('timeoutSeconds', { from: 1, to: 5 })
  return { failurePolicy, namespace, client, timeoutSeconds }
}

function webhookClient (flags: WebhookFlags, problems: string[]): WebhookClient {
  const { url, caFile, namespace, serviceName: name } = flags
  if (url === undefined) {
    if (caFile !== undefined) problems.push('--ca-file needs --url')
    return { kind: 'service', name, namespace: flags.serviceNamespace ?? namespace }
  }
  if (!isBaseUrl(url)) {
    problems.push(`--url must be https://host or https://host:port, without a user, query or fragment, not "${url}"`)
  }
  if (caFile === undefined) problems.push('--url needs --ca-file, by which the API server verifies the server')
  return { kind: 'url', url, caBundle: caFile === undefined ? '' : caBundle(caFile, problems) }
}

/** What the API server accepts. Source: apiserver, pkg/util/webhook, ValidateWebhookURL. */
function isBaseUrl (text: string): boolean {
  const url = URL.parse(text)
  return url?.protocol === 'https:' && [url.username, url.password, url.search, url.hash].every((part) => part === '')
}

/** The certificates of a PEM file, without its other content, in base64. */
function caBundle (file: string, problems: string[]): string {
  try {
    const certificates = parseCertificates(readFileSync(file, 'utf8'))
    if (certificates.length === 0) problems.push(`--ca-file ${file} has no PEM certificate`)
    return Buffer.from(toPem(certificates)).toString('base64')
  } catch (error) {
    problems.push(`--ca-file ${file} is unusable: ${errorMessage(error)}`)
    return ''
  }
}
