import { printable } from '../../platform/printable.ts'
import { compileExpression, type PathExpression } from './expression.ts'
import { ExpressionError, syntax, type TemplateProblem } from './problem.ts'
import { segmentProblem } from './segment.ts'

/** Literal text, or an expression. */
export type TemplatePart = string | PathExpression

/** Splits a template into literal text and expressions, in one pass, with all problems in the order of the text. */
export function parseTemplate (source: string): { parts: TemplatePart[], problems: TemplateProblem[] } {
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

interface Flaw { readonly pattern: RegExp, readonly what: string, readonly remedy: string }

const INVISIBLE: Flaw = {
  pattern: /[\p{Cc}\p{Zl}\p{Zp}]/u,
  what: 'the template contains a control character or line break',
  remedy: 'remove it'
}

const EXPRESSION_FLAWS: readonly Flaw[] = [
  INVISIBLE,
  { pattern: /\p{Cs}/u, what: 'the template contains half of a surrogate pair', remedy: 'remove it' }
]

const LITERAL_FLAWS: readonly Flaw[] = [
  INVISIBLE,
  {
    pattern: /\}/,
    what: 'there is a "}" without a "{" before it',
    remedy: 'remove it, or write {"}"} for a brace in the path'
  },
  {
    pattern: /\$\{/,
    what: 'the "$" before the braces would become part of the path',
    remedy: 'remove it, or write {"$"} for a dollar sign in the path'
  }
]

function flawsIn (text: string, start: number, flaws: readonly Flaw[]): TemplateProblem[] {
  return flaws.flatMap(({ pattern, what, remedy }) => {
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
