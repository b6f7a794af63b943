import Type, { type Static } from 'typebox'
import {
  DNS_1123_SUBDOMAIN, enumField, explain, flagField, integerField, listByKey, mapField, nameField, nameOrEmptyField,
  namespaceField, objectField, textField, wordField, type FieldFacts
} from './field-schemas.ts'

// Types of Kubernetes and of the Gateway API, limited to the fields that the three kinds use.

/** An unset name is stored as the empty string. Source: core/v1, LocalObjectReference. */
const referenceNameField = (what: string, example: string) => Type.Optional(
  Type.String({ ...nameOrEmptyField(what, { Default: 'empty', Example: example }), default: '' }))

/** Source: core/v1, LocalObjectReference. */
export const localObjectReferenceSchema = objectField({
  name: referenceNameField('Name of a Secret in the same namespace; empty refers to none.', 'registry-credentials')
}, explain('The name of one Secret.'))

export const imagePullSecretsField = (what: string, facts: FieldFacts) =>
  listByKey('name', localObjectReferenceSchema, explain(what, facts))

/** Source: gateway.networking.k8s.io/v1, ParentReference. */
export const parentReferenceSchema = objectField({
  group: Type.Optional(textField('API group of the referent.', {
    Format: 'DNS-1123 subdomain, or empty for the core group',
    Default: 'gateway.networking.k8s.io',
    Example: 'gateway.networking.k8s.io'
  }, { maxLength: 253, pattern: `^$|${DNS_1123_SUBDOMAIN}` })),
  kind: Type.Optional(textField('Kind of the referent.', {
    Format: 'letters, digits and "-"', Default: 'Gateway', Example: 'Gateway'
  }, { minLength: 1, maxLength: 63, pattern: '^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$' })),
  namespace: Type.Optional(namespaceField('Namespace of the referent.',
    { Default: 'the namespace of the service', Example: 'kgateway-system' })),
  name: textField('Name of the referent.', { Example: 'kserve-gateway' }, { minLength: 1, maxLength: 253 }),
  sectionName: Type.Optional(nameField('Name of a listener of the Gateway.',
    { Default: 'every listener', Example: 'https' })),
  port: Type.Optional(integerField('Port of the Gateway\'s listeners.', {
    Format: 'a number from 1 to 65535', Default: 'every port', Example: '443'
  }, { minimum: 1, maximum: 65535 }))
}, explain('The Gateway that serves the path, as a ParentReference of gateway.networking.k8s.io/v1. ' +
  'The gateway of a service replaces the gateway of its configuration whole.', {
  Default: 'none; on a service, the configuration\'s', Example: '{name: kserve-gateway, namespace: kgateway-system}'
}))

/** Source: apimachinery, resource.Quantity. */
const quantityField = (what: string, facts: FieldFacts) => Type.Unsafe<number | string>({
  ...explain(what, { Format: 'a Kubernetes quantity', ...facts }),
  pattern: '^[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$',
  'x-kubernetes-int-or-string': true
})

const amountField = quantityField('Amount of one resource.',
  { Unit: 'cores for cpu, bytes for memory and storage; others are counted', Example: '32Gi' })

/** Source: core/v1, ResourceRequirements. */
export const resourceRequirementsSchema = objectField({
  limits: Type.Optional(mapField(amountField, 'The most that the container can use, by resource.',
    { Default: 'the template\'s', Example: '{memory: 64Gi, amd.com/gpu: 1}' })),
  requests: Type.Optional(mapField(amountField, 'What is reserved for the container, by resource.',
    { Default: 'the limits', Example: '{cpu: 4, memory: 32Gi}' })),
  claims: Type.Optional(listByKey('name', objectField({
    name: wordField('Name of one entry of the pod\'s resource claims.', { Example: 'gpu' }),
    request: Type.Optional(textField('Name of one request of that claim.', { Default: 'all', Example: 'large' }))
  }, explain('One claim.')), explain('Claims of dynamic resource allocation that the container uses.',
    { Default: 'none', Example: '[{name: gpu}]' })))
}, explain('Compute resources of the inference container, as in a pod.', { Default: 'the template\'s' }))

const keyReference = (what: 'ConfigMap' | 'Secret') => objectField({
  name: referenceNameField(`Name of a ${what} in the same namespace.`, 'model-settings'),
  key: textField(`Key of the ${what}.`, { Format: 'letters, digits, "-", "_" and "."', Example: 'token' },
    { minLength: 1, maxLength: 253, pattern: '^[-._a-zA-Z0-9]+$' }),
  optional: Type.Optional(flagField(`Whether the ${what} or its key may be missing.`,
    { Default: 'false', Example: 'true' }))
}, explain(`One key of a ${what} in the same namespace.`, { Default: 'none' }))

/** Source: core/v1, EnvVar. */
export const envVarSchema = objectField({
  name: textField('Name of the variable.', { Format: 'printable ASCII without "="', Example: 'HF_TOKEN' },
    { minLength: 1, pattern: '^[ -<>-~]+$' }),
  value: Type.Optional(textField('Its value; not together with valueFrom. $(NAME) refers to an earlier variable.',
    { Default: 'empty', Example: 'info' })),
  valueFrom: Type.Optional(objectField({
    configMapKeyRef: Type.Optional(keyReference('ConfigMap')),
    secretKeyRef: Type.Optional(keyReference('Secret')),
    fieldRef: Type.Optional(objectField({
      apiVersion: Type.Optional(textField('Version of the schema that fieldPath is written in.',
        { Default: 'v1', Example: 'v1' })),
      fieldPath: textField('Field of the pod.', { Example: 'metadata.name' })
    }, explain('A field of the pod.', { Default: 'none' }))),
    resourceFieldRef: Type.Optional(objectField({
      containerName: Type.Optional(textField('Container that has the resource.',
        { Default: 'the container itself', Example: 'kserve-container' })),
      resource: textField('Resource of the container.', { Example: 'limits.memory' }),
      divisor: Type.Optional(quantityField('Divisor of the amount.', { Default: '1', Example: '1Mi' }))
    }, explain('A resource of the container.', { Default: 'none' })))
  }, explain('Where the value comes from; not together with value.', { Default: 'none' })))
}, explain('One environment variable, as in a pod.'))

const CONDITION_TYPE =
  '^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$'

/** Source: metav1.Condition. */
export const conditionSchema = objectField({
  type: textField('Type of the condition.', { Format: 'CamelCase', Example: 'RoutingReady' },
    { maxLength: 316, pattern: CONDITION_TYPE }),
  status: enumField(['True', 'False', 'Unknown'], 'Whether the condition holds.', { Example: 'True' }),
  observedGeneration: Type.Optional(integerField('The metadata.generation that the condition was observed for.', {
    Default: 'none', Example: '3'
  }, { minimum: 0 })),
  lastTransitionTime: textField('When the status last changed.', {
    Format: 'RFC 3339, UTC', Example: '2026-01-31T09:30:00Z'
  }, { format: 'date-time' }),
  reason: textField('The reason as one stable word for programs.', { Format: 'CamelCase', Example: 'PathRendered' },
    { minLength: 1, maxLength: 1024, pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$' }),
  message: textField('The reason as a sentence for people.', {
    Example: 'label "team" is not set on this service'
  }, { maxLength: 32768 })
}, explain('One observation of the object\'s state.'))

export type Condition = Readonly<Static<typeof conditionSchema>>

export const conditionsField = (what: string) =>
  Type.Optional(listByKey('type', conditionSchema, explain(what, { Default: 'none' })))

export const observedGenerationField = Type.Optional(integerField(
  'The metadata.generation that this status was written for.', { Default: 'none', Example: '3' }, { minimum: 0 }))
