import Type, { type TObject, type TProperties } from 'typebox'
import { aimServiceSpecSchema, aimServiceStatusSchema } from './aim-service.ts'
import {
  DNS_1123_LABEL, DNS_1123_SUBDOMAIN, enumField, explain, mapField, objectField, type SchemaRule
} from './field-schemas.ts'
import { AIM_CLUSTER_RUNTIME_CONFIG, AIM_RUNTIME_CONFIG, AIM_SERVICE, type Kind } from './kinds.ts'
import { API_VERSION } from './meta.ts'
import { clusterRuntimeConfigSpecSchema, runtimeConfigSpecSchema, runtimeConfigStatusSchema } from './runtime-config.ts'

const NAMED: SchemaRule = {
  rule: 'has(self.name) || has(self.generateName)',
  holds: (self) => Object.hasOwn(self, 'name') || Object.hasOwn(self, 'generateName'),
  message: 'name or generateName is required',
  fieldPath: '.name',
  reason: 'FieldValueRequired'
}

/** Written by the API server and found in the output of `kubectl get`; not validated. */
const SERVER_METADATA = [
  'creationTimestamp', 'deletionGracePeriodSeconds', 'deletionTimestamp', 'finalizers', 'generation', 'managedFields',
  'ownerReferences', 'resourceVersion', 'selfLink', 'uid'
]
const LABEL_VALUE = '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$'
const LABEL_KEY = '^(?=.{1,317}$)([a-z0-9][-a-z0-9.]*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'

/**
 * The API server's own checks of metadata, for offline validation; no CRD contains them.
 * Source: metav1.ObjectMeta; apimachinery, IsQualifiedName, IsValidLabelValue.
 */
const objectMetaSchema = objectField({
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 253, pattern: DNS_1123_SUBDOMAIN })),
  generateName: Type.Optional(Type.String({ pattern: DNS_1123_SUBDOMAIN.replace('$', '-*$') })),
  namespace: Type.Optional(Type.String({ maxLength: 63, pattern: `^$|${DNS_1123_LABEL}` })),
  labels: Type.Optional({
    ...mapField(Type.String({ maxLength: 63, pattern: LABEL_VALUE }), 'Labels.', {}),
    propertyNames: { type: 'string', pattern: LABEL_KEY }
  }),
  annotations: Type.Optional(mapField(Type.String(), 'Annotations.', {})),
  ...Object.fromEntries(SERVER_METADATA.map((field) => [field, Type.Optional(Type.Unknown())]))
}, { ...explain('Standard object metadata.'), 'x-kubernetes-validations': [NAMED] })

/** The schema of a whole object of each kind: the source of its CRD and of offline validation. */
export const OBJECT_SCHEMAS: Readonly<Record<Kind['kind'], TObject>> = {
  AIMRuntimeConfig: objectSchema(AIM_RUNTIME_CONFIG, {
    description: 'Settings of the inference services of one namespace: credentials, storage and routing defaults.',
    properties: { spec: Type.Optional(runtimeConfigSpecSchema), status: Type.Optional(runtimeConfigStatusSchema) }
  }),
  AIMClusterRuntimeConfig: objectSchema(AIM_CLUSTER_RUNTIME_CONFIG, {
    description: 'Settings of the inference services of all namespaces without an AIMRuntimeConfig of the same name: ' +
      'storage and routing defaults.',
    properties: {
      spec: Type.Optional(clusterRuntimeConfigSpecSchema),
      status: Type.Optional(runtimeConfigStatusSchema)
    }
  }),
  AIMService: objectSchema(AIM_SERVICE, {
    description: 'An AI model that is served over HTTP.',
    properties: { spec: aimServiceSpecSchema, status: Type.Optional(aimServiceStatusSchema) }
  })
}

function objectSchema ({ kind }: Kind, own: { description: string, properties: TProperties }): TObject {
  return objectField({
    apiVersion: enumField([API_VERSION], 'Version of the schema of this object.', { Example: API_VERSION }),
    kind: enumField([kind], 'Kind of this object.', { Example: kind }),
    metadata: objectMetaSchema,
    ...own.properties
  }, explain(own.description))
}
