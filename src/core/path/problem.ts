import type { FaultCode } from '../rules/faults.ts'

/**
 * One problem of a template, found when it is compiled or rendered. Has no field path yet: the rules know whose
 * template it is.
 */
export interface TemplateProblem {
  readonly code: FaultCode
  /**
   * The expression as written, with its braces: `{.metadata.labels['team']}`. Absent where the template as a whole is
   * at fault.
   */
  readonly expression?: string
  /**
   * Zero-based offset of the problem in the template, in UTF-16 code units; absent for problems of the whole template.
   */
  readonly position?: number
  /** What is wrong and why, one line without the remedy: `label "team" is not set on this service`. */
  readonly what: string
  /** What mends it, one line, where it does not depend on whose template it is. */
  readonly remedy?: string
  /**
   * For AIM-PATH-FIELD-MISSING and -EMPTY: the label or annotation that is missing, so that the rules can name the
   * command that sets it.
   */
  readonly missing?: { readonly kind: 'label' | 'annotation', readonly key: string }
}

/** What is wrong and where in the template, one line without the remedy. */
export function problemText ({ expression, position, what }: TemplateProblem): string {
  if (expression === undefined) return what
  return `${expression}${position === undefined ? '' : ` at position ${position}`}: ${what}`
}

/** Thrown inside a reader of templates, and turned into a problem at its edge. */
export class Refused extends Error {
  readonly problem: TemplateProblem
  constructor (problem: TemplateProblem) {
    super(problem.what)
    this.problem = problem
  }
}
