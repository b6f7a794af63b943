import Type from 'typebox'
import { DNS_1123_SUBDOMAIN, explain, mapField, objectField } from './field-schemas.ts'
import { NAMED } from './schema-rules.ts'

/**
 * What the API server itself checks of metadata; no CRD holds it. Source: metav1.ObjectMeta; apimachinery,
 * IsQualifiedName, IsValidLabelValue.
 */
export const objectMetaSchema = objectField({
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 253, pattern: DNS_1123_SUBDOMAIN })),
  generateName: Type.Optional(Type.String({ pattern: DNS_1123_SUBDOMAIN.replace('$', '-*$') })),
  namespace: Type.Optional(Type.String({ maxLength: 63, pattern: '^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' })),
  labels: Type.Optional({
    ...mapField(
      Type.String({ maxLength: 63, pattern: '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$' }),
      'Labels.',
      {}
    ),
    propertyNames: {
      type: 'string',
      pattern: '^(?=.{1,317}$)([a-z0-9][-a-z0-9.]*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'
    }
  }),
  annotations: Type.Optional(mapField(Type.String(), 'Annotations.', {})),
  // written by the API server: found in what kubectl get prints, and not ours to judge
  ...Object.fromEntries([
    'creationTimestamp', 'deletionGracePeriodSeconds', 'deletionTimestamp', 'finalizers', 'generation', 'managedFields', 'ownerReferences',
    'resourceVersion', 'selfLink', 'uid'
  ].map((field) => [field, Type.Optional(Type.Unknown())]))
}, { ...explain('Standard object metadata.'), 'x-kubernetes-validations': [NAMED] })
