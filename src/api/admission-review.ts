/** The wire types of admission.k8s.io/v1. Source: k8s.io/api/admission/v1 types.go. */
export const REVIEW_API_VERSION = 'admission.k8s.io/v1'
export const REVIEW_KIND = 'AdmissionReview'

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

/** One RFC 6902 operation; only the three that cannot fail on a well-formed parent are ever sent. */
export type PatchOperation =
  | { readonly op: 'add' | 'replace', readonly path: string, readonly value: unknown }
  | { readonly op: 'remove', readonly path: string }

/** One reason of a refusal. Source: metav1.StatusCause; `reason` holds the fault's stable code. */
export interface StatusCause { readonly reason: string, readonly message: string, readonly field: string }

/** metav1.Status as a refusal carries it. */
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
