import { printable } from '../../platform/printable.ts'
import type { FaultCode } from '../faults.ts'

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
  /** Whether `remedy` asks for a value on the service: no help if no service can have the field. */
  readonly asksForValue?: true
  /** The missing label or annotation, so that the rules can name the command that sets it. */
  readonly missing?: { readonly kind: 'label' | 'annotation', readonly key: string }
}

/** What is wrong, and where: the position counts from 1. `owner`: of a template that is not the service's own. */
export function problemText ({ expression, position, what }: TemplateProblem, owner?: string): string {
  const place = [expression && printable(expression, MAX_SHOWN), position !== undefined && `position ${position + 1}`]
  const where = [place.filter(Boolean).join(' at '), owner && `path template of ${owner}`].filter(Boolean)
  return where.length === 0 ? what : `${what} (${where.join(' in the ')})`
}

/** In characters: most expressions are shorter, and the reader has the template. */
const MAX_SHOWN = 60

/** Thrown while an expression is parsed; `template.ts` turns it into a problem. */
export class ExpressionError extends Error {
  readonly problem: TemplateProblem
  constructor (problem: TemplateProblem) {
    super(problem.what)
    this.problem = problem
  }
}

export function syntax (position: number, what: string, remedy: string): ExpressionError {
  return new ExpressionError({ code: 'AIM-TEMPLATE-SYNTAX', position, what, remedy })
}

export function unsupported (position: number, what: string, remedy: string): ExpressionError {
  return new ExpressionError({ code: 'AIM-TEMPLATE-UNSUPPORTED', position, what, remedy })
}
