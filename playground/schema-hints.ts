import { CREDENTIAL_FIELDS, KINDS, type Kind } from '../src/api/kinds.ts'
import { API_VERSION } from '../src/api/meta.ts'
import { OBJECT_SCHEMAS } from '../src/api/object-schemas.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../src/platform/json.ts'

/** A suggestion in the form of CodeMirror's Completion. */
interface Suggestion {
  readonly label: string
  readonly type: 'property' | 'constant'
  readonly detail?: string
  readonly info?: string
  readonly apply: string
}

export interface Suggestions { readonly from: number, readonly options: readonly Suggestion[] }

/** Names in the other text: configurations, and keys of labels. */
export interface KnownNames { readonly configs: readonly string[], readonly labels: readonly string[] }

type KindName = Kind['kind']

/** Fields that users do not write. */
const NOT_WRITTEN: ReadonlySet<string> = new Set(['status', 'resolvedRuntimeConfig'])
/** The fields of metadata that a manifest has. */
const METADATA = ['name', 'namespace', 'labels', 'annotations']

/** Schemas of the fields below these steps, by name; those of a map or a list are the ones of its items. */
function fieldsAt (kind: KindName, steps: readonly string[]): Readonly<Record<string, JsonObject>> {
  const properties = ownObject(schemaAt(kind, steps) ?? {}, 'properties')
  const fields = Object.entries(properties).filter((entry): entry is [string, JsonObject] => isJsonObject(entry[1]))
  return Object.fromEntries(steps.join() === 'metadata' ? fields.filter(([name]) => METADATA.includes(name)) : fields)
}

function schemaAt (kind: KindName, steps: readonly string[]): JsonObject | undefined {
  let schema: JsonObject | undefined = OBJECT_SCHEMAS[kind] as unknown as JsonObject // a schema is JSON
  for (const step of steps) {
    const map: unknown = own(schema, 'additionalProperties')
    const found: unknown = own(ownObject(schema, 'properties'), step) ?? (isJsonObject(map) ? map : undefined)
    if (!isJsonObject(found)) return undefined
    const items = own(found, 'items')
    schema = isJsonObject(items) ? { ...items, description: own(found, 'description'), type: 'array' } : found
  }
  return schema
}

/** Where a position is in a document, by its indentation: the text need not be valid YAML. */
interface Place {
  readonly kind: KindName
  /** Fields above the position; the last one is the field of a value. */
  readonly steps: readonly string[]
  /** Fields of the same map. */
  readonly siblings: ReadonlySet<string>
  readonly indent: string
  /** Undefined where a key is written. */
  readonly value: string | undefined
  /** The start of the word. */
  readonly from: number
}

const LINE = /^([ ]*(?:- +)*)("[^"]*"|'[^']*'|[\w./-]+):(?:\s+(.*))?$/
const KEY = /^([ ]*(?:- +)*)([\w./-]*)$/

function placeAt (text: string, offset: number, otherwise: KindName): Place | undefined {
  const { above, below, written } = linesAround(text, offset)
  const line = LINE.exec(written)
  const [, indent, key = ''] = line ?? KEY.exec(written) ?? []
  if (indent === undefined) return undefined
  const value = line === null ? undefined : line[3] ?? ''
  const parents = parentsOf(above, indent.length)
  return {
    kind: kindIn([...above, ...below]) ?? otherwise,
    steps: line === null ? parents : [...parents, key],
    siblings: new Set([...siblingsIn(above.toReversed(), indent.length), ...siblingsIn(below, indent.length)]),
    indent: ' '.repeat(indent.length),
    value,
    from: offset - (value ?? key).length
  }
}

interface Around { readonly above: readonly string[], readonly below: readonly string[], readonly written: string }

/** The other lines of the document, and the written part of the line. */
function linesAround (text: string, offset: number): Around {
  const start = text.lastIndexOf('\n', offset - 1) + 1
  const before = text.slice(0, start).split('\n').slice(0, -1)
  const after = text.slice(start).split('\n').slice(1)
  const isSeparator = (line: string): boolean => line.startsWith('---')
  const last = after.findIndex(isSeparator)
  return {
    above: before.slice(before.findLastIndex(isSeparator) + 1),
    below: last === -1 ? after : after.slice(0, last),
    written: text.slice(start, offset)
  }
}

function kindIn (lines: readonly string[]): KindName | undefined {
  const named = lines.flatMap((line) => /^kind: *(\w+)/.exec(line)?.[1] ?? [])[0]
  return KINDS.find(({ kind }) => kind === named)?.kind
}

function parentsOf (above: readonly string[], indent: number): string[] {
  const parents: string[] = []
  let column = indent
  for (const line of above.toReversed()) {
    const [, before = '', key = ''] = LINE.exec(line) ?? []
    if (key === '' || before.length >= column) continue
    parents.unshift(key.replaceAll(/["']/g, ''))
    column = before.length
    if (column === 0) break
  }
  return parents
}

function siblingsIn (lines: readonly string[], column: number): string[] {
  const found: string[] = []
  for (const line of lines) {
    const [, before = '', key = ''] = LINE.exec(line) ?? []
    if (key === '' || before.length > column) continue
    if (before.length < column) break
    found.push(key)
    if (before.includes('-')) break
  }
  return found
}

/** Fields, values, and expressions of path templates that fit at the offset. */
export function suggest (text: string, offset: number, given: Given): Suggestions | undefined {
  const place = placeAt(text, offset, given.otherwise)
  if (place === undefined) return undefined
  const { value, from } = place
  if (value === undefined) return { from, options: keys(place) }
  if (place.steps.at(-1) !== 'pathTemplate') return { from, options: values(place, given) }
  const open = value.lastIndexOf('{')
  return open <= value.lastIndexOf('}') ? undefined : { from: from + open, options: expressions(given.names) }
}

/** The kind of a document that names none, and the names in the other text. */
export interface Given { readonly otherwise: KindName, readonly names: KnownNames }

function keys ({ kind, steps, siblings, indent }: Place): Suggestion[] {
  const hidden: readonly string[] = kind === 'AIMClusterRuntimeConfig' ? CREDENTIAL_FIELDS : []
  const fields = Object.entries(fieldsAt(kind, steps))
    .filter(([name]) => !siblings.has(name) && !NOT_WRITTEN.has(name) && !hidden.includes(name))
  return fields.map(([name, schema]) => {
    const type = typeOf(schema)
    const next = type === 'object' ? `:\n${indent}  ` : type === 'list' ? `:\n${indent}- ` : ': '
    return { label: name, type: 'property', detail: type, info: ownString(schema, 'description'), apply: name + next }
  })
}

function expressions ({ labels }: KnownNames): Suggestion[] {
  return ['.metadata.namespace', '.metadata.name', ...labels.map((label) => `.metadata.labels['${label}']`)]
    .map((path) => ({ label: `{${path}}`, type: 'constant', apply: `{${path}}` }))
}

function values ({ kind, steps }: Place, { names, otherwise }: Given): Suggestion[] {
  const field = steps.join('.')
  if (field === 'spec.runtimeConfigName') return names.configs.map(constant)
  if (field === 'kind') {
    const isService = otherwise === 'AIMService'
    return KINDS.map((known) => known.kind).filter((each) => (each === 'AIMService') === isService).map(constant)
  }
  if (field === 'apiVersion') return [constant(API_VERSION)]
  const schema = schemaAt(kind, steps) ?? {}
  const choices = own(schema, 'enum')
  if (Array.isArray(choices)) return choices.map(String).map(constant)
  if (ownString(schema, 'type') === 'boolean') return ['true', 'false'].map(constant)
  const example = /^Example: (.+)$/m.exec(ownString(schema, 'description'))?.[1]
  return example === undefined ? [] : [{ ...constant(example), detail: 'example' }]
}

function constant (label: string): Suggestion {
  return { label, type: 'constant', apply: /^[\w./-]+$/.test(label) ? label : `"${label}"` }
}

function typeOf (schema: JsonObject): string {
  const type = ownString(schema, 'type')
  return type === 'array' ? 'list' : type
}

/** The field whose key is at an offset, with its description: a sentence, then facts, each on a line. */
export function describe (text: string, offset: number, otherwise: KindName): Described | undefined {
  const start = text.lastIndexOf('\n', offset - 1) + 1
  const [, before, key] = LINE.exec(text.slice(start).split('\n', 1)[0] ?? '') ?? []
  if (before === undefined || key === undefined) return undefined
  const [from, to] = [start + before.length, start + before.length + key.length]
  const place = from <= offset && offset <= to ? placeAt(text, from, otherwise) : undefined
  if (place === undefined) return undefined
  const field = [...place.steps, key]
  const description = ownString(schemaAt(place.kind, field) ?? {}, 'description')
  return description === '' ? undefined : { from, to, field: field.join('.'), description }
}

export interface Described {
  readonly from: number
  readonly to: number
  readonly field: string
  readonly description: string
}
