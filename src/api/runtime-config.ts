import Type, { type Static } from 'typebox'
import {
  countField, enumField, explain, flagField, nameOrEmptyField, objectField, textField, type SchemaRule
} from './field-schemas.ts'
import { CREDENTIAL_FIELDS, CREDENTIAL_PLACE, credentialMessage } from './kinds.ts'
import {
  conditionsField, imagePullSecretsField, observedGenerationField, parentReferenceSchema
} from './kubernetes-schemas.ts'

export const CREATION_SCOPES = ['Cluster', 'Namespace'] as const
export type CreationScope = typeof CREATION_SCOPES[number]

export const RUNTIME_CONFIG_KINDS = ['AIMRuntimeConfig', 'AIMClusterRuntimeConfig'] as const
export type RuntimeConfigKind = typeof RUNTIME_CONFIG_KINDS[number]

const EACH_FIELDS_OWN = { Default: 'that of each field' }

const settings = {
  defaultStorageClassName: Type.Optional(nameOrEmptyField('StorageClass of model caches without one of their own.',
    { Default: 'the cluster\'s default StorageClass', Example: 'fast-nvme' })),
  model: Type.Optional(objectField({
    creationScope: Type.Optional(enumField(CREATION_SCOPES,
      'Where the model of a service\'s spec.model.image is created: as an AIMClusterModel for all namespaces ' +
      '(Cluster), or as an AIMModel of the service\'s namespace (Namespace).',
      { Default: 'Cluster', Example: 'Namespace' })),
    autoDiscovery: Type.Optional(flagField('Whether a discovery job inspects such a model and finds its templates.',
      { Default: 'true', Example: 'true' }))
  }, explain('How models are created for spec.model.image of services.', EACH_FIELDS_OWN))),
  routing: Type.Optional(objectField({
    enabled: Type.Optional(flagField(
      'Whether services are served at a path of the gateway. A service\'s own spec.routing.enabled takes precedence.',
      { Default: 'false', Example: 'true' })),
    gatewayRef: Type.Optional(parentReferenceSchema),
    pathTemplate: Type.Optional(textField(
      'Template of the path of every service without a template of its own: literal text, and JSONPath expressions ' +
      'in braces over the service, as in kubectl. Each must yield exactly one string, number or boolean: ' +
      '{.metadata.namespace}, {.metadata.name}, {.metadata.labels[\'team\']}.', {
        Format: 'at most 200 characters; so is the rendered path, in its final form',
        Default: '/{.metadata.namespace}/{.metadata.name}',
        Example: '/ml/{.metadata.namespace}/{.metadata.name}'
      }))
  }, explain('Routing defaults. A service can override each of the three fields.', { Default: 'no routing' })))
}

const credentials = {
  serviceAccountName: Type.Optional(nameOrEmptyField(
    'ServiceAccount of discovery jobs and of the services\' pods, in the same namespace. ' +
    'A service\'s own spec.serviceAccountName takes precedence.',
    { Default: 'the namespace\'s default ServiceAccount', Example: 'aim-runtime' })),
  imagePullSecrets: Type.Optional(imagePullSecretsField(
    'Secrets of the same namespace with credentials of private registries. A service\'s own come first.',
    { Default: 'none', Example: '[{name: ghcr-secret}]' }))
}

const REFUSED = `Refused here: ${CREDENTIAL_PLACE}.`

/** A cluster configuration has these fields only so that they are refused, not silently pruned. */
const refusedCredentials = {
  serviceAccountName: Type.Optional(textField(REFUSED, { Default: 'none', Example: 'none' })),
  imagePullSecrets: Type.Optional(imagePullSecretsField(REFUSED, { Default: 'none' }))
}

const NO_CLUSTER_CREDENTIALS: readonly SchemaRule[] = CREDENTIAL_FIELDS.map((field) => ({
  rule: `!has(self.${field})`,
  holds: (self) => !Object.hasOwn(self, field),
  message: credentialMessage(field),
  fieldPath: `.${field}`,
  reason: 'FieldValueForbidden'
}))

export const runtimeConfigSpecSchema = objectField({ ...settings, ...credentials }, explain(
  'Settings of the services of this namespace that name this configuration in spec.runtimeConfigName; if it is ' +
  'called default, also of services without a name there. It replaces an AIMClusterRuntimeConfig of the same name ' +
  'whole; the two are never merged.', EACH_FIELDS_OWN))

export const clusterRuntimeConfigSpecSchema = objectField({ ...settings, ...refusedCredentials }, {
  ...explain(
    'Settings of the services of all namespaces that name this configuration in spec.runtimeConfigName; if it is ' +
    'called default, also of services without a name there. An AIMRuntimeConfig of the same name replaces it whole ' +
    'in its namespace. It holds no credentials.', EACH_FIELDS_OWN),
  'x-kubernetes-validations': NO_CLUSTER_CREDENTIALS
})

export const runtimeConfigStatusSchema = objectField({
  observedGeneration: observedGenerationField,
  hash: Type.Optional(textField('Hash of spec, to compare with spec.resolvedRuntimeConfig.hash of a service.', {
    Format: 'sha256: and 64 hex digits, over the RFC 8785 canonical JSON', Default: 'none', Example: 'sha256:4f0c…'
  })),
  services: Type.Optional(objectField({
    total: countField('Services that use this configuration.', { Unit: 'services', Example: '12' }),
    current: countField('Services that carry its present hash.', { Unit: 'services', Example: '11' }),
    failing: countField('Services that use it and are degraded.', { Unit: 'services', Example: '1' })
  }, explain('Progress of the rollout to the services.', { Default: 'none before the first count' }))),
  conditions: conditionsField('State of the rollout, by type: Accepted, RolledOut, RolloutHalted, StatusContested.')
}, explain('Written by the reconciler, read-only.'))

/** Gateway API ParentReference. Source: gateway.networking.k8s.io/v1, "ParentReference". */
export type ParentReference = Readonly<Static<typeof parentReferenceSchema>>

/** The spec of both kinds; a cluster configuration never has the two credential fields. */
export type RuntimeConfigSpec = Readonly<Static<typeof runtimeConfigSpecSchema>>
export type RuntimeConfigStatus = Readonly<Static<typeof runtimeConfigStatusSchema>>
