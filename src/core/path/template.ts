import { readExpression } from './expression.ts'
import { encodeSegment, MAX_PATH_LENGTH, segmentProblem } from './segment.ts'
import { newBudget } from './selection.ts'
import { printable } from '../../platform/printable.ts'
import type { TemplateProblem } from './problem.ts'
import { readTemplate, type TemplatePart } from './template-text.ts'
import type { JsonObject } from '../../platform/json.ts'

export type { TemplateProblem } from './problem.ts'

export interface CompiledTemplate {
  readonly kind: 'compiled'
  readonly source: string
  /** Literal text and expressions, in turn as written. Opaque to everybody but renderPath. */
  readonly parts: readonly TemplatePart[]
}

export interface InvalidTemplate {
  readonly kind: 'invalid'
  readonly source: string
  readonly problems: Problems
}
export type TemplateCompilation = CompiledTemplate | InvalidTemplate

export type RenderedPath =
  | { readonly kind: 'path', readonly path: string }
  | { readonly kind: 'pending', readonly needs: string }
  | { readonly kind: 'faulty', readonly problems: Problems }

type Problems = readonly [TemplateProblem, ...TemplateProblem[]]

/** Longest template, in characters as Unicode counts them. */
const MAX_TEMPLATE_LENGTH = 200
/** Size beyond which a template is refused unread. In most scripts it is above what 200 characters take. */
const MAX_TEMPLATE_BYTES = 1_024
/** How much of a template is counted, in UTF-16 code units: it may be megabytes. */
const MAX_COUNTED = 10_000

/**
 * Reads a template: literal text, and expressions in braces. Every problem at once: those of the whole first, then in
 * the order of the text.
 */
export function compilePathTemplate (source: string): TemplateCompilation {
  const whole = problemsOfTheWhole(source)
  const isRead = whole.every(({ code }) => code === 'AIM-TEMPLATE-TOO-LONG')
  const { parts, problems } = isRead ? readTemplate(source) : UNREAD
  const [first, ...more] = [...whole, ...problems]
  return first === undefined
    ? { kind: 'compiled', source, parts }
    : { kind: 'invalid', source, problems: [first, ...more] }
}

const UNREAD = { parts: [], problems: [] }

function problemsOfTheWhole (source: string): TemplateProblem[] {
  const problems: TemplateProblem[] = []
  if (source.trim() === '') {
    problems.push({
      code: 'AIM-TEMPLATE-SYNTAX',
      what: 'the template is empty',
      remedy: 'remove the field, so that the next template in line applies'
    })
  }
  const characters = Array.from(source.slice(0, MAX_COUNTED)).length
  if (characters > MAX_TEMPLATE_LENGTH) {
    const count = source.length > MAX_COUNTED ? `more than ${characters}` : String(characters)
    problems.push({
      code: 'AIM-TEMPLATE-TOO-LONG',
      what: `the template has ${count} characters, at most ${MAX_TEMPLATE_LENGTH} are allowed`,
      remedy: 'shorten it'
    })
  }
  if (bytesOf(source) > MAX_TEMPLATE_BYTES) {
    const what = `the template is larger than ${MAX_TEMPLATE_BYTES} bytes, so its expressions were not read`
    problems.push({ code: 'AIM-TEMPLATE-TOO-COMPLEX', what, remedy: 'shorten it' })
  }
  return problems
}

/** Size in UTF-8; of a text that is too large anyway only a lower bound. */
function bytesOf (text: string): number {
  return text.length > MAX_TEMPLATE_BYTES ? text.length : new TextEncoder().encode(text).length
}

/**
 * Renders the path of a service. A slash inside a value separates segments, empty segments vanish, a leading slash is
 * added and a trailing one goes; where nothing is left the path is `/`, which a template may ask for. Faults of all
 * expressions come together, and before what is only pending. Never throws, never changes the service.
 */
export function renderPath (template: CompiledTemplate, service: JsonObject): RenderedPath {
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
  return faulty(problems) ?? (needs === undefined ? assemble(template.parts, texts) : { kind: 'pending', needs })
}

function assemble (parts: readonly TemplatePart[], texts: readonly string[]): RenderedPath {
  const problems: TemplateProblem[] = []
  let path = ''
  let from = 0
  for (const segment of texts.join('').split('/')) {
    const to = from + segment.length
    const problem = segmentProblem(segment)
    if (problem !== undefined) problems.push({ ...problem, ...sourceOf(parts, texts, { from, to }) })
    else if (segment !== '') path += `/${encodeSegment(segment)}`
    from = to + 1
  }
  if (path.length > MAX_PATH_LENGTH) problems.push(pathTooLong(path))
  return faulty(problems) ?? { kind: 'path', path: path === '' ? '/' : path }
}

/** The first expression that has a part in a stretch of the rendered text; nothing where it is literal. */
function sourceOf (parts: readonly TemplatePart[], texts: readonly string[], { from, to }: { from: number, to: number }): Pick<TemplateProblem, 'expression' | 'position'> {
  let end = 0
  for (const [index, text] of texts.entries()) {
    const part = parts[index]
    end += text.length
    if (typeof part === 'object' && end > from && end - text.length < to) { return { expression: part.text, position: part.position } }
  }
  return {}
}

function pathTooLong (path: string): TemplateProblem {
  const what = `the rendered path has ${path.length} characters, at most ${MAX_PATH_LENGTH} are allowed: ${printable(path, 60)}`
  return { code: 'AIM-PATH-TOO-LONG', what, remedy: 'shorten the template, or the values it names' }
}

function faulty ([first, ...more]: readonly TemplateProblem[]): RenderedPath | undefined {
  return first === undefined ? undefined : { kind: 'faulty', problems: [first, ...more] }
}
