/** The wire types of admission.k8s.io/v1. Source: k8s.io/api/admission/v1 types.go. */
export const REVIEW_API_VERSION = 'admission.k8s.io/v1'
export const REVIEW_KIND = 'AdmissionReview'

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

/** An RFC 6902 operation, limited to the two that admission writes. */
export type PatchOperation =
  | { readonly op: 'add', readonly path: string, readonly value: unknown }
  | { readonly op: 'remove', readonly path: string }

/** One reason of a refusal; `reason` is the code of the fault. Source: metav1.StatusCause. */
export interface StatusCause { readonly reason: string, readonly message: string, readonly field: string }

/** The metav1.Status of a refusal. */
export interface ReviewStatus {
  readonly status: 'Failure'
  readonly code: number
  readonly reason: 'Invalid'
  readonly message: string
  readonly details: {
    readonly group: string
    readonly kind: string
    readonly name: string
    readonly causes: readonly StatusCause[]
  }
}
