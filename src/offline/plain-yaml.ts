import { nestsAtMost } from '../platform/json.ts'

/**
 * Reads the plain form of a YAML or JSON document that programs write: mappings and lists in block style, and scalars
 * on one line, in ASCII. Undefined for any other document, sound or not, and wherever it is not certain that a YAML 1.1
 * reader makes the same of it.
 */
export function readPlain (text: string): { readonly value: unknown } | undefined {
  return text.startsWith('{') ? readCanonicalJson(text) : readPlainYaml(text)
}

/**
 * JSON as JSON.stringify writes it, on one line or indented: then no key stands there twice, and all numbers are
 * written as in YAML.
 */
function readCanonicalJson (text: string): { readonly value: unknown } | undefined {
  if (!ASCII.test(text)) return undefined
  const given = text.trimEnd()
  try {
    const value: unknown = JSON.parse(given)
    const isCanonical =
      nestsAtMost(value, MAX_DEPTH) &&
      INDENTATIONS.some((indentation) => JSON.stringify(value, undefined, indentation) === given)
    return isCanonical ? { value } : undefined
  } catch {
    return undefined
  }
}

const INDENTATIONS = [0, 2, 4]
const MAX_DEPTH = 32

function readPlainYaml (text: string): { readonly value: unknown } | undefined {
  if (!ASCII.test(text)) return undefined
  const lines: Line[] = []
  for (const line of text.split('\n')) {
    const indent = line.search(/[^ ]/)
    if (indent === -1 ? line === '' : line[indent] === '#') continue
    if (indent === -1) return undefined
    lines.push({ indent, content: line.slice(indent) })
  }
  try {
    const reader = new Reader(lines)
    return { value: lines.length === 0 ? null : reader.document() }
  } catch (error) {
    if (error === NOT_PLAIN) return undefined
    throw error
  }
}

/** No tab, and no line break but of Unix. */
const ASCII = /^[\n\x20-\x7E]*$/

/** Thrown wherever a document is not plain; one for all, since making an Error takes longer than reading. */
const NOT_PLAIN = new Error('the document is not plain')

interface Line { readonly indent: number, readonly content: string }

const END: Line = { indent: -1, content: '' }
const KEY = /^([A-Za-z_/][A-Za-z0-9_./-]{0,200}):(?: (.+))?$/

class Reader {
  readonly #lines: Line[]
  #at = 0

  constructor (lines: Line[]) {
    this.#lines = lines
  }

  document (): unknown {
    const value = this.#mapping(0, 0)
    if (this.#next !== END) throw NOT_PLAIN
    return value
  }

  get #next (): Line {
    return this.#lines[this.#at] ?? END
  }

  #mapping (indent: number, depth: number): unknown {
    if (depth > MAX_DEPTH) throw NOT_PLAIN
    const mapping: Record<string, unknown> = {}
    while (this.#next.indent === indent && !isItem(this.#next)) {
      const [, key = '', scalar] = KEY.exec(this.#next.content) ?? []
      if (!isPlainKey(key) || Object.hasOwn(mapping, key)) throw NOT_PLAIN
      this.#at++
      mapping[key] = scalar === undefined ? this.#below(indent, depth + 1) : scalarOf(scalar)
      if (this.#next.indent > indent) throw NOT_PLAIN // a scalar of several lines
    }
    return mapping
  }

  /** The value of a key that has nothing behind it on its line. */
  #below (indent: number, depth: number): unknown {
    const { indent: found } = this.#next
    if (found >= indent && isItem(this.#next)) return this.#list(found, depth)
    return found > indent ? this.#mapping(found, depth) : null
  }

  #list (indent: number, depth: number): unknown[] {
    if (depth > MAX_DEPTH) throw NOT_PLAIN
    const list: unknown[] = []
    while (this.#next.indent === indent && isItem(this.#next)) {
      const item = this.#next.content.slice(2)
      if (KEY.test(item)) {
        this.#lines[this.#at] = { indent: indent + 2, content: item }
        list.push(this.#mapping(indent + 2, depth + 1))
      } else {
        this.#at++
        list.push(scalarOf(item))
      }
      if (this.#next.indent > indent) throw NOT_PLAIN
    }
    return list
  }
}

function isPlainKey (key: string): boolean {
  return key !== '' && key !== '__proto__' && typeof plainScalar(key) === 'string'
}

function isItem ({ content }: Line): boolean {
  return content.startsWith('- ')
}

function scalarOf (text: string): unknown {
  if (/^"[^"\\]*"$/.test(text) || /^'[^']*'$/.test(text)) return text.slice(1, -1)
  if (text === '{}') return {}
  return text === '[]' ? [] : plainScalar(text)
}

/**
 * A scalar without quotes. What YAML 1.1 may take for a number, a truth value or a null is told only where it is
 * written in the one usual way.
 */
function plainScalar (text: string): unknown {
  if (/^(?:0|[1-9]\d{0,14})$/.test(text)) return Number(text)
  if (/^[1-9]\d{0,14}(?:m|k|[KMGT]i?|s|h)$/.test(text)) return text
  if (!/^[A-Za-z_/](?:[A-Za-z0-9_./@+=%,(){}[\]'-]|:(?=[A-Za-z0-9/])| (?=[A-Za-z0-9]))*$/.test(text)) throw NOT_PLAIN
  if (/^e[+-]?\d+$/i.test(text)) throw NOT_PLAIN // the YAML reader takes it for a number that lacks its digits
  if (!/^(?:y|yes|n|no|true|false|on|off|null)$/i.test(text)) return text
  const value = CONSTANTS.get(text)
  if (value === undefined) throw NOT_PLAIN
  return value
}

const CONSTANTS = new Map([['true', true], ['false', false], ['null', null]])
