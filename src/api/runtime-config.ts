import type { Static } from 'typebox'
import type { localObjectReferenceSchema, parentReferenceSchema } from './borrowed-schemas.ts'
import type { API_VERSION, ObjectMeta } from './meta.ts'
import type { runtimeConfigSpecSchema, runtimeConfigStatusSchema } from './runtime-config-schema.ts'

/** Gateway API ParentReference. Source: gateway.networking.k8s.io/v1, "ParentReference". */
export type ParentReference = Readonly<Static<typeof parentReferenceSchema>>
export type LocalObjectReference = Readonly<Static<typeof localObjectReferenceSchema>>

export const CREATION_SCOPES = ['Cluster', 'Namespace'] as const
export type CreationScope = typeof CREATION_SCOPES[number]

export const RUNTIME_CONFIG_KINDS = ['AIMRuntimeConfig', 'AIMClusterRuntimeConfig'] as const
export type RuntimeConfigKind = typeof RUNTIME_CONFIG_KINDS[number]

/** The spec of both runtime configuration kinds; a cluster one never carries the two credential fields. */
export type RuntimeConfigSpec = Readonly<Static<typeof runtimeConfigSpecSchema>>
export type RuntimeConfigStatus = Readonly<Static<typeof runtimeConfigStatusSchema>>

export interface RuntimeConfigObject {
  readonly apiVersion: typeof API_VERSION
  readonly kind: RuntimeConfigKind
  readonly metadata: ObjectMeta
  readonly spec?: RuntimeConfigSpec
  readonly status?: RuntimeConfigStatus
}
