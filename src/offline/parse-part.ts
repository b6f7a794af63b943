import { Lexer, parseDocument, type Document, type YAMLParseError } from 'yaml'
import { YamlValueError } from './yaml-values.ts'

/** One document of a text, or one value of a stream of JSON. */
export interface Part {
  readonly syntax: 'JSON' | 'YAML'
  readonly text: string
  /** The offset of its text in the whole one. */
  readonly start: number
}

export interface ParsedPart {
  readonly document: Document.Parsed
  /** What was parsed, at the offsets of the part. */
  readonly source: string
}

export function parsePart ({ text, syntax }: Part): ParsedPart {
  const source = syntax === 'JSON' ? text : asLines(text.slice(0, endOfDocument(text)))
  const document = parseText(source, syntax)
  if (!document.errors.some(({ code, message }) => UNINDENTED.test(`${code} ${message}`))) return { document, source }
  const joined = withJoinedFlows(source)
  return { document: parseText(joined, syntax), source: joined }
}

/** What the library finds in brackets over several lines, which kubectl reads without any indent. */
const UNINDENTED = /^(?:TAB_AS_INDENT|BAD_INDENT Flow|\S+ Expected flow|\S+ Flow .* sufficiently indented)/

/** Scalars stay texts: `jsonValue` gives them their types. */
function parseText (text: string, syntax: Part['syntax']): Document.Parsed {
  return parseDocument(text, {
    version: '1.1',
    schema: 'failsafe',
    resolveKnownTags: false,
    merge: false,
    uniqueKeys: syntax === 'JSON',
    prettyErrors: false,
    logLevel: 'error'
  })
}

/** kubectl does not read what stands behind the line `...`. */
function endOfDocument (text: string): number {
  const end = text.search(/^\.\.\.(?=\s|$)/m)
  return end === -1 ? text.length : end
}

/** The line ends of YAML 1.1 as the one that the library knows, at the same offsets. */
function asLines (text: string): string {
  return text.replaceAll(/\r(?!\n)|\x85/g, '\n').replaceAll(/(?<=(?:^|\s)#.*)[\u2028\u2029]/g, '\n')
}

/** The same text with each pair of brackets on one line, at the same offsets. */
function withJoinedFlows (text: string): string {
  let joined = ''
  for (let at = 0; at < text.length;) {
    const start = startOfFlow(text, at)
    const flow = joinedFlow(text, start)
    const next = text.indexOf('\n', start + flow.length) + 1 || text.length
    joined += text.slice(at, start) + flow + text.slice(start + flow.length, next)
    at = next
  }
  return joined
}

/** The offset of the next opening bracket from the start of a line; that of the end of the text without one. */
function startOfFlow (text: string, from: number): number {
  let offset = from
  for (const lexeme of new Lexer().lex(text.slice(from))) {
    if (lexeme === '[' || lexeme === '{') return offset
    if (!isMark(lexeme)) offset += lexeme.length
  }
  return text.length
}

/** A gap with its comments, a text in quotes at the start of a value, or a character. */
const FLOW_TOKEN = /\s(?:\s|(?<=\s)#[^\n]*)*|(?<=[\s[{,:])(?:"(?:[^"\\]|\\[^])*"|'(?:[^']|'')*')|[^]/g

/** Up to its closing bracket, or to the end of the text. */
function joinedFlow (text: string, start: number): string {
  let [flow, depth, before] = ['', 0, '']
  FLOW_TOKEN.lastIndex = start
  for (let token = FLOW_TOKEN.exec(text)?.[0]; token !== undefined; token = FLOW_TOKEN.exec(text)?.[0]) {
    const isGap = /^\s/.test(token)
    flow += isGap && isJoinable(token, before, text[FLOW_TOKEN.lastIndex] ?? '') ? ' '.repeat(token.length) : token
    depth += Number(/^[[{]/.test(token)) - Number(/^[\]}]/.test(token))
    if (depth === 0) return flow
    if (!isGap) before = token
  }
  return flow
}

/** Behind a word, no tab may follow a line break, and before another word the break has a meaning. */
function isJoinable (gap: string, before: string, after: string): boolean {
  if (/[[{,:]/.test(before)) return true
  return /[\]},]/.test(after) && (/[\]}"']$/.test(before) || !/^[^#]*\n\t/.test(gap))
}

/** Texts that go-yaml refuses, and our library does not. */
export function checkText ({ text }: Part, source: string): void {
  const checks = [
    [misplacedTab(source), 'a tab indents this line or follows a dash: use spaces'],
    [text.search(CONTROL_CHARACTER), 'a control character is not allowed here: remove it'],
    [text.search(/^---[ \t]*[^\s#]/), 'text stands behind the document separator ---: move it to the next line'],
    [text.slice(0, endOfDocument(text)).search(/^%/m), 'kubectl does not read directives (%): remove the line']
  ] as const
  for (const [offset, message] of checks) if (offset !== -1) throw new YamlValueError(message, offset)
}

/** The offset of a tab where go-yaml expects a token of a block, or behind a word in brackets; -1 without one. */
function misplacedTab (text: string): number {
  if (!/^[ -]*\t/m.test(text)) return -1
  let [offset, depth, before, isBehindWord] = [0, 0, '\n', false]
  for (const lexeme of new Lexer().lex(text)) {
    if (isMark(lexeme)) continue
    depth += Number('[{'.includes(lexeme)) - Number(']}'.includes(lexeme))
    const isTab = /^ *\t[ \t]*$/.test(lexeme) && /^(\r?\n|-)$/.test(before)
    if (isTab && (depth === 0 || (isBehindWord && lexeme.startsWith('\t')))) return offset
    offset += lexeme.length
    before = lexeme
    if (/\S/.test(lexeme)) isBehindWord = !/^[[\]{},:"'#?]/.test(lexeme)
  }
  return -1
}

/** The lexer marks documents, scalars, and ends of brackets by control characters. */
function isMark (lexeme: string): boolean {
  return ['\u0002', '\u0018', '\u001F'].includes(lexeme)
}

const CONTROL_CHARACTER = /[^\t\n\r\x20-\x7E\x85\u00A0-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u

export function plainWords ({ code, message }: YAMLParseError): string {
  return PLAIN_WORDS.find(([error]) => error.test(`${code} ${message}`))?.[1] ?? `this is not YAML: ${message}`
}

/** The first match of code and message of the library. */
const PLAIN_WORDS: readonly (readonly [error: RegExp, words: string])[] = [
  [/^BLOCK_AS_IMPLICIT_KEY/, 'a second ": " stands on this line: write the value in quotes, or on its own line'],
  [/^MULTILINE_IMPLICIT_KEY|need to be followed by map values/,
    'this line has no ": " behind its key: add it, or indent the line below its key'],
  [/^TAB_AS_INDENT/, 'a tab indents this line: use spaces'],
  [/must be sufficiently indented|Expected flow .* to end/,
    'the closing bracket is missing, or a line inside the brackets is not indented: add the bracket, or spaces'],
  [/^BAD_INDENT/, 'the indentation does not fit the lines above: align the keys of one map with spaces'],
  [/^DUPLICATE_KEY/, 'this key occurs twice in its map: remove one'],
  [/Missing closing/, 'the closing quote is missing, or a line of the text is not indented: add the quote, or spaces'],
  [/- indicator/, 'an item of a list has no "- " in front: add it, or align the line with its key'],
  [/^MISSING_CHAR/, 'a comma, ": " or a blank is missing here: add it, or write the text in quotes'],
  [/block-seq-ind on same line/, 'a list starts on the line of its key: move it to the next line'],
  [/Block scalar header/, 'other text follows | or > on its line: start the text on the next line'],
  [/^BAD_SCALAR_START/, 'a text starts with a special character: write it in quotes'],
  [/^BAD_DQ_ESCAPE/, 'this escape does not exist: write \\\\ for a backslash, or use single quotes'],
  [/^KEY_OVER_1024_CHARS/, 'a key has more than 1024 characters: shorten it'],
  [/^BLOCK_IN_FLOW/, 'a list with dashes or a map over several lines stands in brackets: use brackets for it too'],
  [/^TAG_RESOLVE_FAILED/, 'this tag (!) is not declared: remove it, or write the text in quotes'],
  [/^(BAD_ALIAS|ALIAS_PROPS|MULTIPLE)/,
    'an anchor (&), alias (*) or tag (!) is incomplete or doubled: write texts in quotes'],
  [/^UNEXPECTED_TOKEN/, 'this does not belong here: remove it, or write the text in quotes']
]
