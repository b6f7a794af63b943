import {
  Composer, LineCounter, Parser, isAlias, isMap, isNode, isScalar, isSeq, parseDocument,
  type Document, type Node, type SchemaOptions
} from 'yaml'
import { isJsonObject, ownString, type JsonObject } from '../platform/json.ts'

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
  const documentAt = documentReader(text)
  const positionAt = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  for (const document of new Composer(AS_KUBECTL).compose(new Parser(lines.addNewLine).parse(text))) {
    const [start, , end] = document.range
    for (const { value, offset, steps } of valuesOf(document)) {
      const position = positionAt(offset)
      if (isManifest(value)) {
        const positionOf = (field: string): Position =>
          positionAt(start + fieldOffset(documentAt(start, end), [...steps, ...fieldSteps(field)]))
        manifests.push({ object: value, position, positionOf })
      } else if (value !== null) {
        faults.push({ position, reason: value instanceof Error ? value.message : NOT_AN_OBJECT })
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
 * kubectl reads YAML 1.1 (`yes` and `on` are booleans, 0777 is octal), without the tags for which JSON has no type.
 * Source: sigs.k8s.io/yaml, go.yaml.in/yaml/v2 resolve.go.
 */
const AS_KUBECTL = {
  version: '1.1',
  stringKeys: true,
  prettyErrors: false,
  customTags: (tags) =>
    tags.filter((tag) => typeof tag === 'string' || (tag.format !== 'TIME' && !NOT_JSON.includes(tag.tag)))
} as const satisfies SchemaOptions & { version: '1.1', stringKeys: true, prettyErrors: false }

const NOT_JSON = ['binary', 'omap', 'pairs', 'set', 'timestamp'].map((name) => `tag:yaml.org,2002:${name}`)

/** A value in a document: the offset of its start in the text, in UTF-16 code units, and the steps that lead to it. */
interface Located { readonly value: unknown, readonly offset: number, readonly steps: readonly string[] }

/** The values of a document, or its first error; further errors usually follow from that one. */
function valuesOf (document: Document.Parsed): Located[] {
  const [error] = document.errors
  if (error !== undefined) return [{ value: error, offset: error.pos[0], steps: [] }]
  const start = document.contents?.range[0] ?? 0
  try {
    const value: unknown = document.toJS()
    if (!isList(value)) return [{ value, offset: start, steps: [] }]
    return value.items.map((item, at) => {
      const node = document.getIn(['items', at], true)
      return { value: item, offset: offsetOf(isNode(node) ? node : null) ?? start, steps: ['items', String(at)] }
    })
  } catch (error) {
    // an unresolved alias, or too many of them
    return [{ value: error, offset: start, steps: [] }]
  }
}

function isList (value: unknown): value is { readonly items: readonly unknown[] } {
  return isJsonObject(value) && ownString(value, 'kind').endsWith('List') && Array.isArray(value['items'])
}

function isManifest (value: unknown): value is JsonObject {
  return isJsonObject(value) && ownString(value, 'apiVersion') !== '' && ownString(value, 'kind') !== ''
}

/** Parses one document of the text again and keeps the last one, because few field positions are ever needed. */
function documentReader (text: string): (start: number, end: number) => Document {
  let last: { readonly start: number, readonly document: Document } | undefined
  return (start, end) => {
    if (last?.start !== start) last = { start, document: parseDocument(text.slice(start, end), AS_KUBECTL) }
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
