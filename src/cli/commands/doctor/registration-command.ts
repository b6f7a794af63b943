import type { WebhookClient, WebhookConfigurationOptions } from '../../../../webhooks/webhook-configurations.ts'
import { SYSTEM_NAMESPACE } from '../../../api/meta.ts'
import { ownString } from '../../../platform/json.ts'
import type { LiveConfiguration } from './check-objects.ts'
import { shellWord } from './format.ts'

/** The command that creates both configurations. Without a file of the CA, the CA is that of the other one. */
export function createCommand (
  options: WebhookConfigurationOptions, configurations: readonly LiveConfiguration[],
  { caFile, common }: { readonly caFile: string | undefined, readonly common: readonly string[] }
): string {
  const other = options.client.kind === 'url' && caFile === undefined
    ? configurations.find(({ live }) => live.kind === 'found')?.wanted
    : undefined
  const trusted = other === undefined
    ? ''
    : `kubectl get ${ownString(other, 'kind').toLowerCase()} ${DEFAULT_NAME} ` +
      "-o 'jsonpath={.webhooks[0].clientConfig.caBundle}' | base64 -d | "
  const flags = registrationFlags(options, DEFAULTS, shellWord(caFile ?? '/dev/stdin'))
  return `${trusted}${['aim-admission manifests webhooks', ...flags, ...common].join(' ')} | kubectl apply -f -`
}

/** The flags of options that differ from others. */
export function registrationFlags (
  { client, namespace, failurePolicy, timeoutSeconds }: WebhookConfigurationOptions,
  than: WebhookConfigurationOptions, caFile = 'FILE'
): string[] {
  const isOther = targetText(client) !== targetText(than.client)
  return [
    ...(namespace === than.namespace ? [] : [`--namespace ${shellWord(namespace)}`]),
    ...(isOther ? targetFlags(client, namespace, caFile) : []),
    ...(failurePolicy === than.failurePolicy ? [] : [`--failure-policy ${failurePolicy}`]),
    ...(timeoutSeconds === than.timeoutSeconds ? [] : [`--timeout-seconds ${timeoutSeconds}`])
  ]
}

function targetFlags (client: WebhookClient, namespace: string, caFile: string): string[] {
  if (client.kind === 'url') return [`--url ${shellWord(client.url)}`, `--ca-file ${caFile}`]
  return [
    ...(client.name === DEFAULT_NAME ? [] : [`--service-name ${shellWord(client.name)}`]),
    ...(client.namespace === namespace ? [] : [`--service-namespace ${shellWord(client.namespace)}`])
  ]
}

const DEFAULT_NAME = 'aim-admission'

const DEFAULTS: WebhookConfigurationOptions = {
  client: { kind: 'service', name: DEFAULT_NAME, namespace: SYSTEM_NAMESPACE },
  namespace: SYSTEM_NAMESPACE,
  failurePolicy: 'Fail',
  timeoutSeconds: 5
}

/** `Service aim-system/aim-admission` */
export function targetText (client: WebhookClient): string {
  return client.kind === 'url' ? `URL ${client.url}` : `Service ${client.namespace}/${client.name}`
}
