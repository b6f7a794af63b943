import type { PatchOperation } from '../api/admission-review.ts'
import type { Fault } from '../core/rules/faults.ts'

/** Facts for the API server's audit log, by key without prefix. Source: AdmissionResponse.auditAnnotations. */
export type AuditAnnotations = Readonly<Record<string, string>>

interface AdmissionResponse {
  /** Most useful first; each one line of at most 256 bytes once encoded. */
  readonly warnings: readonly string[]
  readonly audit?: AuditAnnotations
}

/**
 * What a webhook decides. An illegal reply cannot be written down: a patch is never empty, a refusal never without a
 * fault.
 */
export type Verdict =
  | AdmissionResponse & { readonly kind: 'admit' }
  | AdmissionResponse & { readonly kind: 'patch', readonly operations: readonly [PatchOperation, ...PatchOperation[]] }
  | AdmissionResponse & { readonly kind: 'deny', readonly faults: readonly [Fault, ...Fault[]] }

export const ADMIT: Verdict = Object.freeze({ kind: 'admit', warnings: Object.freeze([]) })
