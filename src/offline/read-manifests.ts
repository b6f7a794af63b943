import { LineCounter, isNode, parseAllDocuments, parseDocument, type Document, type SchemaOptions } from 'yaml'
import { isJsonObject, ownString, type JsonObject } from '../platform/json.ts'
import { fieldOffset, fieldSteps } from './field-position.ts'
import { readPlain } from './plain-yaml.ts'

/** Where something stands in a file; both count from 1. */
export interface Position { readonly line: number, readonly column: number }

/** One object of a file. */
export interface Manifest {
  /** Has an apiVersion and a kind. */
  readonly object: JsonObject
  readonly position: Position
  /** Where a field of it stands, or the nearest field above it that is there: `spec.imagePullSecrets[0].name`. */
  readonly positionOf: (field: string) => Position
}

/** Why a file cannot be read. */
export interface ManifestFault {
  readonly position: Position
  /** One line. */
  readonly reason: string
}

export interface Manifests {
  readonly manifests: readonly Manifest[]
  /** Empty where the whole text could be read. */
  readonly faults: readonly ManifestFault[]
}

/**
 * The objects of a text of YAML or JSON documents, in order; the items of a List in its place, empty documents left
 * out. Reads YAML as kubectl does.
 */
export function readManifests (text: string, documentsOf: DocumentReader = readDocuments): Manifests {
  const manifests: Manifest[] = []
  const faults: ManifestFault[] = []
  const positionAt = positionsIn(text)
  const documentAgain = rereader(text)
  for (const { range, values } of documentsOf(text, documentAgain)) {
    for (const { value, offset, steps } of values) {
      if (isManifest(value)) {
        manifests.push({
          object: value,
          get position () { return positionAt(offset()) },
          positionOf: (field) =>
            positionAt(range[0] + fieldOffset(documentAgain(range), [...steps, ...fieldSteps(field)]))
        })
      } else if (value instanceof Error) faults.push({ position: positionAt(offset()), reason: value.message })
      else if (value !== null) faults.push({ position: positionAt(offset()), reason: 'not a Kubernetes object: it needs an apiVersion and a kind' })
    }
  }
  return { manifests, faults }
}

/** Where a document stands in its text, and what is in it. */
interface ReadDocument { readonly range: Range, readonly values: readonly Placed[] }
type Range = readonly [start: number, end: number]

/** Reads a document of the text once more, with its nodes. */
type Rereader = (range: Range) => Document

/** Takes a text apart into its documents. */
export type DocumentReader = (text: string, documentAgain: Rereader) => Iterable<ReadDocument>

/**
 * What is plain is read without a YAML reader, and all else by one; all of it where anything is faulty, since where a
 * fault stands may depend on what follows.
 */
function readDocuments (text: string, documentAgain: Rereader): Iterable<ReadDocument> {
  const documents: ReadDocument[] = []
  for (const [start, end] of partsOf(text)) {
    const part = text.slice(start, end)
    const plain = readPlain(part.startsWith(MARKER) ? part.slice(MARKER.length) : part)
    if (plain === undefined) documents.push(...readWithYaml(part, start))
    else documents.push({ range: [start, end], values: plainValues(plain.value, { part, start, again: () => documentAgain([start, end]) }) })
  }
  const isFaulty = documents.some(({ values }) => values.some(({ value }) => value instanceof Error))
  return isFaulty ? readWithYaml(text, 0) : documents
}

/** Has a YAML reader read all of it, plain or not: the measure of what `readManifests` makes of a text. */
export const readAllWithYaml: DocumentReader = (text) => readWithYaml(text, 0)

const MARKER = '---\n'

/**
 * A text taken apart before each `---` that stands alone on its line; whole where it holds anything else that marks a
 * document or is for several of them.
 */
function partsOf (text: string): Range[] {
  if (/^(?:%|\uFEFF|\.\.\.|---[^\n]|---$(?!\n))|\r/m.test(text)) return [[0, text.length]]
  const starts = [0, ...Array.from(text.matchAll(/\n---\n/g), ({ index }) => index + 1)]
  return starts.map((start, at) => [start, starts[at + 1] ?? text.length])
}

function * readWithYaml (part: string, start: number): Generator<ReadDocument> {
  for (const document of parseAllDocuments(part, { ...AS_KUBECTL, prettyErrors: false })) {
    const [from, , to] = document.range
    yield {
      range: [start + from, start + to],
      values: valuesOf(document).map((placed) => ({ ...placed, offset: fixed(start + placed.offset()) }))
    }
  }
}

/** Places are looked for when they are asked for. */
function plainValues (value: unknown, { part, start, again }: { part: string, start: number, again: () => Document }): Placed[] {
  const first = (): number => start + part.search(FIRST_CONTENT)
  if (!isList(value)) return [{ value, offset: first, steps: [] }]
  return value.items.map((item, at) => ({
    value: item,
    offset: () => start + (itemOffset(again(), at) ?? 0),
    steps: ['items', String(at)]
  }))
}

/** What is neither a comment nor the mark of a document. */
const FIRST_CONTENT = /(?<=^ *)(?!#|---$)[^ \n]/m

/** Lines are counted when the first place is asked for. */
function positionsIn (text: string): (offset: number) => Position {
  let counter: LineCounter | undefined
  return (offset) => {
    counter ??= linesOf(text)
    const { line, col } = counter.linePos(offset)
    return { line, column: col }
  }
}

function linesOf (text: string): LineCounter {
  const counter = new LineCounter()
  counter.addNewLine(0)
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) counter.addNewLine(at + 1)
  return counter
}

/**
 * kubectl reads YAML 1.1 (`yes` and `on` are booleans, 0777 is octal), save the tags that JSON has no type for.
 * Source: sigs.k8s.io/yaml, go.yaml.in/yaml/v2 resolve.go.
 */
const AS_KUBECTL = {
  version: '1.1',
  stringKeys: true,
  customTags: (tags) =>
    tags.filter((tag) => typeof tag === 'string' || (tag.format !== 'TIME' && !NOT_JSON.includes(tag.tag)))
} as const satisfies SchemaOptions & { version: '1.1', stringKeys: true }

const NOT_JSON = ['binary', 'omap', 'pairs', 'set', 'timestamp'].map((name) => `tag:yaml.org,2002:${name}`)

/**
 * Reads one document of the text once more, since few positions are ever asked for, and nodes take thirty times the
 * room of their text. Keeps the last one.
 */
function rereader (text: string): Rereader {
  let last: { readonly start: number, readonly document: Document } | undefined
  return ([start, end]) => {
    if (last?.start !== start) last = { start, document: parseDocument(text.slice(start, end), AS_KUBECTL) }
    return last.document
  }
}

/** A value of the file, where it starts, in UTF-16 code units, and the steps that lead to it in its document. */
interface Placed { readonly value: unknown, readonly offset: () => number, readonly steps: readonly string[] }

/**
 * The values of a document, or the first error in it, from which further ones mostly follow. Offsets count from where
 * the reading began.
 */
function valuesOf (document: Document.Parsed): Placed[] {
  const [error] = document.errors
  if (error !== undefined) return [{ value: error, offset: fixed(error.pos[0]), steps: [] }]
  const start = document.contents?.range[0] ?? 0
  try {
    const value: unknown = document.toJS()
    return isList(value)
      ? value.items.map((item, at) => ({ value: item, offset: fixed(itemOffset(document, at) ?? start), steps: ['items', String(at)] }))
      : [{ value, offset: fixed(start), steps: [] }]
  } catch (error) {
    // an alias without its anchor, or aliases multiplied beyond measure
    return [{ value: error, offset: fixed(start), steps: [] }]
  }
}

/** Holds on to the number alone, not to the document. */
function fixed (offset: number): () => number {
  return () => offset
}

function isList (value: unknown): value is { readonly items: readonly unknown[] } {
  return isJsonObject(value) && ownString(value, 'kind').endsWith('List') && Array.isArray(value['items'])
}

function itemOffset (document: Document, at: number): number | undefined {
  const node = document.getIn(['items', at], true)
  return isNode(node) ? node.range?.[0] : undefined
}

function isManifest (value: unknown): value is JsonObject {
  return isJsonObject(value) && ownString(value, 'apiVersion') !== '' && ownString(value, 'kind') !== ''
}
