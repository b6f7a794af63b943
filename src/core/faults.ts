/** Reasons of the conditions `PathResolved` and `RoutingReady` that faults lead to. */
export const PATH_FAULT_REASONS =
  ['PathTemplateInvalid', 'PathFieldMissing', 'PathTooLong', 'PathConflict', 'PathOutOfScope'] as const

interface CatalogueEntry {
  /** Reason in the service's condition; absent for faults that no stored service can have. */
  readonly reason?: typeof PATH_FAULT_REASONS[number] | 'RuntimeConfigMissing'
  /** One sentence for docs/reference/faults.md. */
  readonly summary: string
}

/** All faults. A code is stable: it is never renamed or reused. */
export const FAULTS = {
  'AIM-TEMPLATE-TOO-LONG':
    { reason: 'PathTemplateInvalid', summary: 'The path template has more than 200 characters.' },
  'AIM-TEMPLATE-SYNTAX':
    { reason: 'PathTemplateInvalid', summary: 'The path template or one of its expressions has a syntax error.' },
  'AIM-TEMPLATE-UNSUPPORTED': {
    reason: 'PathTemplateInvalid',
    summary: 'kubectl may accept the expression, this product does not: it runs code, loops, or names a ' +
      'field that is not stable.'
  },
  'AIM-TEMPLATE-TOO-COMPLEX': {
    reason: 'PathTemplateInvalid',
    summary: 'The template exceeds a limit on expressions, bytes, or depth, or takes too long to evaluate.'
  },
  'AIM-PATH-FIELD-MISSING': {
    reason: 'PathFieldMissing',
    summary: 'An expression names a field, label or annotation that is not set on the service.'
  },
  'AIM-PATH-VALUE-EMPTY': { reason: 'PathFieldMissing', summary: 'An expression yields an empty string or null.' },
  'AIM-PATH-VALUE-NOT-SCALAR': { reason: 'PathFieldMissing', summary: 'An expression yields a list or an object.' },
  'AIM-PATH-VALUE-NOT-SINGLE': { reason: 'PathFieldMissing', summary: 'An expression yields several values.' },
  'AIM-PATH-SEGMENT-INVALID': {
    reason: 'PathTemplateInvalid',
    summary: 'The rendered path has a segment that a Gateway API HTTPRoute path refuses, such as `.` or `..`.'
  },
  'AIM-PATH-TOO-LONG':
    { reason: 'PathTooLong', summary: 'The rendered path has more than 200 characters in its final form.' },
  'AIM-PATH-CONFLICT': {
    reason: 'PathConflict',
    summary: 'Another service holds the same path on the same gateway, or one of another namespace ' +
      'holds an overlapping path.'
  },
  'AIM-PATH-SCOPE': {
    reason: 'PathOutOfScope',
    summary: 'The path does not begin with the namespace of the service, and the server runs with ' +
      '`--path-scope namespace`.'
  },
  'AIM-CONFIG-MISSING': {
    reason: 'RuntimeConfigMissing',
    summary: 'No runtime configuration of that name exists, and the server runs with `--missing-config refuse`.'
  },
  'AIM-BLOCK-MISSING': {
    summary: 'Another admission webhook removed the settings that this one wrote, although the runtime ' +
      'configuration exists.'
  },
  'AIM-CREDENTIALS-IN-CLUSTER-CONFIG':
    { summary: 'An AIMClusterRuntimeConfig carries credentials, which belong in an AIMRuntimeConfig.' },
  'AIM-CONFIG-TOO-LARGE': { summary: 'The spec of a runtime configuration has more than 64 KiB as JSON.' },
  'AIM-OBJECT-MALFORMED':
    { summary: 'A field has a type that its CRD does not allow. The API server refuses such an object itself.' }
} as const satisfies Record<string, CatalogueEntry>

export type FaultCode = keyof typeof FAULTS

/** One mistake of a user. */
export interface Fault {
  readonly code: FaultCode
  /** Field path as Kubernetes writes it: `spec.routing.pathTemplate`, `metadata.labels[team]`. Never empty. */
  readonly field: string
  /** What, why and how to fix it: one line of at most 1,024 characters. */
  readonly message: string
}
