import Type, { type TObject, type TProperties, type TSchema } from 'typebox'
import { aimServiceSpecSchema, aimServiceStatusSchema } from './aim-service.ts'
import {
  DNS_1123_LABEL, DNS_1123_SUBDOMAIN, enumField, explain, mapField, objectField, type SchemaRule
} from './field-schemas.ts'
import { ownObjects, ownString } from '../platform/json.ts'
import { AIM_CLUSTER_RUNTIME_CONFIG, AIM_RUNTIME_CONFIG, AIM_SERVICE, type Kind } from './kinds.ts'
import { API_VERSION } from './meta.ts'
import { annotationBytes, MAX_ANNOTATION_BYTES } from './object-meta.ts'
import { clusterRuntimeConfigSpecSchema, runtimeConfigSpecSchema, runtimeConfigStatusSchema } from './runtime-config.ts'

/** Rules of offline validation only: no CRD states them. */
const NAMED: SchemaRule = {
  rule: '',
  holds: (self) => ownString(self, 'name') !== '' || ownString(self, 'generateName') !== '',
  message: 'name or generateName is required',
  fieldPath: '.name',
  reason: 'FieldValueRequired'
}
const ANNOTATIONS_FIT: SchemaRule = {
  rule: '',
  holds: (self) => annotationBytes(self) <= MAX_ANNOTATION_BYTES,
  message: `keys and values have more than ${MAX_ANNOTATION_BYTES} bytes together; remove annotations`,
  reason: 'FieldValueInvalid'
}
const ONE_CONTROLLER: SchemaRule = {
  rule: '',
  holds: (self) => ownObjects(self, 'ownerReferences').filter((owner) => owner['controller'] === true).length <= 1,
  message: 'only one reference can have controller set to true',
  fieldPath: '.ownerReferences',
  reason: 'FieldValueInvalid'
}
const NO_EVENT: SchemaRule = {
  rule: '',
  holds: (self) => !/^\/?v1$/.test(ownString(self, 'apiVersion')) || self['kind'] !== 'Event',
  message: 'an Event is disallowed from being an owner',
  reason: 'FieldValueInvalid'
}

const LABEL_VALUE = '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$'
const SUBDOMAIN = DNS_1123_SUBDOMAIN.slice(1, -1)
const KEY = `^((?=.{1,253}/)${SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
const TIME = '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])T([01]\\d|2[0-3])(:[0-5]\\d){2}([.,]\\d+)?' +
  '(Z|[-+]([01]\\d|2[0-4]):[0-5]\\d)$'

const text = (pattern?: string) => Type.String(pattern === undefined ? {} : { pattern })
/** Fields of one schema. */
const each = (names: readonly string[], schema: TSchema): TProperties =>
  Object.fromEntries(names.map((name) => [name, schema]))
const optional = (fields: TProperties): TProperties =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, Type.Optional(field)]))

const ownerReferenceSchema = objectField({
  apiVersion: text('^([^/]*/)?[^/]+$'),
  ...each(['kind', 'name', 'uid'], Type.String({ minLength: 1 })),
  ...optional({ controller: Type.Boolean(), blockOwnerDeletion: Type.Boolean() })
}, { ...explain('An owner.'), 'x-kubernetes-validations': [NO_EVENT] })

const managedFieldsSchema = Type.Unsafe({
  ...objectField(optional({
    ...each(['manager', 'operation', 'apiVersion', 'fieldsType', 'subresource'], text()),
    time: text(TIME),
    fieldsV1: Type.Unknown()
  }), explain('Fields of one manager.')),
  type: ['object', 'null']
})

/**
 * The API server's own checks of metadata, for offline validation; no CRD contains them.
 * Source: metav1.ObjectMeta; apimachinery, ValidateObjectMeta, IsQualifiedName, IsValidLabelValue.
 */
const objectMetaSchema = objectField(optional({
  name: Type.String({ maxLength: 253, pattern: `^$|${DNS_1123_SUBDOMAIN}` }),
  generateName: Type.String({ maxLength: 253, pattern: `^$|${DNS_1123_SUBDOMAIN.replace('$', '-*$')}` }),
  namespace: Type.String({ maxLength: 63, pattern: `^$|${DNS_1123_LABEL}` }),
  labels: {
    ...mapField(Type.String({ maxLength: 63, pattern: LABEL_VALUE }), 'Labels.', {}),
    propertyNames: { type: 'string', pattern: KEY }
  },
  annotations: {
    ...mapField(Type.String(), 'Annotations.', {}),
    propertyNames: { type: 'string', pattern: KEY.replaceAll('a-z0-9', 'A-Za-z0-9').replaceAll('A-ZA-Z', 'A-Z') },
    'x-kubernetes-validations': [ANNOTATIONS_FIT]
  },
  finalizers: Type.Array(text(KEY)),
  ownerReferences: Type.Array(ownerReferenceSchema),
  managedFields: Type.Array(managedFieldsSchema),
  ...each(['uid', 'resourceVersion', 'selfLink'], text()),
  ...each(['creationTimestamp', 'deletionTimestamp'], text(TIME)),
  ...each(['generation', 'deletionGracePeriodSeconds'], Type.Integer())
}), { ...explain('Standard object metadata.'), 'x-kubernetes-validations': [NAMED, ONE_CONTROLLER] })

/** The schema of a whole object of each kind: the source of its CRD and of offline validation. */
export const OBJECT_SCHEMAS: Readonly<Record<Kind['kind'], TObject>> = {
  AIMRuntimeConfig: objectSchema(AIM_RUNTIME_CONFIG, {
    description: 'Settings of the inference services of one namespace: credentials, storage and routing defaults.',
    properties: optional({ spec: runtimeConfigSpecSchema, status: runtimeConfigStatusSchema })
  }),
  AIMClusterRuntimeConfig: objectSchema(AIM_CLUSTER_RUNTIME_CONFIG, {
    description: 'Settings of the inference services of all namespaces without an AIMRuntimeConfig of the same name: ' +
      'storage and routing defaults.',
    properties: optional({ spec: clusterRuntimeConfigSpecSchema, status: runtimeConfigStatusSchema })
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
