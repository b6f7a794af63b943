import Type, { type Static } from 'typebox'
import {
  countField, enumField, explain, flagField, listByKey, mapField, nameField, nameOrEmptyField, namespaceField,
  objectField, textField, wordField, type SchemaRule
} from './field-schemas.ts'
import {
  conditionsField, envVarSchema, imagePullSecretsField, observedGenerationField, parentReferenceSchema,
  resourceRequirementsSchema
} from './kubernetes-schemas.ts'
import { BUILTIN_KIND } from './kinds.ts'
import { CREATION_SCOPES, RUNTIME_CONFIG_KINDS } from './runtime-config.ts'

const CONFIG_SCOPES = ['Namespace', 'Cluster'] as const
export type ConfigScope = typeof CONFIG_SCOPES[number]

const TEMPLATE_EXAMPLE = '/{.metadata.namespace}/{.metadata.labels[\'team\']}/{.metadata.name}'
const PATH_FORMAT = 'an absolute URL path of at most 200 characters'

/** The configuration that a service uses, in the block and in the status. */
const usedConfig = {
  kind: enumField([...RUNTIME_CONFIG_KINDS, BUILTIN_KIND], 'Kind of the configuration; Default: built-in defaults.',
    { Example: 'AIMRuntimeConfig' }),
  scope: enumField(CONFIG_SCOPES, 'Whether it belongs to the service\'s namespace or to the whole cluster.',
    { Example: 'Namespace' }),
  namespace: Type.Optional(namespaceField('Its namespace.',
    { Default: 'none if the scope is Cluster', Example: 'ml-team' })),
  name: nameField('Its name.', { Example: 'default' }),
  hash: textField('Hash of its spec at the time of writing.', {
    Format: 'sha256: and 64 hex digits, over the RFC 8785 canonical JSON', Example: 'sha256:4f0c…'
  }, { pattern: '^sha256:[0-9a-f]{64}$' })
}

const resolvedRuntimeConfigSchema = objectField({
  ...usedConfig,
  defaultStorageClassName: Type.Optional(nameOrEmptyField('The configuration\'s storage class.',
    { Default: 'none', Example: 'fast-nvme' })),
  serviceAccountName: Type.Optional(nameOrEmptyField('The service\'s own account, otherwise the configuration\'s.',
    { Default: 'none', Example: 'aim-runtime' })),
  imagePullSecrets: Type.Optional(imagePullSecretsField(
    'The service\'s own secrets first, then the configuration\'s, one entry a name.',
    { Default: 'none', Example: '[{name: ghcr-secret}]' })),
  model: objectField({
    creationScope: enumField(CREATION_SCOPES, 'Where the model of an image is created.', { Example: 'Cluster' }),
    autoDiscovery: flagField('Whether a discovery job inspects such a model.', { Example: 'true' })
  }, explain('The configuration\'s model settings, with defaults filled in.')),
  routing: objectField({
    enabled: flagField('The service\'s own setting, otherwise the configuration\'s, otherwise false.',
      { Example: 'true' }),
    gatewayRef: Type.Optional(parentReferenceSchema),
    pathTemplate: textField(
      'The service\'s own template, otherwise the configuration\'s, otherwise /{.metadata.namespace}/{.metadata.name}.',
      { Example: TEMPLATE_EXAMPLE }),
    path: Type.Optional(textField('The rendered path.', {
      Format: PATH_FORMAT,
      Default: 'none while routing is disabled, and until the fields that the template needs are set',
      Example: '/ml-team/nlp/llama-chat'
    }))
  }, explain('Each of enabled, gatewayRef and pathTemplate: the service\'s own, otherwise the configuration\'s.'))
}, explain(
  'The runtime configuration of the service and the settings that follow from it. ' +
  'Written at admission, read-only: manual changes are overwritten.',
  { Default: 'none while no configuration of the name exists' }))

const EXACTLY_ONE_MODEL: SchemaRule = {
  rule: 'has(self.ref) != has(self.image)',
  holds: (self) => Object.hasOwn(self, 'ref') !== Object.hasOwn(self, 'image'),
  message:
    'exactly one of ref and image must be set: ref names an AIMModel or AIMClusterModel, image a container image',
  reason: 'FieldValueInvalid'
}

const modelSchema = objectField({
  ref: Type.Optional(nameField('Name of an AIMModel of the same namespace, otherwise of an AIMClusterModel.',
    { Default: 'none', Example: 'meta-llama-3-8b' })),
  image: Type.Optional(wordField('Container image of the model. A model object is created for it if none exists.',
    { Format: 'an image reference', Default: 'none', Example: 'ghcr.io/silogen/aim-meta-llama-3-8b:1.2.0' }))
}, {
  ...explain('The model to serve: exactly one of ref and image.', { Example: '{ref: meta-llama-3-8b}' }),
  'x-kubernetes-validations': [EXACTLY_ONE_MODEL]
})

const TEMPLATES_OWN = 'the template\'s'

const METRICS = ['latency', 'throughput'] as const
const PRECISIONS = ['auto', 'fp4', 'fp8', 'fp16', 'fp32', 'bf16', 'int4', 'int8'] as const

const overridesSchema = objectField({
  metric: Type.Optional(enumField(METRICS, 'Optimization target of the template.',
    { Default: TEMPLATES_OWN, Example: 'latency' })),
  precision: Type.Optional(enumField(PRECISIONS, 'Numeric precision of the model.',
    { Default: TEMPLATES_OWN, Example: 'fp16' })),
  gpuSelector: Type.Optional(objectField({
    count: countField('GPUs of one replica.', { Unit: 'GPUs', Example: '4' }, { minimum: 1 }),
    model: wordField('GPU model.', { Example: 'MI300X' }),
    resourceName: Type.Optional(textField('Resource that the GPUs are requested as.', {
      Default: 'amd.com/gpu', Example: 'amd.com/gpu'
    }, { default: 'amd.com/gpu' }))
  }, explain('GPUs to run on.', { Default: TEMPLATES_OWN })))
}, explain('Settings that override the template\'s.', { Default: 'none' }))

const routingSchema = objectField({
  enabled: Type.Optional(flagField(
    'Whether the service is served at a path of the gateway. Unset is not false: the configuration then decides.',
    { Default: 'the configuration\'s, otherwise false', Example: 'true' })),
  gatewayRef: Type.Optional(parentReferenceSchema),
  annotations: Type.Optional(mapField(textField('Value of one annotation.', { Example: '60s' }),
    'Annotations of the HTTPRoute of this service.', { Default: 'none', Example: '{example.com/timeout: 60s}' })),
  pathTemplate: Type.Optional(textField(
    'Template of the path at which the gateway serves this service: literal text, and JSONPath expressions in braces ' +
    'over this object, as in kubectl. Each must yield exactly one string, number or boolean: {.metadata.namespace}, ' +
    '{.metadata.name}, {.metadata.labels[\'team\']}, {.metadata.labels.app\\.kubernetes\\.io/name}. ' +
    'A slash inside a value separates segments.', {
      Format: 'at most 200 characters; so is the rendered path, in its final form',
      Default: 'the configuration\'s, otherwise /{.metadata.namespace}/{.metadata.name}',
      Example: TEMPLATE_EXAMPLE
    }))
}, explain('How the service is reached over HTTP.', { Default: 'each field is the configuration\'s' }))

export const aimServiceSpecSchema = objectField({
  model: modelSchema,
  templateRef: Type.Optional(nameOrEmptyField(
    'Name of an AIMServiceTemplate of the same namespace, otherwise of an AIMClusterServiceTemplate.',
    { Default: 'the best template of the model', Example: 'llama-3-8b-latency' })),
  cacheModel: Type.Optional(flagField('Whether the model is copied to a cache volume before the service starts.',
    { Default: 'false', Example: 'true' })),
  replicas: Type.Optional(countField('Pods to run.', { Unit: 'pods', Default: '1', Example: '2' },
    { minimum: 0, default: 1 })),
  runtimeConfigName: Type.Optional(nameOrEmptyField(
    'Name of the runtime configuration: the AIMRuntimeConfig of the same namespace, otherwise the ' +
    'AIMClusterRuntimeConfig. Admission sets the default.', { Default: 'default', Example: 'team-config' })),
  serviceAccountName: Type.Optional(nameOrEmptyField('ServiceAccount of the service\'s pods.',
    { Default: 'the configuration\'s', Example: 'aim-runtime' })),
  imagePullSecrets: Type.Optional(imagePullSecretsField(
    'Secrets of the same namespace with credentials of private registries. The configuration\'s are used after them.',
    { Default: 'none', Example: '[{name: ghcr-secret}]' })),
  resources: Type.Optional(resourceRequirementsSchema),
  overrides: Type.Optional(overridesSchema),
  env: Type.Optional(listByKey('name', envVarSchema, explain('Environment variables of the inference container.',
    { Default: 'none', Example: '[{name: VLLM_LOGGING_LEVEL, value: info}]' }))),
  routing: Type.Optional(routingSchema),
  resolvedRuntimeConfig: Type.Optional(resolvedRuntimeConfigSchema)
}, explain('What to serve, and how.'))

/** Other controllers write further status fields. */
const OPEN = { 'x-kubernetes-preserve-unknown-fields': true }

/** An object that the service uses, as this program or an operator that runs models writes it. */
const usedObject = {
  kind: Type.Optional(textField('Its kind.', { Default: 'none', Example: 'AIMRuntimeConfig' })),
  scope: Type.Optional(enumField(['Namespace', 'Cluster', 'Merged', 'Unknown'],
    'Whether it belongs to the namespace, to the cluster, or is merged from both.',
    { Default: 'none', Example: 'Namespace' })),
  namespace: Type.Optional(textField('Its namespace.', { Default: 'none', Example: 'ml-team' })),
  name: Type.Optional(textField('Its name.', { Default: 'none', Example: 'default' })),
  uid: Type.Optional(textField('Its metadata.uid.',
    { Default: 'none', Example: '7d0c4f6e-3c0b-4e57-9d4b-0c9c6a1c7a51' }))
}

export const aimServiceStatusSchema = Type.Object({
  status: Type.Optional(textField('State of the service, as the operator that runs it reports it.',
    { Format: 'Pending, Starting, Running, Failed or Degraded', Default: 'none', Example: 'Running' })),
  observedGeneration: observedGenerationField,
  resolvedRuntimeConfig: Type.Optional(objectField({ ...usedObject, hash: Type.Optional(usedConfig.hash) }, {
    ...explain('The runtime configuration that the service uses.',
      { Default: 'none while no configuration of the name exists' }),
    ...OPEN
  })),
  resolvedImage: Type.Optional(objectField(usedObject,
    { ...explain('The model that the operator uses.', { Default: 'none' }), ...OPEN })),
  resolvedTemplate: Type.Optional(objectField(usedObject,
    { ...explain('The template that the operator uses.', { Default: 'none' }), ...OPEN })),
  routing: Type.Optional(Type.Object({
    path: Type.Optional(textField('The path at which the gateway serves the service.', {
      Format: PATH_FORMAT, Default: 'none while routing is disabled or invalid', Example: '/ml-team/nlp/llama-chat'
    }))
  }, { ...explain('How the service is reached over HTTP.', { Default: 'none' }), ...OPEN })),
  conditions: conditionsField(
    'Observations by type: RuntimeConfigResolved, PathResolved, RoutingReady, Degraded, StatusContested, ' +
    'and those of other controllers.')
}, { ...explain('The observed state of the service, read-only.'), ...OPEN })

export type AIMServiceSpec = Readonly<Static<typeof aimServiceSpecSchema>>
export type AIMServiceStatus = Readonly<Static<typeof aimServiceStatusSchema>>

/** The block that admission writes into a service. */
export type ResolvedRuntimeConfig = Readonly<Static<typeof resolvedRuntimeConfigSchema>>
