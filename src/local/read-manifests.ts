import { LineCounter, isNode, parseAllDocuments } from 'yaml'
import type { Document, SchemaOptions } from 'yaml'
import type { JsonObject } from '../api/meta.ts'
import { isJsonObject, ownString } from '../core/json.ts'

/** Where something stands in a file; both count from 1. */
export interface Position { readonly line: number, readonly column: number }

/** One object of a file. */
export interface Manifest {
  /** Has an apiVersion and a kind. */
  readonly object: JsonObject
  readonly position: Position
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

/** The objects of a text of YAML or JSON documents, in order; the items of a List in its place, empty documents left out. Reads YAML as kubectl does. */
export function readManifests (text: string): Manifests {
  const lineCounter = new LineCounter()
  const positionAt = (offset: number): Position => {
    const { line, col } = lineCounter.linePos(offset)
    return { line, column: col }
  }
  const manifests: Manifest[] = []
  const faults: ManifestFault[] = []
  for (const document of parseAllDocuments(text, { ...AS_KUBECTL, lineCounter, prettyErrors: false })) {
    for (const { value, offset } of valuesOf(document)) {
      const position = positionAt(offset)
      if (value instanceof Error) faults.push({ position, reason: value.message })
      else if (isManifest(value)) manifests.push({ object: value, position })
      else if (value !== null) faults.push({ position, reason: 'not a Kubernetes object: it needs an apiVersion and a kind' })
    }
  }
  return { manifests, faults }
}

/**
 * kubectl reads YAML 1.1 (`yes` and `on` are booleans, 0777 is octal), save the tags that JSON has no type for.
 * Source: sigs.k8s.io/yaml, go.yaml.in/yaml/v2 resolve.go.
 */
const AS_KUBECTL = {
  version: '1.1',
  stringKeys: true,
  customTags: (tags) => tags.filter((tag) => typeof tag === 'string' || (tag.format !== 'TIME' && !NOT_JSON.includes(tag.tag)))
} as const satisfies SchemaOptions & { version: '1.1', stringKeys: true }

const NOT_JSON = ['binary', 'omap', 'pairs', 'set', 'timestamp'].map((name) => `tag:yaml.org,2002:${name}`)

/** A value of the file and where it starts, in UTF-16 code units. */
interface Placed { readonly value: unknown, readonly offset: number }

/** The values of a document, or the first error in it, from which further ones mostly follow. */
function valuesOf (document: Document.Parsed): Placed[] {
  const [error] = document.errors
  if (error !== undefined) return [{ value: error, offset: error.pos[0] }]
  const offset = document.contents?.range[0] ?? 0
  try {
    const value: unknown = document.toJS()
    return isList(value) ? value.items.map((item, at) => ({ value: item, offset: itemOffset(document, at) ?? offset })) : [{ value, offset }]
  } catch (error) {
    return [{ value: error, offset }] // an alias without its anchor, or aliases multiplied beyond measure
  }
}

function isList (value: unknown): value is { readonly items: readonly unknown[] } {
  return isJsonObject(value) && ownString(value, 'kind').endsWith('List') && Array.isArray(value['items'])
}

function itemOffset (document: Document.Parsed, at: number): number | undefined {
  const node = document.getIn(['items', at], true)
  return isNode(node) ? node.range?.[0] : undefined
}

function isManifest (value: unknown): value is JsonObject {
  return isJsonObject(value) && ownString(value, 'apiVersion') !== '' && ownString(value, 'kind') !== ''
}
