import type { WebhookRegistration, Webhook } from './webhook.ts'
import type { JsonObject } from '../src/platform/json.ts'

/** The part of a webhook that its registration depends on. */
export type RegisteredWebhook = Pick<Webhook, 'path' | 'type' | 'resource' | 'registrations'>

/**
 * How the API server reaches the webhooks. `caBundle` is base64 of PEM; in a cluster the certificate issuer sets it.
 */
export type WebhookClient =
  | { readonly kind: 'service', readonly name: string, readonly namespace: string }
  | { readonly kind: 'url', readonly url: string, readonly caBundle: string }

export interface WebhookConfigurationOptions {
  readonly client: WebhookClient
  /** For registrations with the failure policy `Configured`. */
  readonly failurePolicy: 'Fail' | 'Ignore'
  /** 1 to 5. */
  readonly timeoutSeconds: number
  /** The program's own namespace, exempt like kube-system. */
  readonly namespace: string
}

/** Requests by this user skip both webhooks. It is impersonated: `kubectl apply --as=aim-admission:break-glass`. */
export const BREAK_GLASS_USER = 'aim-admission:break-glass'

/**
 * When the API server calls a webhook. It depends on the request alone, so no manifest can skip a webhook.
 * Source: admissionregistration.k8s.io/v1, MatchCondition; generally available since Kubernetes 1.30.
 */
export const MATCH_CONDITIONS: readonly JsonObject[] = [
  { name: 'not-break-glass', expression: `request.userInfo.username != '${BREAK_GLASS_USER}'` }
]

export const CONFIGURATION_NAME = 'aim-admission'

/** The mutating and the validating configuration of these webhooks. Source: admissionregistration.k8s.io/v1. */
export function webhookConfigurations (
  webhooks: readonly RegisteredWebhook[], options: WebhookConfigurationOptions
): JsonObject[] {
  return (['mutating', 'validating'] as const).map((type) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: type === 'mutating' ? 'MutatingWebhookConfiguration' : 'ValidatingWebhookConfiguration',
    metadata: { name: CONFIGURATION_NAME },
    webhooks: webhooks.filter((webhook) => webhook.type === type).flatMap((webhook) =>
      webhook.registrations.map((registration) => entry(webhook, registration, options)))
  }))
}

function entry (
  { path, type, resource }: RegisteredWebhook, registration: WebhookRegistration, options: WebhookConfigurationOptions
): JsonObject {
  const { group, version, scope, resource: plural } = resource
  return {
    name: registration.name,
    clientConfig: clientConfig(options.client, path),
    rules: [{
      apiGroups: [group], apiVersions: [version], operations: registration.operations, resources: [plural], scope
    }],
    ...(scope === 'Namespaced' && { namespaceSelector: exempt('kube-system', options.namespace) }),
    failurePolicy: registration.failurePolicy === 'Configured' ? options.failurePolicy : registration.failurePolicy,
    matchPolicy: 'Equivalent',
    matchConditions: MATCH_CONDITIONS,
    ...(type === 'mutating' && { reinvocationPolicy: 'IfNeeded' }),
    sideEffects: 'None',
    timeoutSeconds: options.timeoutSeconds,
    admissionReviewVersions: ['v1']
  }
}

function clientConfig (client: WebhookClient, path: string): JsonObject {
  if (client.kind === 'service') return { service: { namespace: client.namespace, name: client.name, path } }
  return { url: client.url.replace(/\/$/, '') + path, caBundle: client.caBundle }
}

/** The API server sets this label to the name of each namespace. */
function exempt (...namespaces: readonly string[]): JsonObject {
  const values = [...new Set(namespaces)]
  return { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values }] }
}
