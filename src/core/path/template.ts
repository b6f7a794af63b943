import type { JsonObject } from '../../platform/json.ts'
import { printable } from '../../platform/printable.ts'
import type { ServedFields } from '../ports.ts'
import { compileExpression, readExpression, type PathExpression } from './expression.ts'
import { impossibleField, type FieldPath } from './field-path.ts'
import { ExpressionError, syntax, type TemplateProblem } from './problem.ts'
import { encodeSegment, MAX_PATH_LENGTH, segmentProblem, type SegmentForm } from './segment.ts'
import { newBudget, type PathStep } from './selection.ts'

export interface CompiledTemplate {
  readonly kind: 'compiled'
  readonly source: string
  /** Literal text and expressions, as written. */
  readonly parts: readonly TemplatePart[]
}

interface InvalidTemplate { readonly kind: 'invalid', readonly source: string, readonly problems: Problems }
export type TemplateCompilation = CompiledTemplate | InvalidTemplate

export type RenderedPath =
  | { readonly kind: 'path', readonly path: string }
  | { readonly kind: 'pending', readonly needs: string }
  | { readonly kind: 'invalid', readonly problems: Problems }

type Problems = readonly [TemplateProblem, ...TemplateProblem[]]

/** In Unicode characters. */
const MAX_TEMPLATE_LENGTH = 200
/** A larger template is not parsed. 200 characters take less in most scripts. */
const MAX_TEMPLATE_BYTES = 1_024
/** Counting stops here, in UTF-16 code units: a template may have megabytes. */
const MAX_COUNTED = 10_000

/** Compiles literal text and expressions in braces. Reports all problems, those of the whole template first. */
export function compilePathTemplate (source: string): TemplateCompilation {
  const whole = wholeTemplateProblems(source)
  const isParsed = whole.every(({ code }) => code === 'AIM-TEMPLATE-TOO-LONG')
  const { parts, problems } = isParsed ? parseTemplate(source) : { parts: [], problems: [] }
  const [first, ...more] = [...whole, ...problems]
  if (first !== undefined) return { kind: 'invalid', source, problems: [first, ...more] }
  return { kind: 'compiled', source, parts }
}

function wholeTemplateProblems (source: string): TemplateProblem[] {
  const problems: TemplateProblem[] = []
  if (source.trim() === '') {
    const remedy = 'remove the field, so that the default applies'
    problems.push({ code: 'AIM-TEMPLATE-SYNTAX', what: 'the template is empty', remedy })
  }
  const characters = Array.from(source.slice(0, MAX_COUNTED)).length
  if (characters > MAX_TEMPLATE_LENGTH) {
    const count = source.length > MAX_COUNTED ? `more than ${characters}` : String(characters)
    const what = `the template has ${count} characters, at most ${MAX_TEMPLATE_LENGTH} are allowed`
    problems.push({ code: 'AIM-TEMPLATE-TOO-LONG', what, remedy: 'shorten it' })
  }
  if (source.length > MAX_TEMPLATE_BYTES || new TextEncoder().encode(source).length > MAX_TEMPLATE_BYTES) {
    const what = `the template is larger than ${MAX_TEMPLATE_BYTES} bytes, so its expressions were not checked`
    problems.push({ code: 'AIM-TEMPLATE-TOO-COMPLEX', what, remedy: 'shorten it' })
  }
  return problems
}

/**
 * Renders the path of a service. A slash inside a value separates segments; empty segments are dropped; without any
 * segment the path is `/`. Problems of all expressions are reported together, and take precedence over `pending`. Pure.
 */
export function renderPath (
  template: CompiledTemplate, service: JsonObject, form: SegmentForm = 'rfc3986'
): RenderedPath {
  const budget = newBudget()
  const texts: string[] = []
  const problems: TemplateProblem[] = []
  let needs: string | undefined
  for (const part of template.parts) {
    const reading = typeof part === 'string' ? part : readExpression(part, service, budget)
    if (typeof reading === 'string') texts.push(reading)
    else if (reading.kind === 'pending') needs ??= reading.needs
    else problems.push(reading.problem)
  }
  if (problems.length === 0 && needs !== undefined) return { kind: 'pending', needs }
  return invalid(problems) ?? assemble(template.parts, texts, form)
}

/** `texts`: what the parts yield. */
function assemble (parts: readonly TemplatePart[], texts: readonly string[], form: SegmentForm): RenderedPath {
  const problems: TemplateProblem[] = []
  let path = ''
  let from = 0
  for (const segment of texts.join('').split('/')) {
    const to = from + segment.length
    const problem = segmentProblem(segment)
    if (problem !== undefined) problems.push({ ...problem, ...sourceOf(parts, texts, { from, to }) })
    else if (segment !== '') path += `/${encodeSegment(segment, form)}`
    from = to + 1
  }
  if (path.length > MAX_PATH_LENGTH) {
    const what =
      `the rendered path has ${path.length} characters, at most ${MAX_PATH_LENGTH} are allowed: ${printable(path, 60)}`
    problems.push({ code: 'AIM-PATH-TOO-LONG', what, remedy: 'shorten the template or the values that it names' })
  }
  return invalid(problems) ?? { kind: 'path', path: path === '' ? '/' : path }
}

/** The first expression that contributes to a range of the rendered text; empty if the range is literal. */
function sourceOf (
  parts: readonly TemplatePart[], texts: readonly string[], { from, to }: { from: number, to: number }
): Pick<TemplateProblem, 'expression' | 'position'> {
  let end = 0
  for (const [index, text] of texts.entries()) {
    const part = parts[index]
    end += text.length
    if (typeof part === 'object' && end > from && end - text.length < to) {
      return { expression: part.text, position: part.position }
    }
  }
  return {}
}

function invalid ([first, ...more]: readonly TemplateProblem[]): RenderedPath | undefined {
  return first === undefined ? undefined : { kind: 'invalid', problems: [first, ...more] }
}

/** Admission adds the slash to the path. Some operators join the template, as it is written, to other text. */
export function slashWarnings (template = '/'): string[] {
  const what = 'spec.routing.pathTemplate does not start with a slash, which is added to the path'
  return template.startsWith('/') ? [] : [`${what}; write /${printable(template, 60)}`]
}

/** For each expression that no service of this definition can answer with one value, the first reason. */
export function impossibleFields (template: TemplateCompilation | undefined, served: ServedFields): TemplateProblem[] {
  if (template?.kind !== 'compiled') return []
  return template.parts.flatMap((part) => {
    if (typeof part === 'string') return []
    const { text: expression, position } = part
    const [found] = placesIn(part.path, part.steps).flatMap(({ path, single }) =>
      impossibleField(path, served, single) ?? [])
    return found === undefined ? [] : [{ code: 'AIM-PATH-FIELD-MISSING', ...found, expression, position }]
  })
}

/** The places that an expression surely reads; `single`: it yields the value itself. */
function placesIn (start: FieldPath, steps: readonly PathStep[]): Array<{ path: FieldPath, single: boolean }> {
  const path = [...start]
  const inFilters: Array<{ path: FieldPath, single: boolean }> = []
  for (const step of steps) {
    if (step.kind === 'field') path.push(step.name)
    else if (step.kind === 'index') path.push(step.at)
    else if (step.kind === 'slice') path.push(0)
    else if (step.kind === 'filter') {
      path.push(0)
      inFilters.push(...[step.left, step.comparison?.right ?? []].flatMap((inner) =>
        placesIn(path, inner).map((place) => ({ ...place, single: false }))))
    } else return [...inFilters, { path, single: false }]
  }
  return [...inFilters, { path, single: true }]
}

/** Every field, label and annotation that the expressions of a template name; empty if the template is invalid. */
export function fieldsNamed (template: string): string[] {
  const compiled = compilePathTemplate(template)
  if (compiled.kind === 'invalid') return []
  return compiled.parts.flatMap((part) =>
    typeof part === 'string' ? [] : [...part.path.map(String), ...part.steps.flatMap(namesIn)])
}

function namesIn (step: PathStep): string[] {
  switch (step.kind) {
    case 'field': return [step.name]
    case 'union': return step.members.flatMap(namesIn)
    case 'filter': return [...step.left, ...step.comparison?.right ?? []].flatMap(namesIn)
    default: return []
  }
}

/** Literal text, or an expression. */
type TemplatePart = string | PathExpression

/** Splits a template into literal text and expressions, in one pass, with all problems in the order of the text. */
function parseTemplate (source: string): { parts: TemplatePart[], problems: TemplateProblem[] } {
  const pieces = piecesOf(source)
  const problems = [...pieces.flatMap((piece) => piece.problems), ...tooMany(pieces), ...literalSegments(pieces)]
    .sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
  return { parts: pieces.flatMap(({ part }) => part ?? []), problems }
}

const MAX_EXPRESSION_BYTES = 256
const MAX_EXPRESSIONS = 16

interface Piece {
  readonly isExpression: boolean
  readonly start: number
  readonly end: number
  /** Undefined if the piece cannot be parsed. */
  readonly part: TemplatePart | undefined
  readonly problems: readonly TemplateProblem[]
}

/** Stops after the first expression over the limit. */
function piecesOf (source: string): Piece[] {
  const pieces: Piece[] = []
  let expressions = 0
  for (let at = 0; at < source.length && expressions <= MAX_EXPRESSIONS;) {
    const piece = source[at] === '{' ? expressionPiece(source, at) : literalPiece(source, at)
    if (piece.isExpression) expressions += 1
    pieces.push(piece)
    at = piece.end
  }
  return pieces
}

function literalPiece (source: string, start: number): Piece {
  const open = source.indexOf('{', start)
  const end = open === -1 ? source.length : open
  const problems = flawsIn(source.slice(start, end + 1), start, LITERAL_FLAWS)
  return { isExpression: false, start, end, part: source.slice(start, end), problems }
}

function expressionPiece (source: string, start: number): Piece {
  const { part, end, problem } = attempt(source, start)
  const text = source.slice(start, end)
  const [found] = [...flawsIn(text, start, EXPRESSION_FLAWS), problem ?? tooLarge(text, start) ?? []].flat()
  const problems = found === undefined ? [] : [{ ...found, expression: printable(text) }]
  return { isExpression: true, start, end, part, problems }
}

/** An invalid expression ends at the next closing brace after its first mistake. */
function attempt (source: string, start: number): { part?: TemplatePart, end: number, problem?: TemplateProblem } {
  if (source.startsWith('{{', start)) return doubledBraces(source, start)
  try {
    return compileExpression(source, start)
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    return { end: after('}', source, error.problem.position ?? start), problem: error.problem }
  }
}

function doubledBraces (source: string, start: number): { end: number, problem: TemplateProblem } {
  const end = after('}}', source, start)
  const remedy = printable(`write {${source.slice(start, end).replace(/^[{ ]+|[ }]+$/g, '')}}`)
  return { end, problem: syntax(start, 'the braces are doubled', remedy).problem }
}

function after (mark: string, source: string, from: number): number {
  const at = source.indexOf(mark, from)
  return at === -1 ? source.length : at + mark.length
}

/** What is wrong with a text that matches, and how to fix it. */
type Flaw = readonly [pattern: RegExp, what: string, remedy: string]

const INVISIBLE: Flaw =
  [/[\p{Cc}\p{Zl}\p{Zp}]/u, 'the template contains a control character or line break', 'remove it']
const EXPRESSION_FLAWS: readonly Flaw[] =
  [INVISIBLE, [/\p{Cs}/u, 'the template contains half of a surrogate pair', 'remove it']]
const LITERAL_FLAWS: readonly Flaw[] = [
  INVISIBLE,
  [/\}/, 'there is a "}" without a "{" before it', 'remove it, or write {"}"} for a brace in the path'],
  [/\$\{/, 'the "$" before the braces would become part of the path',
    'remove it, or write {"$"} for a dollar sign in the path']
]

function flawsIn (text: string, start: number, flaws: readonly Flaw[]): TemplateProblem[] {
  return flaws.flatMap(([pattern, what, remedy]) => {
    const at = text.search(pattern)
    return at === -1 ? [] : [syntax(start + at, what, remedy).problem]
  })
}

function tooLarge (text: string, position: number): TemplateProblem | undefined {
  const bytes = new TextEncoder().encode(text).length
  if (bytes <= MAX_EXPRESSION_BYTES) return undefined
  const what = `the expression has ${bytes} bytes, at most ${MAX_EXPRESSION_BYTES} are allowed`
  return { code: 'AIM-TEMPLATE-TOO-COMPLEX', position, what, remedy: 'shorten it' }
}

function tooMany (pieces: readonly Piece[]): TemplateProblem[] {
  const excess = pieces.filter(({ isExpression }) => isExpression)[MAX_EXPRESSIONS]
  if (excess === undefined) return []
  const what = `the template has more than ${MAX_EXPRESSIONS} expressions; the rest was not checked`
  return [{ code: 'AIM-TEMPLATE-TOO-COMPLEX', position: excess.start, what, remedy: 'remove some' }]
}

/** Problems of segments without expressions, which no service can avoid. */
function literalSegments (pieces: readonly Piece[]): TemplateProblem[] {
  const literal = pieces.map(({ isExpression, start, end, part }) =>
    typeof part === 'string' && !isExpression ? part : 'x'.repeat(end - start)
  )
    .join('')
  let end = -1
  return literal.split('/').flatMap((segment) => {
    const position = end + 1
    end = position + segment.length
    const problem = segmentProblem(segment)
    return problem === undefined ? [] : [{ ...problem, position }]
  })
}
