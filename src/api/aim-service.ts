import type { Static } from 'typebox'
import type { aimServiceSpecSchema, aimServiceStatusSchema, resolvedRuntimeConfigSchema } from './aim-service-schema.ts'
import type { API_VERSION, ObjectMeta } from './meta.ts'

export const CONFIG_SCOPES = ['Namespace', 'Cluster'] as const
export type ConfigScope = typeof CONFIG_SCOPES[number]

export type AIMServiceSpec = Readonly<Static<typeof aimServiceSpecSchema>>
export type AIMServiceStatus = Readonly<Static<typeof aimServiceStatusSchema>>

/** What admission writes into a service: which configuration won, and the settings that follow from it. */
export type ResolvedRuntimeConfig = Readonly<Static<typeof resolvedRuntimeConfigSchema>>

export interface AIMServiceObject {
  readonly apiVersion: typeof API_VERSION
  readonly kind: 'AIMService'
  readonly metadata: ObjectMeta
  readonly spec: AIMServiceSpec
  readonly status?: AIMServiceStatus
}
