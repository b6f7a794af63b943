import { LineCounter, isAlias, isMap, isNode, isScalar, isSeq, type Document, type Node } from 'yaml'
import { isJsonObject, own, ownString, parseJson, type JsonObject } from '../platform/json.ts'
import { checkText, parsePart, plainWords, type ParsedPart, type Part } from './parse-part.ts'
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
