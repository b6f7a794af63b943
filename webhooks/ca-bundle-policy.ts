import type { JsonObject } from '../src/platform/json.ts'
import { CONFIGURATION_NAME } from './webhook-configurations.ts'

const API_VERSION = 'admissionregistration.k8s.io/v1'
const MESSAGE = `aim-admission may change nothing but clientConfig.caBundle of the webhooks in ${CONFIGURATION_NAME}`

/**
 * Limits the service account of `serve` to the `caBundle` of its own two webhook configurations, whatever RBAC grants:
 * RBAC cannot limit `patch` to a field. Source: admissionregistration.k8s.io/v1, ValidatingAdmissionPolicy; generally
 * available since Kubernetes 1.30.
 */
export function caBundlePolicy (account: { readonly namespace: string, readonly name: string }): JsonObject[] {
  const metadata = { name: 'aim-admission-ca-bundle-only' }
  return [
    {
      apiVersion: API_VERSION,
      kind: 'ValidatingAdmissionPolicy',
      metadata,
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          resourceRules: [{
            apiGroups: ['admissionregistration.k8s.io'],
            apiVersions: ['*'],
            operations: ['CREATE', 'UPDATE', 'DELETE'],
            resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
            scope: '*'
          }]
        },
        matchConditions: [{
          name: 'by-serve',
          expression: `request.userInfo.username == 'system:serviceaccount:${account.namespace}:${account.name}'`
        }],
        validations: [
          { expression: IS_OWN_UPDATE, message: MESSAGE },
          ...[SAME_METADATA, SAME_WEBHOOKS]
            .map((same) => ({ expression: `!(${IS_OWN_UPDATE}) || (${same})`, message: MESSAGE }))
        ]
      }
    },
    {
      apiVersion: API_VERSION,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: metadata.name, validationActions: ['Deny'] }
    }
  ]
}

const IS_OWN_UPDATE = `request.operation == 'UPDATE' && request.name == '${CONFIGURATION_NAME}'`

/** Without `managedFields`, which the API server writes. */
const METADATA = ['labels', 'annotations', 'ownerReferences', 'finalizers']
const SAME_METADATA = METADATA.map((field) => unchanged('object.metadata', 'oldObject.metadata', field)).join(' && ')

/** Every field of a webhook but its name and `clientConfig`. */
const WEBHOOK = [
  'rules', 'failurePolicy', 'matchPolicy', 'namespaceSelector', 'objectSelector', 'sideEffects', 'timeoutSeconds',
  'admissionReviewVersions', 'matchConditions'
]
// absent after the removal of the last webhook
const SAME_WEBHOOKS = 'has(object.webhooks) && has(oldObject.webhooks) && ' +
  'object.webhooks.map(each, each.name) == oldObject.webhooks.map(each, each.name) && ' +
  `object.webhooks.all(new, oldObject.webhooks.exists_one(old, old.name == new.name && ${[
    ...WEBHOOK.map((field) => unchanged('new', 'old', field)),
    ...['url', 'service'].map((field) => unchanged('new.clientConfig', 'old.clientConfig', field)),
    // mutating webhooks alone have it
    `(request.resource.resource != 'mutatingwebhookconfigurations' || ${unchanged('new', 'old', 'reinvocationPolicy')})`
  ].join(' && ')}))`

function unchanged (one: string, other: string, field: string): string {
  const [a, b] = [`${one}.${field}`, `${other}.${field}`]
  return `has(${a}) == has(${b}) && (!has(${a}) || ${a} == ${b})`
}
