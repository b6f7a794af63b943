import type { Operation } from '../api/admission-review.ts'
import type { JsonObject } from '../platform/json.ts'

/** An AdmissionRequest as the webhooks read it. Source: k8s.io/api/admission/v1, AdmissionRequest. */
export interface ReviewRequest {
  /** Never empty. */
  readonly uid: string
  readonly operation: Operation | 'UNKNOWN'
  readonly group: string
  readonly version: string
  /** `request.kind.kind`, as converted for this webhook (`matchPolicy: Equivalent`). */
  readonly kind: string
  /** Plural resource name. */
  readonly resource: string
  /** Empty for the object itself. */
  readonly subResource: string
  /** May be empty on a CREATE with generateName, and for cluster-scoped kinds. */
  readonly name: string
  readonly namespace: string
  readonly dryRun: boolean
  /** Absent on DELETE. */
  readonly object?: JsonObject
  /** Absent on CREATE. */
  readonly oldObject?: JsonObject
}
