import Type from 'typebox'
import { CONFIG_SCOPES } from './aim-service.ts'
import {
  conditionsField, envVarSchema, imagePullSecretsField, observedGenerationField, parentReferenceSchema, resourceRequirementsSchema
} from './borrowed-schemas.ts'
import {
  countField, enumField, explain, flagField, listByKey, mapField, nameField, nameOrEmptyField, namespaceField, objectField, textField, wordField
} from './field-schemas.ts'
import { CREATION_SCOPES, RUNTIME_CONFIG_KINDS } from './runtime-config.ts'
import { EXACTLY_ONE_MODEL } from './schema-rules.ts'

/** Which configuration won: the same in the block and in the status. */
const winner = {
  kind: enumField(RUNTIME_CONFIG_KINDS, 'Kind of the configuration.', { Example: 'AIMRuntimeConfig' }),
  scope: enumField(CONFIG_SCOPES, "Whether it belongs to the service's namespace or to the whole cluster.", {
    Example: 'Namespace'
  }),
  namespace: Type.Optional(
    namespaceField('Its namespace.', { Default: 'none where the scope is Cluster', Example: 'ml-team' })
  ),
  name: nameField('Its name.', { Example: 'default' }),
  hash: textField('Hash of its spec, as it was when this was written.', {
    Format: 'sha256: and 64 hex digits, over the RFC 8785 canonical JSON', Example: 'sha256:4f0c…'
  }, { pattern: '^sha256:[0-9a-f]{64}$' })
}

/** What admission writes into a service. */
export const resolvedRuntimeConfigSchema = objectField({
  ...winner,
  defaultStorageClassName: Type.Optional(
    nameOrEmptyField("The configuration's storage class.", { Default: 'none', Example: 'fast-nvme' })
  ),
  serviceAccountName: Type.Optional(nameOrEmptyField('The service\'s own service account, else the configuration\'s.', {
    Default: 'none', Example: 'aim-runtime'
  })),
  imagePullSecrets: Type.Optional(imagePullSecretsField('The service\'s own secrets first, then the configuration\'s, one entry a name.', {
    Default: 'none', Example: '[{name: ghcr-secret}]'
  })),
  model: objectField({
    creationScope: enumField(CREATION_SCOPES, 'Where a model is created that the service asks for by image.', {
      Example: 'Cluster'
    }),
    autoDiscovery: flagField('Whether such a model is inspected by a discovery job.', { Example: 'true' })
  }, explain('The configuration\'s model settings, with defaults filled in.')),
  routing: objectField({
    enabled: flagField('The service\'s own setting, else the configuration\'s, else false.', { Example: 'true' }),
    gatewayRef: Type.Optional(parentReferenceSchema),
    pathTemplate: textField('The service\'s own template, else the configuration\'s, else /{.metadata.namespace}/{.metadata.name}.', {
      Example: '/{.metadata.namespace}/{.metadata.labels[\'team\']}/{.metadata.name}'
    }),
    path: Type.Optional(textField('The rendered path.', {
      Format: 'an absolute URL path of at most 200 characters',
      Default: 'none while routing is disabled, and until what the template needs is assigned',
      Example: '/ml-team/nlp/llama-chat'
    }))
  }, explain('Each of enabled, gatewayRef and pathTemplate: the service\'s own, else the configuration\'s.'))
}, explain('The runtime configuration in force and the settings that follow from it. Written at admission, read-only: what is put here by hand is put right.', {
  Default: 'none while no configuration of the name exists'
}))

const modelSchema = objectField({
  ref: Type.Optional(
    nameField('Name of an AIMModel of the same namespace, or else of an AIMClusterModel.', {
      Default: 'none',
      Example: 'meta-llama-3-8b'
    })
  ),
  image: Type.Optional(wordField('Container image of the model. A model object is created for it where none exists.', {
    Format: 'an image reference', Default: 'none', Example: 'ghcr.io/silogen/aim-meta-llama-3-8b:1.2.0'
  }))
}, { ...explain('The model to serve: exactly one of ref and image.', { Example: '{ref: meta-llama-3-8b}' }), 'x-kubernetes-validations': [EXACTLY_ONE_MODEL] })

const overridesSchema = objectField({
  metric: Type.Optional(
    wordField('What the template is to be tuned for: latency or throughput.', {
      Default: "the template's",
      Example: 'latency'
    })
  ),
  precision: Type.Optional(
    wordField('Numeric precision of the model.', { Default: "the template's", Example: 'fp16' })
  ),
  gpuSelector: Type.Optional(objectField({
    count: Type.Optional(
      countField('GPUs of one replica.', { Unit: 'GPUs', Default: "the template's", Example: '4' }, { minimum: 1 })
    ),
    model: Type.Optional(wordField('GPU model.', { Default: 'the template\'s', Example: 'MI300X' }))
  }, explain('GPUs to run on.', { Default: 'the template\'s' })))
}, explain('Settings that count before the template\'s.', { Default: 'none' }))

const routingSchema = objectField({
  enabled: Type.Optional(flagField('Whether the service is served at a path of the gateway. Unset is not false: the configuration decides then.', {
    Default: 'the configuration\'s, else false', Example: 'true'
  })),
  gatewayRef: Type.Optional(parentReferenceSchema),
  annotations: Type.Optional(mapField(textField('Value of one annotation.', { Example: '60s' }),
    'Annotations of the HTTPRoute that is made for this service.', { Default: 'none', Example: '{example.com/timeout: 60s}' })),
  pathTemplate: Type.Optional(textField(
    'Template of the path at which the gateway serves this service: literal text, and JSONPath expressions in braces as kubectl writes them, ' +
    'over this object. Each must yield exactly one text, number or boolean: {.metadata.namespace}, {.metadata.name}, {.metadata.labels[\'team\']}, ' +
    '{.metadata.labels.app\\.kubernetes\\.io/name}. A slash inside a value separates segments.', {
      Format: 'at most 200 characters; so is the rendered path, lowercased and percent-encoded',
      Default: 'the configuration\'s, else /{.metadata.namespace}/{.metadata.name}',
      Example: '/{.metadata.namespace}/{.metadata.labels[\'team\']}/{.metadata.name}'
    }))
}, explain('How the service is reached over HTTP.', { Default: 'each field is the configuration\'s' }))

export const aimServiceSpecSchema = objectField({
  model: modelSchema,
  templateRef: Type.Optional(nameField('Name of an AIMServiceTemplate of the same namespace, or else of an AIMClusterServiceTemplate.', {
    Default: 'the best template of the model', Example: 'llama-3-8b-latency'
  })),
  cacheModel: Type.Optional(
    flagField('Whether the model is put into a cache volume before the service starts.', {
      Default: 'false',
      Example: 'true'
    })
  ),
  replicas: Type.Optional(
    countField('Pods to run.', { Unit: 'pods', Default: '1', Example: '2' }, { minimum: 0, default: 1 })
  ),
  runtimeConfigName: Type.Optional(nameField(
    'Name of the runtime configuration: the AIMRuntimeConfig of the same namespace, or else the AIMClusterRuntimeConfig. Admission writes the default out.', {
      Default: 'default', Example: 'team-config'
    })),
  serviceAccountName: Type.Optional(
    nameOrEmptyField("ServiceAccount of the service's pods.", {
      Default: "the configuration's",
      Example: 'aim-runtime'
    })
  ),
  imagePullSecrets: Type.Optional(imagePullSecretsField(
    'Secrets of the same namespace with credentials of private registries. The configuration\'s are used after them.', {
      Default: 'none', Example: '[{name: ghcr-secret}]'
    })),
  resources: Type.Optional(resourceRequirementsSchema),
  overrides: Type.Optional(overridesSchema),
  env: Type.Optional(listByKey('name', envVarSchema, explain('Environment variables of the inference container.', {
    Default: 'none', Example: '[{name: VLLM_LOGGING_LEVEL, value: info}]'
  }))),
  routing: Type.Optional(routingSchema),
  resolvedRuntimeConfig: Type.Optional(resolvedRuntimeConfigSchema)
}, explain('What to serve, and how.'))

/** The status fields of other controllers are left as they are, also beside the path. */
const OPEN = { 'x-kubernetes-preserve-unknown-fields': true }

export const aimServiceStatusSchema = Type.Object({
  observedGeneration: observedGenerationField,
  resolvedRuntimeConfig: Type.Optional(objectField({
    ...winner,
    uid: Type.Optional(
      textField('Its metadata.uid.', { Default: 'none', Example: '7d0c4f6e-3c0b-4e57-9d4b-0c9c6a1c7a51' })
    )
  }, explain('The runtime configuration that the service uses.', { Default: 'none while no configuration of the name exists' }))),
  routing: Type.Optional(Type.Object({
    path: Type.Optional(textField('The path at which the gateway serves the service.', {
      Format: 'an absolute URL path of at most 200 characters', Default: 'none while routing is disabled or faulty', Example: '/ml-team/nlp/llama-chat'
    }))
  }, { ...explain('How the service is reached over HTTP.', { Default: 'none' }), ...OPEN })),
  conditions: conditionsField(
    'Observations by type: RuntimeConfigResolved, RoutingReady, Degraded, and those of other controllers.'
  )
}, { ...explain('What is known of the running service, read-only.'), ...OPEN })
