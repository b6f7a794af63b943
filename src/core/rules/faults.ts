/** Condition reasons of `RoutingReady` and `RuntimeConfigResolved` that a fault leads to in a service's status. */
export type ConditionReason =
  | 'RuntimeConfigMissing' | 'PathTemplateInvalid' | 'PathFieldMissing' | 'PathTooLong' | 'PathConflict'

interface CatalogueEntry {
  /** HTTP-like status of a refusal with this fault. */
  readonly status: 422
  /** The reason a service's condition shows while the fault lasts; absent for faults no stored service can have. */
  readonly reason?: ConditionReason
  /** One sentence for docs/faults.md. */
  readonly summary: string
}

/** The closed set of faults. A code is stable: it is never renamed or used for something else. */
export const FAULTS = {
  'AIM-TEMPLATE-TOO-LONG': {
    status: 422,
    reason: 'PathTemplateInvalid',
    summary: 'The path template has more than 200 characters.'
  },
  'AIM-TEMPLATE-SYNTAX': {
    status: 422,
    reason: 'PathTemplateInvalid',
    summary: 'The path template or one of its expressions cannot be read.'
  },
  'AIM-TEMPLATE-UNSUPPORTED': {
    status: 422,
    reason: 'PathTemplateInvalid',
    summary:
      'kubectl may accept the expression, this product does not: it would run code, loop, or name something that is not stable.'
  },
  'AIM-TEMPLATE-TOO-COMPLEX': {
    status: 422,
    reason: 'PathTemplateInvalid',
    summary: 'The template exceeds a cap on placeholders, bytes or depth, or would take too long to evaluate.'
  },
  'AIM-PATH-FIELD-MISSING': {
    status: 422,
    reason: 'PathFieldMissing',
    summary: 'An expression names a field, label or annotation that is not set on the service.'
  },
  'AIM-PATH-VALUE-EMPTY': {
    status: 422,
    reason: 'PathFieldMissing',
    summary: 'An expression yields an empty string or null.'
  },
  'AIM-PATH-VALUE-NOT-SCALAR': {
    status: 422,
    reason: 'PathFieldMissing',
    summary: 'An expression yields a list or an object.'
  },
  'AIM-PATH-VALUE-NOT-SINGLE': {
    status: 422,
    reason: 'PathFieldMissing',
    summary: 'An expression yields several values.'
  },
  'AIM-PATH-SEGMENT-INVALID': {
    status: 422,
    reason: 'PathTemplateInvalid',
    summary: 'The rendered path has a segment that a Gateway API HTTPRoute path refuses, such as `.` or `..`.'
  },
  'AIM-PATH-TOO-LONG': {
    status: 422,
    reason: 'PathTooLong',
    summary: 'The rendered path has more than 200 characters after percent-encoding.'
  },
  'AIM-PATH-CONFLICT': {
    status: 422,
    reason: 'PathConflict',
    summary: 'Another service holds the same path on the same gateway.'
  },
  'AIM-CONFIG-MISSING': {
    status: 422,
    reason: 'RuntimeConfigMissing',
    summary: 'No runtime configuration of that name exists, and the operator chose to refuse such services.'
  },
  'AIM-BLOCK-MISSING': {
    status: 422,
    summary: 'Another admission webhook took away what this one wrote, though the runtime configuration exists.'
  },
  'AIM-CREDENTIALS-IN-CLUSTER-CONFIG': {
    status: 422,
    summary: 'An AIMClusterRuntimeConfig carries credentials, which belong in an AIMRuntimeConfig.'
  },
  'AIM-OBJECT-MALFORMED': {
    status: 422,
    summary: 'A field has a type that its CRD does not allow; the API server refuses such an object itself.'
  }
} as const satisfies Record<string, CatalogueEntry>

export type FaultCode = keyof typeof FAULTS

/** One mistake of a user: where it is, and one line that says what, why and what mends it. */
export interface Fault {
  readonly code: FaultCode
  /**
   * Field path in the reviewed object, as Kubernetes writes it: `spec.routing.pathTemplate`, `metadata.labels[team]`.
   * Never empty.
   */
  readonly field: string
  /** One line, at most 1,024 characters, ending with the remedy. */
  readonly message: string
}
