import Type from 'typebox'
import type { TObject, TProperties } from 'typebox'
import { aimServiceSpecSchema, aimServiceStatusSchema } from './aim-service-schema.ts'
import { enumField, explain, objectField } from './field-schemas.ts'
import { AIM_CLUSTER_RUNTIME_CONFIG, AIM_RUNTIME_CONFIG, AIM_SERVICE, type Kind } from './kinds.ts'
import { API_VERSION } from './meta.ts'
import { objectMetaSchema } from './object-meta-schema.ts'
import {
  clusterRuntimeConfigSpecSchema, runtimeConfigSpecSchema, runtimeConfigStatusSchema
} from './runtime-config-schema.ts'

/** The schema of a whole object of each kind, metadata included: the one source of its CRD and of its validator. */
export const OBJECT_SCHEMAS: Readonly<Record<Kind['kind'], TObject>> = {
  AIMRuntimeConfig: objectSchema(AIM_RUNTIME_CONFIG, {
    description: 'Settings of the inference services of one namespace: credentials, storage and routing defaults.',
    properties: { spec: Type.Optional(runtimeConfigSpecSchema), status: Type.Optional(runtimeConfigStatusSchema) }
  }),
  AIMClusterRuntimeConfig: objectSchema(AIM_CLUSTER_RUNTIME_CONFIG, {
    description:
      'Settings of the inference services of all namespaces without an AIMRuntimeConfig of the same name: storage and routing defaults.',
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
    apiVersion: enumField([API_VERSION], 'Version of the schema that this object is written in.', {
      Example: API_VERSION
    }),
    kind: enumField([kind], 'What this object is.', { Example: kind }),
    metadata: objectMetaSchema,
    ...own.properties
  }, explain(own.description))
}
