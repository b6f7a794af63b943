import type { FaultCode } from '../rules/faults.ts'

/** One problem of a template, found when it is compiled or rendered. The rules add the field path. */
export interface TemplateProblem {
  readonly code: FaultCode
  /** As written, with its braces: `{.metadata.labels['team']}`. Absent for problems of the whole template. */
  readonly expression?: string
  /** Offset in the template, in UTF-16 code units. Absent for problems of the whole template. */
  readonly position?: number
  /** What is wrong and why, one line: `label "team" is not set on this service`. */
  readonly what: string
  /** How to fix it, one line; absent if that depends on who owns the template. */
  readonly remedy?: string
  /** The missing label or annotation, so that the rules can name the command that sets it. */
  readonly missing?: { readonly kind: 'label' | 'annotation', readonly key: string }
}

/** What is wrong and where in the template, one line without the remedy. */
export function problemText ({ expression, position, what }: TemplateProblem): string {
  if (expression === undefined) return what
  return `${expression}${position === undefined ? '' : ` at position ${position}`}: ${what}`
}

/** Thrown while an expression is parsed; `template-text.ts` turns it into a problem. */
export class ExpressionError extends Error {
  readonly problem: TemplateProblem
  constructor (problem: TemplateProblem) {
    super(problem.what)
    this.problem = problem
  }
}
