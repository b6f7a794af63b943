import {
  Lexer, LineCounter, isAlias, isMap, isNode, isScalar, isSeq, parseDocument,
  type Document, type Node, type YAMLParseError
} from 'yaml'
import { isJsonObject, own, ownString, parseJson, type JsonObject } from '../platform/json.ts'
import { YamlValueError, jsonValue } from './yaml-values.ts'

/** Line and column in a file, from 1. */
export interface Position { readonly line: number, readonly column: number }

export interface Manifest {
  /** Has an apiVersion and a kind. */
  readonly object: JsonObject
  readonly position: Position
  /** The position of a field, such as `spec.imagePullSecrets[0].name`, or of its closest parent in the file. */
  readonly positionOf: (field: string) => Position
}

/** Why a file is invalid. */
export interface ManifestFault {
  readonly position: Position
  /** One line. */
  readonly reason: string
}

export interface Manifests {
  readonly manifests: readonly Manifest[]
  readonly faults: readonly ManifestFault[]
}

/**
 * Reads the objects of YAML or JSON documents in order, as kubectl does. A List is replaced by its items. Holds the
 * nodes of one document at a time, because nodes need thirty times the memory of their text.
 */
export function readManifests (text: string): Manifests {
  const manifests: Manifest[] = []
  const faults: ManifestFault[] = []
  const lines = new LineCounter()
  lines.addNewLine(0)
  for (const { index } of text.matchAll(/\n/g)) lines.addNewLine(index + 1)
  const documentOf = documentReader()
  const positionAt = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  for (const part of partsOf(text)) {
    for (const { value, offset, steps } of valuesOf(part)) {
      const position = positionAt(part.start + offset)
      if (isManifest(value)) {
        const positionOf = (field: string): Position =>
          positionAt(part.start + fieldOffset(documentOf(part), [...steps, ...fieldSteps(field)]))
        manifests.push({ object: value, position, positionOf })
      } else if (value !== null) {
        faults.push({ position, reason: value instanceof Error ? value.message : NOT_AN_OBJECT })
        // the next value has no start
        if (part.syntax === 'JSON' && value instanceof Error) return { manifests, faults }
      }
    }
  }
  return { manifests, faults }
}

/** The steps of a field path as Kubernetes writes it: `metadata.labels[app.kubernetes.io/name]`, `spec.env[0].name`. */
export function fieldSteps (field: string): string[] {
  return [...field.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(([, inBrackets, plain]) => inBrackets ?? plain ?? '')
}

const NOT_AN_OBJECT = 'not a Kubernetes object: set apiVersion and kind'

/** One document of a text, or one value of a stream of JSON. */
interface Part {
  readonly syntax: 'JSON' | 'YAML'
  readonly text: string
  /** The offset of its text in the whole one. */
  readonly start: number
}

/**
 * A text that starts with `{` is a stream of JSON. In any other, each line that starts with `---` ends a document, even
 * within a text block. Source: apimachinery, util/yaml, YAMLOrJSONDecoder.
 */
function partsOf (text: string): Generator<Part> {
  return /^\s*\{/.test(text) ? jsonParts(text) : yamlParts(text)
}

function * jsonParts (text: string): Generator<Part> {
  const blanks = /[ \t\r\n]*/y
  for (let end = 0; end < text.length;) {
    blanks.lastIndex = end
    const start = end + (blanks.exec(text)?.[0].length ?? 0)
    end = endOfJson(text, start)
    if (start < end) yield { syntax: 'JSON', text: text.slice(start, end), start }
  }
}

function * yamlParts (text: string): Generator<Part> {
  let start = 0
  for (const { index, 0: line, 1: rest = '' } of text.matchAll(/(?<=^|\n)---(.*)\n?/g)) {
    if (index > start) yield yamlPart(text, start, index)
    // text behind a separator stays with it, and is a fault
    start = /^\s*(#|$)/.test(rest) ? index + line.length : index
  }
  if (start < text.length) yield yamlPart(text, start, text.length)
}

function yamlPart (text: string, start: number, end: number): Part {
  return text[start] === '\uFEFF' && start < end
    ? yamlPart(text, start + 1, end)
    : { syntax: 'YAML', text: text.slice(start, end), start }
}

/** The offset behind the object or list at `start`; the end of the text if it has no end, or is neither. */
function endOfJson (text: string, start: number): number {
  if (!/[{[]/.test(text[start] ?? '')) return text.length
  let depth = 0
  const tokens = /"[^"\\]*(?:\\[^][^"\\]*)*"|([{[])|[}\]]/g
  tokens.lastIndex = start
  for (let token = tokens.exec(text); token !== null; token = tokens.exec(text)) {
    if (token[0].startsWith('"')) continue
    depth += token[1] === undefined ? -1 : 1
    if (depth === 0) return tokens.lastIndex
  }
  return text.length
}

/** A value in a document: the offset of its start in the text, in UTF-16 code units, and the steps that lead to it. */
interface Located { readonly value: unknown, readonly offset: number, readonly steps: readonly string[] }

/** The values of a document, or its first error; further errors usually follow from that one. */
function valuesOf (part: Part): Located[] {
  try {
    const parsed = parsePart(part)
    return itemsOf(part.syntax === 'JSON' ? jsonOf(part, parsed) : yamlOf(part, parsed), parsed.document)
  } catch (error) {
    const { message, offset } = plainFault(error)
    // a template stands outside of quotes and comments
    const template = part.text.search(/(?<=^[^'"#\n]*)\{\{/m)
    if (template === -1) return [{ value: new Error(message), offset, steps: [] }]
    return [{ value: new Error(UNRENDERED), offset: template, steps: [] }]
  }
}

function plainFault (error: unknown): Pick<YamlValueError, 'message' | 'offset'> {
  if (error instanceof YamlValueError) return error
  if (error instanceof SyntaxError) {
    return { message: BAD_JSON, offset: Number(/position (\d+)/.exec(error.message)?.[1] ?? 0) }
  }
  if (error instanceof RangeError) return { message: 'the document is nested too deeply: use fewer levels', offset: 0 }
  throw error
}

function yamlOf (part: Part, { document, source }: ParsedPart): unknown {
  checkText(part, source)
  const error = document.errors.find(({ code }) => code !== 'MULTIPLE_DOCS')
  if (error !== undefined) throw new YamlValueError(plainWords(error), error.pos[0])
  return jsonValue(document, part.text)
}

function jsonOf ({ text }: Part, { document }: ParsedPart): unknown {
  const parsed = parseJson(text)
  const value = /\\u[dD]|[eE]\+?\d{3}/.test(text) ? asInGo(parsed) : parsed
  const error = document.errors.find(({ code }) => code === 'DUPLICATE_KEY')
  if (error !== undefined) throw new YamlValueError(plainWords(error), error.pos[0])
  return value
}

/** As Go's encoding/json: a lone surrogate is replaced, and a number beyond a double is an error. */
function asInGo (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asInGo)
  if (isJsonObject(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asInGo(item)]))
  if (value === Infinity || value === -Infinity) throw new SyntaxError('a number is too large')
  return typeof value === 'string' ? value.toWellFormed() : value
}

const UNRENDERED =
  'this is an unrendered template: {{ … }} is not YAML; render it first, for example with helm template'
const BAD_JSON = 'this is not JSON, and a text that starts with { is read as JSON: write keys and texts in double ' +
  'quotes, without comments, without a comma before } or ], and without --- between objects'

/** Texts that go-yaml refuses, and our library does not. */
function checkText ({ text }: Part, source: string): void {
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

function plainWords ({ code, message }: YAMLParseError): string {
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

function itemsOf (value: unknown, document: Document): Located[] {
  const start = document.contents?.range?.[0] ?? 0
  const list = isJsonObject(value) && ownString(value, 'kind') !== '' ? value : {}
  const items = own(list, 'items')
  if (items === undefined) return [{ value, offset: start, steps: [] }]
  if (!Array.isArray(items)) throw new YamlValueError('the items of a List are not a list: write a list', start)
  return items.map((item: unknown, at) => {
    const node = document.getIn(['items', at], true)
    const offset = offsetOf(isNode(node) ? node : null) ?? start
    if (isJsonObject(item) && own(item, 'items') !== undefined) {
      throw new YamlValueError('a List contains a List: move its items to the outer one', offset)
    }
    const isNamed = isJsonObject(item) && (ownString(item, 'kind') !== '' || ownString(item, 'apiVersion') !== '')
    const named = isJsonObject(item) && !isNamed
      ? { ...item, apiVersion: list['apiVersion'], kind: ownString(list, 'kind').replace(/List$/, '') }
      : item
    return { value: named, offset, steps: ['items', String(at)] }
  })
}

interface ParsedPart {
  readonly document: Document.Parsed
  /** What was parsed, at the offsets of the part. */
  readonly source: string
}

function parsePart ({ text, syntax }: Part): ParsedPart {
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
  return text.replaceAll(/\r(?!\n)|\x85/g, '\n')
    .replaceAll(/(?<=(?:^|\s)#.*)[\u2028\u2029]/g, '\n')
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

function isManifest (value: unknown): value is JsonObject {
  return isJsonObject(value) && ownString(value, 'apiVersion') !== '' && ownString(value, 'kind') !== ''
}

/** Parses a document again and keeps the last one, because few field positions are ever needed. */
function documentReader (): (part: Part) => Document {
  let last: { readonly part: Part, readonly document: Document } | undefined
  return (part) => {
    if (last?.part !== part) last = { part, document: parsePart(part).document }
    return last.document
  }
}

/** The offset of a field in a document: of the value if it is a scalar, else of the key. Falls back to the parent. */
function fieldOffset (document: Document, steps: readonly string[]): number {
  let node = document.contents
  let offset = offsetOf(node) ?? 0
  for (const step of steps) {
    const found = childAt(isAlias(node) ? node.resolve(document) : node, step)
    if (found === undefined) break
    node = found.value
    offset = (isScalar(node) || found.key === null ? offsetOf(node) : undefined) ?? offsetOf(found.key) ?? offset
  }
  return offset
}

interface Child { readonly key: Node | null, readonly value: Node | null }

function childAt (node: Node | null | undefined, step: string): Child | undefined {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step)
    return pair && { key: asNode(pair.key), value: asNode(pair.value) }
  }
  const item = isSeq(node) ? node.items[Number(step)] : undefined
  return item === undefined ? undefined : { key: null, value: asNode(item) }
}

function asNode (value: unknown): Node | null {
  return isNode(value) ? value : null
}

function offsetOf (node: Node | null): number | undefined {
  return node?.range?.[0]
}
