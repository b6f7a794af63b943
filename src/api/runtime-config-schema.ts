import Type from 'typebox'
import {
  conditionsField, imagePullSecretsField, observedGenerationField, parentReferenceSchema
} from './borrowed-schemas.ts'
import { countField, enumField, explain, flagField, nameOrEmptyField, objectField, textField } from './field-schemas.ts'
import { CREATION_SCOPES } from './runtime-config.ts'
import { NO_CLUSTER_CREDENTIALS } from './schema-rules.ts'

const settings = {
  defaultStorageClassName: Type.Optional(nameOrEmptyField('StorageClass of model caches for which none is named.', {
    Default: 'the cluster\'s default StorageClass', Example: 'fast-nvme'
  })),
  model: Type.Optional(objectField({
    creationScope: Type.Optional(enumField(CREATION_SCOPES,
      'Where a model is created that a service asks for by spec.model.image: as an AIMClusterModel for all namespaces (Cluster), ' +
      'or as an AIMModel of the service\'s namespace (Namespace).', { Default: 'Cluster', Example: 'Namespace' })),
    autoDiscovery: Type.Optional(flagField('Whether a model created so is inspected by a discovery job, which finds its templates.', {
      Default: 'true', Example: 'true'
    }))
  }, explain('How models are created that services ask for by spec.model.image.', { Default: 'that of each field' }))),
  routing: Type.Optional(objectField({
    enabled: Type.Optional(flagField('Whether services are served at a path of the gateway. A service\'s own spec.routing.enabled counts first.', {
      Default: 'false', Example: 'true'
    })),
    gatewayRef: Type.Optional(parentReferenceSchema),
    pathTemplate: Type.Optional(textField(
      'Template of the path of every service that gives none itself: literal text, and JSONPath expressions in braces as kubectl writes them, ' +
      'over the service. Each must yield exactly one text, number or boolean: {.metadata.namespace}, {.metadata.name}, {.metadata.labels[\'team\']}.', {
        Format: 'at most 200 characters; so is the rendered path, lowercased and percent-encoded',
        Default: '/{.metadata.namespace}/{.metadata.name}',
        Example: '/ml/{.metadata.namespace}/{.metadata.name}'
      }))
  }, explain('Routing defaults. A service overrides each of the three fields by its own.', { Default: 'no routing' })))
}

const credentials = {
  serviceAccountName: Type.Optional(nameOrEmptyField(
    'ServiceAccount of discovery jobs and of the services\' pods, in the same namespace. A service\'s own spec.serviceAccountName counts first.', {
      Default: 'the namespace\'s default ServiceAccount', Example: 'aim-runtime'
    })),
  imagePullSecrets: Type.Optional(imagePullSecretsField(
    'Secrets of the same namespace with credentials of private registries. A service\'s own come first, these after them.', {
      Default: 'none', Example: '[{name: ghcr-secret}]'
    }))
}

const REFUSED = 'Refused here: credentials belong in an AIMRuntimeConfig of the namespace that needs them.'

const refusedCredentials = {
  serviceAccountName: Type.Optional(textField(REFUSED, { Default: 'none', Example: 'none' })),
  imagePullSecrets: Type.Optional(imagePullSecretsField(REFUSED, { Default: 'none' }))
}

export const runtimeConfigSpecSchema = objectField({ ...settings, ...credentials }, explain(
  'Settings of the services of this namespace that name this configuration in spec.runtimeConfigName; of those that name none, where it is called default. ' +
  'It replaces an AIMClusterRuntimeConfig of the same name whole; the two are never merged.', { Default: 'that of each field' }))

export const clusterRuntimeConfigSpecSchema = objectField({ ...settings, ...refusedCredentials }, {
  ...explain('Settings of the services of all namespaces that name this configuration in spec.runtimeConfigName; of those that name none, where it is ' +
    'called default. An AIMRuntimeConfig of the same name replaces it whole in its namespace. It holds no credentials.', { Default: 'that of each field' }),
  'x-kubernetes-validations': NO_CLUSTER_CREDENTIALS
})

export const runtimeConfigStatusSchema = objectField({
  observedGeneration: observedGenerationField,
  hash: Type.Optional(textField('Hash of spec, to compare with spec.resolvedRuntimeConfig.hash of a service.', {
    Format: 'sha256: and 64 hex digits, over the RFC 8785 canonical JSON', Default: 'none', Example: 'sha256:4f0c…'
  })),
  services: Type.Optional(objectField({
    total: countField('Services that use this configuration.', { Unit: 'services', Example: '12' }, { minimum: 0 }),
    current: countField(
      'Those of them that carry its present hash.',
      { Unit: 'services', Example: '11' },
      { minimum: 0 }
    ),
    failing: countField('Those of them that are degraded.', { Unit: 'services', Example: '1' }, { minimum: 0 })
  }, explain('How far this configuration has been carried to the services that use it.', { Default: 'none before the first count' }))),
  conditions: conditionsField(
    "What is known of this configuration's roll-out, by type: Accepted, RolledOut, RolloutHalted."
  )
}, explain('Written by the reconciler, read-only.'))
