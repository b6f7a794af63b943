import { readExpression } from './expression.ts'
import { encodeSegment } from './segment.ts'
import { newBudget } from './selection.ts'
import type { TemplateCompilation } from './template.ts'
import type { Service } from '../settings/service.ts'
import { problemText } from './problem.ts'

/** One piece of a template, in turn as written: literal text, or an expression and what became of it. */
export interface PathPart {
  /** As written: `/`, `{.metadata.labels['team']}`. */
  readonly source: string
  readonly kind: 'text' | 'value' | 'pending' | 'faulty'
  /**
   * What it yields before it is lowercased and encoded; for `pending` what it waits for, for `faulty` why it yields
   * nothing.
   */
  readonly yields: string
  /** Its part of the path; empty where it yields nothing. */
  readonly inPath: string
}

/**
 * How a path is put together, piece by piece. Of a template that cannot be read there is nothing to tell but its
 * problems. Pure.
 */
export function explainPath (template: TemplateCompilation, { object }: Service): PathPart[] {
  if (template.kind === 'invalid') {
    return template.problems.map((problem) => ({
      source: problem.expression ?? template.source,
      kind: 'faulty',
      yields: problemText(problem),
      inPath: ''
    }))
  }
  const budget = newBudget()
  return template.parts.map((part) => {
    if (typeof part === 'string') return { source: part, kind: 'text', yields: part, inPath: encoded(part) }
    const reading = readExpression(part, object, budget)
    if (typeof reading === 'string') { return { source: part.text, kind: 'value', yields: reading, inPath: encoded(reading) } }
    return reading.kind === 'pending'
      ? { source: part.text, kind: 'pending', yields: reading.needs, inPath: '' }
      : { source: part.text, kind: 'faulty', yields: reading.problem.what, inPath: '' }
  })
}

function encoded (text: string): string {
  return text.split('/').map(encodeSegment).join('/')
}
