import { printable } from '../../platform/printable.ts'
import { syntax, unsupported, type ExpressionError } from './problem.ts'
import { rooted } from './readable-fields.ts'
import { COMPARISON_OPERATORS, type Filter, type PathStep } from './selection.ts'

/**
 * Parses the expression whose `{` is at `start`: kubectl's JSONPath without `range` and `end`, plus `["key"]` and
 * quoted keys with dots. `end` is the offset after the closing brace. One pass in linear time: as in kubectl, neither
 * brackets nor filters nest. Throws ExpressionError. Source: k8s.io/client-go/util/jsonpath, parser.go.
 */
export function parseExpression (source: string, start: number): { steps: readonly PathStep[], end: number } {
  const cursor: Cursor = { source, start, at: start + 1 }
  const steps = readSteps(cursor)
  if (!take(cursor, '}')) throw unexpected(cursor)
  return { steps, end: cursor.at }
}

interface Cursor {
  /** The template up to the end of the parsed part. */
  readonly source: string
  /** Offset of the expression's opening brace. */
  readonly start: number
  at: number
}

/** Up to a closing brace or the end. As in kubectl, spaces and roots between steps have no effect. */
function readSteps (cursor: Cursor): PathStep[] {
  const steps: PathStep[] = []
  for (let next = peek(cursor); next !== '' && next !== '}'; next = peek(cursor)) {
    if (' $@'.includes(next)) cursor.at += 1
    else steps.push(readStep(cursor, steps.at(-1)))
  }
  return steps
}

function readStep (cursor: Cursor, previous: PathStep | undefined): PathStep {
  if (cursor.source.startsWith('..', cursor.at)) return readDescent(cursor, previous)
  if (take(cursor, '[?(')) return readFilter(cursor)
  if (take(cursor, '[')) return readBrackets(cursor)
  if (take(cursor, '.') || followsDescent(cursor, previous)) return readName(cursor)
  if (/["']/.test(peek(cursor))) return readText(cursor)
  if (/[-+\d]/.test(peek(cursor))) return readNumber(cursor)
  if (LETTER.test(peek(cursor))) return readWord(cursor)
  throw unexpected(cursor)
}

const LETTER = /[\p{L}\p{Nd}_]/u

/** A name may follow `..` directly. */
function followsDescent (cursor: Cursor, previous: PathStep | undefined): boolean {
  return previous?.kind === 'descent' && cursor.source[cursor.at - 1] === '.' && LETTER.test(peek(cursor))
}

function readDescent (cursor: Cursor, previous: PathStep | undefined): PathStep {
  if (previous?.kind === 'descent') throw syntax(cursor.at, '".." follows ".."', 'keep one of the two')
  cursor.at += 2
  return { kind: 'descent' }
}

function readName (cursor: Cursor): PathStep {
  const from = cursor.at
  const written = match(cursor, /(?:\\[^]|[^\\ \t\r\n.,[\]$@{}])*/uy)
  if (written === '') {
    const remedy = peek(cursor) === '[' ? 'remove the dot before the bracket' : 'add the name, as in .metadata.name'
    throw syntax(from, 'a field name is missing after the dot', remedy)
  }
  const operator = /[`^~()]/.exec(written.replace(/\\[^]/gu, '__'))
  if (operator !== null) throw foreign(from + operator.index, operator[0])
  return named(written)
}

/** A backslash only keeps the next character from ending the name; a bare `*` is a wildcard. */
function named (written: string): PathStep {
  return written === '*' ? { kind: 'wildcard' } : { kind: 'field', name: written.replaceAll('\\', '') }
}

/** From after `[` to after `]`. Commas and spaces separate several members. */
function readBrackets (cursor: Cursor): PathStep {
  const from = cursor.at
  const members: PathStep[] = []
  let padding = ''
  do {
    padding += match(cursor, / */y)
    members.push(readMember(cursor))
    padding += match(cursor, / */y)
  } while (take(cursor, ','))
  if (!take(cursor, ']')) throw syntax(from - 1, 'the bracket is not closed', KEY_OR_INDEX)
  const [only] = members
  if (only === undefined || members.length > 1) return { kind: 'union', members }
  if (padding !== '') {
    const trimmed = cursor.source.slice(from, cursor.at - 1).trim()
    throw syntax(from, 'there are spaces inside the brackets', `write [${trimmed}]`)
  }
  return only
}

const KEY_OR_INDEX = 'write [\'key\'] for a field, [0] for an item of a list'

function readMember (cursor: Cursor): PathStep {
  if (/["']/.test(peek(cursor))) return named(readQuotedKey(cursor))
  if (take(cursor, '?(')) return readCondition(cursor)
  if (take(cursor, '*')) return { kind: 'slice', start: 0, end: undefined, stride: 1 }
  return readIndexes(cursor)
}

function readQuotedKey (cursor: Cursor): string {
  const from = cursor.at
  const quote = peek(cursor)
  const close = cursor.source.indexOf(quote, from + 1)
  if (close === -1) throw syntax(from, 'the quote is not closed', `end the key with ${quote}]`)
  const written = cursor.source.slice(from + 1, close)
  cursor.at = close + 1
  if (/^(?:[^\\]|\\[^])*$/u.test(written) && MEMBER_END.test(peek(cursor))) return written
  const what = 'there is a quote inside the quotes, or no closing bracket after them'
  throw syntax(close, what, "write ['key'], or [\"key\"] for a key that contains a '")
}

const MEMBER_END = /[\], ]/

/** As in kubectl, `[]` is the first item. */
function readIndexes (cursor: Cursor): PathStep {
  const from = cursor.at
  const [start, end, stride] = match(cursor, /-?\d*(?::-?\d*){0,2}/y).split(':')
  if (!MEMBER_END.test(peek(cursor))) throw notAMember(cursor, from)
  const first = integer(start, from) ?? 0
  if (end === undefined) return { kind: 'index', at: first }
  return { kind: 'slice', start: first, end: integer(end, from), stride: integer(stride, from) ?? 1 }
}

function integer (digits: string | undefined, at: number): number | undefined {
  if (digits === undefined || digits === '') return undefined
  const value = Number(digits)
  if (!Number.isSafeInteger(value)) {
    throw syntax(at, `"${digits}" is not an index`, 'write a whole number, such as 0, or -1 for the last item')
  }
  return value
}

function notAMember (cursor: Cursor, from: number): ExpressionError {
  if (FOREIGN.test(peek(cursor))) return foreign(cursor.at, peek(cursor))
  const word = /^[‘“]?([^\s'"‘’“”[\]{}(),]+)[’”]?\]/u.exec(cursor.source.slice(from))?.[1]
  return word === undefined
    ? syntax(from, 'the brackets contain neither a quoted key nor an index, or are not closed', KEY_OR_INDEX)
    : syntax(from, `the key ${word} in brackets has no straight quotes`, `write ['${word}']`)
}

/** From after `[?(` to after `)]`. */
function readFilter (cursor: Cursor): PathStep {
  const filter = readCondition(cursor)
  if (!take(cursor, ']')) throw syntax(cursor.at, 'the filter does not end with )]', A_FILTER)
  return filter
}

const A_FILTER = 'write it as [?(@.name=="TEAM")]'

/** From after `?(` to after `)`. As in kubectl, the first operator splits the condition, even inside quotes. */
function readCondition (cursor: Cursor): Filter {
  const from = cursor.at
  const close = conditionEnd(cursor)
  const [split = '', left = '', operator = ''] =
    /^([^!<>=]+)([!<>=]+)(?=[^])/.exec(cursor.source.slice(from, close)) ?? []
  cursor.at = close + 1
  if (split === '') return { kind: 'filter', left: readOperand(cursor, from, close) }
  const known = COMPARISON_OPERATORS.find((each) => each === operator)
  if (known === undefined) throw unknownOperator(cursor, from + left.length, operator)
  const comparison = { operator: known, right: readOperand(cursor, from + split.length, close) }
  return { kind: 'filter', left: readOperand(cursor, from, from + left.length), comparison }
}

/** Offset of the `)` that ends a condition: as in kubectl, the first one outside the first quoted text. */
function conditionEnd ({ source, at: from }: Cursor): number {
  let quote = ''
  let closed = false
  for (let at = from; at < source.length; at += 1) {
    const next = source.charAt(at)
    if (next === ')' && (quote !== '') === closed) return at
    if (quote === '' && /["']/.test(next)) quote = next
    else if (next === quote && source[at - 1] !== '\\') closed = true
  }
  throw syntax(from, 'the filter is not closed', A_FILTER)
}

function readOperand (cursor: Cursor, from: number, to: number): PathStep[] {
  const operand: Cursor = { source: cursor.source.slice(0, to), start: cursor.start, at: from }
  const steps = readSteps(operand)
  if (operand.at < to) throw unexpected(operand)
  return steps
}

function unknownOperator (cursor: Cursor, at: number, operator: string): ExpressionError {
  if (operator === '=' && cursor.source[at + 1] === '~') {
    return unsupported(at, 'regular expressions are not supported, as in kubectl', A_FILTER)
  }
  return syntax(at, `"${operator}" is not a comparison`, `write one of ${COMPARISON_OPERATORS.join(' ')}`)
}

/** Quoted text with the escapes of a Go string. As in kubectl, the first quote without a backslash ends it. */
function readText (cursor: Cursor): PathStep {
  const from = cursor.at
  const quote = peek(cursor)
  const written = match(cursor, /(["'])[^]*?(?<!\\)\1/y).slice(1, -1)
  if (cursor.at === from) throw syntax(from, 'the quote is not closed', `end the text with ${quote}`)
  const text = written.replace(/\\u[\da-fA-F]{4}|\\[^]|["']/g, (escape, offset: number) => {
    const character = unescaped(escape, quote)
    if (character === undefined) {
      throw unsupported(from + 1 + offset, `quoted text cannot contain ${escape}`, 'write the character itself')
    }
    return character
  })
  return { kind: 'text', text }
}

function unescaped (escape: string, quote: string): string | undefined {
  if (escape.length === 1) return escape === quote ? undefined : escape
  if (escape.length === 6) return String.fromCharCode(Number.parseInt(escape.slice(2), 16))
  return escape.slice(1) === quote ? quote : ESCAPES.get(escape.slice(1))
}

const ESCAPES =
  new Map([['a', '\x07'], ['b', '\b'], ['f', '\f'], ['n', '\n'], ['r', '\r'], ['t', '\t'], ['v', '\v'], ['\\', '\\']])

function readNumber (cursor: Cursor): PathStep {
  const from = cursor.at
  const written = match(cursor, /[-+]?[\d.]*/y)
  const value = /^[-+]?(?:\d+\.?\d*|\.\d+)$/.test(written) ? Number(written) : NaN
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return { kind: 'constant', value }
  throw syntax(from, `${written} is not a number, or too large to be exact`, 'start a field name with a dot')
}

function readWord (cursor: Cursor): PathStep {
  const from = cursor.at
  const word = match(cursor, /[^ \t\r\n.,[\]$@{}]*/y)
  if (word === 'true' || word === 'false') return { kind: 'constant', value: word === 'true' }
  if (word === 'range' || word === 'end') {
    const what = `kubectl accepts "${word}", a path template does not: an expression yields one value and cannot loop`
    throw unsupported(from, what, 'name one value, as in {.metadata.name}')
  }
  const call = FOREIGN.exec(word)
  throw call === null ? dotless(cursor, from, word) : foreign(from + call.index, call[0])
}

function dotless (cursor: Cursor, from: number, word: string): ExpressionError {
  const { source, start } = cursor
  if (source.slice(start + 1, from).trim() !== '') {
    return syntax(from, `${word} is neither a field nor quoted text`, `write .${word} for a field, "${word}" for text`)
  }
  const rest = /^[^{}]*/.exec(source.slice(cursor.at))?.[0] ?? ''
  return syntax(from, `a dot is missing before ${word}`, `write {${rooted(word)}${rest.trimEnd()}}`)
}

/** The next character cannot start a step. */
function unexpected (cursor: Cursor): ExpressionError {
  const next = peek(cursor)
  if (next === '') return syntax(cursor.start, 'the expression is not closed', 'end it with }')
  if (FOREIGN.test(next)) return foreign(cursor.at, next)
  if (next === '*') return syntax(cursor.at, '"*" has neither a dot nor brackets', 'write .* or [*]')
  if (next === '{') return syntax(cursor.at, 'an expression starts inside another', 'close the first one with }')
  const remedy = "build the expression from .field, ['key'] and [0]"
  return syntax(cursor.at, `"${printable(next)}" is not allowed here`, remedy)
}

/** Runs code or selects the parent in other dialects of JSONPath. */
const FOREIGN = /[`^~()]/

function foreign (at: number, character: string): ExpressionError {
  if (/[()]/.test(character)) {
    const remedy = 'name a field, [-1] for the last item, or [?(@.name=="TEAM")] for a chosen item'
    return unsupported(at, 'scripts and function calls are not supported', remedy)
  }
  const what = `the operator "${character}" of other JSONPath dialects is not supported, as in kubectl`
  return unsupported(at, what, "name the field from the root, and write a key that contains the character as ['key']")
}

/** The next character, empty at the end. */
function peek ({ source, at }: Cursor): string {
  const next = source.codePointAt(at)
  return next === undefined ? '' : String.fromCodePoint(next)
}

function take (cursor: Cursor, text: string): boolean {
  const found = cursor.source.startsWith(text, cursor.at)
  if (found) cursor.at += text.length
  return found
}

/** Consumes what a sticky pattern matches here; empty without a match. */
function match (cursor: Cursor, pattern: RegExp): string {
  pattern.lastIndex = cursor.at
  const found = pattern.exec(cursor.source)?.[0] ?? ''
  cursor.at += found.length
  return found
}
