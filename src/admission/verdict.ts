import type { PatchOperation } from '../api/admission-review.ts'
import type { Fault } from '../core/faults.ts'

/** Facts for the API server's audit log, by key without prefix. Source: AdmissionResponse.auditAnnotations. */
export type AuditAnnotations = Readonly<Record<string, string>>

interface Notes {
  /** Most useful first; each one line of at most 256 bytes once encoded. */
  readonly warnings: readonly string[]
  readonly audit?: AuditAnnotations
}

/** The decision of a webhook. Illegal responses cannot be expressed: an empty patch, a refusal without a fault. */
export type Verdict =
  | Notes & { readonly kind: 'admit' }
  | Notes & { readonly kind: 'patch', readonly operations: readonly [PatchOperation, ...PatchOperation[]] }
  | Notes & { readonly kind: 'deny', readonly faults: readonly [Fault, ...Fault[]] }

export const ADMIT: Verdict = Object.freeze({ kind: 'admit', warnings: Object.freeze([]) })
