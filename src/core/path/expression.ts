import { jsonKind, ownObject, valueAt, type JsonObject } from '../../platform/json.ts'
import { printable } from '../../platform/printable.ts'
import type { FaultCode } from '../faults.ts'
import { isQualifiedName, metadataEntry, missingField, titleOf, type FieldPath } from './field-path.ts'
import { parseExpression } from './grammar.ts'
import { ExpressionError, syntax, unsupported, type TemplateProblem } from './problem.ts'
import { awaited, placeAt, viewOf, withheldField } from './readable-fields.ts'
import { MAX_PATH_LENGTH } from './segment.ts'
import { BudgetExceeded, select, spend, type Budget, type PathStep } from './selection.ts'

/** One expression of a template, compiled. */
export interface PathExpression {
  /** As written, with its braces, printable. */
  readonly text: string
  /** Zero-based offset of its `{` in the template, in UTF-16 code units. */
  readonly position: number
  /** The leading fields and indexes: nearly always the whole expression. */
  readonly path: FieldPath
  /** The remaining steps, applied to the value at `path`. */
  readonly steps: readonly PathStep[]
}

/** What an expression yields. `pending`: the API server sets the field after mutating admission. */
export type Reading =
  | string
  | { readonly kind: 'pending', readonly needs: string }
  | { readonly kind: 'problem', readonly problem: TemplateProblem }

/** Longest accepted value, in UTF-16 code units: more than a path can hold, because surplus slashes are dropped. */
const MAX_VALUE_LENGTH = 5 * MAX_PATH_LENGTH

/** Compiles the expression whose `{` is at `start`; `end`: after its `}`. Throws ExpressionError for a mistake. */
export function compileExpression (source: string, start: number): { part: string | PathExpression, end: number } {
  const { steps, end } = parseExpression(source, start)
  const text = printable(source.slice(start, end))
  if (/^\{ *\}$/.test(text)) throw syntax(start, 'the expression is empty', 'name a field, as in {.metadata.name}')
  rejectWithheld(steps, text, start)
  return { part: literalOf(steps) ?? { text, position: start, ...planOf(steps) }, end }
}

/** Reads exactly one string, number or boolean from the service. Numbers are written as in JSON: 1000000, 0.5. */
export function readExpression (expression: PathExpression, service: JsonObject, budget: Budget): Reading {
  if (expression.steps.length > 0) return search(expression, service, budget)
  const value = valueAt(service, expression.path)
  return isUsable(value) ? value : toReading(expression, awaitedAt(service, expression.path) ?? value, service)
}

function rejectWithheld (steps: readonly PathStep[], text: string, position: number): void {
  const withheld = withheldField(steps)
  if (withheld === undefined) return
  const { path, why, instead } = withheld
  const remedy = instead === undefined
    ? 'name a field of spec, or a label'
    : `write ${text.includes(path) ? text.replace(path, () => instead) : `{${instead}}`}`
  if (why === undefined) {
    const what = `no service has a field ${printable(path)}`
    throw new ExpressionError({ code: 'AIM-PATH-FIELD-MISSING', position, what, remedy })
  }
  throw unsupported(position, `kubectl accepts ${path}, a path template does not: ${why}`, remedy)
}

function literalOf (steps: readonly PathStep[]): string | undefined {
  const [only, ...more] = steps
  if (only === undefined || more.length > 0) return undefined
  if (only.kind === 'constant') return String(only.value)
  return only.kind === 'text' && only.text !== '' ? only.text : undefined
}

function planOf (steps: readonly PathStep[]): Pick<PathExpression, 'path' | 'steps'> {
  const keys = steps.map((step) => step.kind === 'field' ? step.name : step.kind === 'index' ? step.at : undefined)
  const path = keys.filter((key) => key !== undefined)
  if (path.length === steps.length) return { path, steps: [] }
  // an index before other steps stays with them: `select` reports its failures as client-go does
  const fields = keys.slice(0, keys.findIndex((key) => typeof key !== 'string'))
  return { path: fields.filter((key) => key !== undefined), steps: steps.slice(fields.length) }
}

function isUsable (value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_VALUE_LENGTH
}

function awaitedAt (service: JsonObject, [root, field, ...deeper]: FieldPath): symbol | undefined {
  return root === 'metadata' && typeof field === 'string' && deeper.length === 0
    ? awaited(ownObject(service, 'metadata'), field)
    : undefined
}

function search (expression: PathExpression, service: JsonObject, budget: Budget): Reading {
  try {
    spend(budget, 1) // throws if an earlier expression used up the budget
    const place = placeAt(expression.path)
    const start = place === undefined ? valueAt(service, expression.path) : viewOf(service, place, budget)
    const { values, failure } = select(expression.steps, start === undefined ? [] : [start], budget)
    if (failure !== undefined) {
      const remedy = 'name a field that every service has'
      return problem(expression, 'AIM-PATH-FIELD-MISSING', { what: failure, remedy })
    }
    if (values.length === 1) return toReading(expression, values[0], service)
    if (values.length === 0) return problem(expression, 'AIM-PATH-FIELD-MISSING', NO_MATCH)
    const remedy = 'choose one with an index, or a filter such as [?(@.name=="TEAM")]'
    return problem(expression, 'AIM-PATH-VALUE-NOT-SINGLE', { what: `${values.length} values match`, remedy })
  } catch (error) {
    if (!(error instanceof BudgetExceeded)) throw error
    const what = 'the search takes too long on this service'
    return problem(expression, 'AIM-TEMPLATE-TOO-COMPLEX', { what, remedy: 'name the field itself, without .. and *' })
  }
}

const NO_MATCH = {
  what: 'nothing on this service matches',
  remedy: 'set a matching value, or name a field that every service has',
  asksForValue: true
} as const

function toReading (expression: PathExpression, value: unknown, service: JsonObject): Reading {
  const title = expression.steps.length > 0 ? 'the selected value' : titleOf(expression.path)
  switch (typeof value) {
    case 'string': return isUsable(value) ? value : unusableText(expression, title, value)
    case 'symbol': return { kind: 'pending', needs: value.description ?? '' }
    case 'undefined': return problem(expression, 'AIM-PATH-FIELD-MISSING', missingField(service, expression.path))
    case 'object': return value === null ? empty(expression, `${title} is null`) : notScalar(expression, title, value)
    default: return String(value)
  }
}

function notScalar (expression: PathExpression, title: string, value: unknown): Reading {
  const remedy = Array.isArray(value) ? 'choose one item with an index, as in [0]' : 'name a field inside it'
  return problem(expression, 'AIM-PATH-VALUE-NOT-SCALAR', { what: `${title} is ${jsonKind(value)}`, remedy })
}

function unusableText (expression: PathExpression, title: string, value: string): Reading {
  if (value === '') return empty(expression, `${title} is empty`)
  const what = `${title} has ${value.length} characters, a path can have at most ${MAX_PATH_LENGTH}`
  return problem(expression, 'AIM-PATH-TOO-LONG', { what, remedy: 'shorten it' })
}

function empty (expression: PathExpression, what: string): Reading {
  const missing = metadataEntry(expression.path)
  const fix = missing !== undefined && isQualifiedName(missing.key) ? { missing } : { remedy: 'give it a value' }
  return problem(expression, 'AIM-PATH-VALUE-EMPTY', { what, ...fix })
}

function problem (
  { text, position }: PathExpression, code: FaultCode, rest: Omit<TemplateProblem, 'code' | 'expression' | 'position'>
): Reading {
  return { kind: 'problem', problem: { code, expression: text, position, ...rest } }
}
