import type { JsonObject } from '../../platform/json.ts'
import { readExpression } from './expression.ts'
import { problemText } from './problem.ts'
import { encodeSegment, MAX_DNS_SEGMENT, type SegmentForm } from './segment.ts'
import { newBudget } from './selection.ts'
import type { TemplateCompilation } from './template.ts'

/** One piece of a template: literal text, or an expression and its result. */
export interface PathPart {
  /** As written: `/`, `{.metadata.labels['team']}`. */
  readonly source: string
  readonly kind: 'text' | 'value' | 'pending' | 'invalid'
  /** The value before encoding; for `pending` the awaited field, for `invalid` the problem. */
  readonly yields: string
  /** Its part of the path; empty without a value. */
  readonly inPath: string
}

/** The pieces of a template in order; for an invalid template its problems. Pure. */
export function explainPath (template: TemplateCompilation, service: JsonObject, form: SegmentForm): PathPart[] {
  if (template.kind === 'invalid') {
    return template.problems.map((problem) =>
      ({ source: problem.expression ?? template.source, kind: 'invalid', yields: problemText(problem), inPath: '' }))
  }
  const budget = newBudget()
  const encoded = newEncoder(form)
  return template.parts.map((part) => {
    if (typeof part === 'string') return { source: part, kind: 'text', yields: part, inPath: encoded(part) }
    const reading = readExpression(part, service, budget)
    if (typeof reading === 'string') {
      return { source: part.text, kind: 'value', yields: reading, inPath: encoded(reading) }
    }
    return reading.kind === 'pending'
      ? { source: part.text, kind: 'pending', yields: reading.needs, inPath: '' }
      : { source: part.text, kind: 'invalid', yields: reading.problem.what, inPath: '' }
  })
}

/** Encodes the text of part after part. Of a segment with several parts, the last ones are cut off first. */
function newEncoder (form: SegmentForm): (text: string) => string {
  let used = 0
  return (text) => text.split('/').map((piece, index) => {
    if (index > 0) used = 0
    const kept = encodeSegment(piece, form).slice(0, form === 'dns' ? MAX_DNS_SEGMENT - used : undefined)
    used += kept.length
    return kept
  }).join('/')
}
