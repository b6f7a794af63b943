import {
  isAlias, isMap, isNode, isScalar, isSeq, visit,
  type Alias, type Document, type Node, type Scalar, type YAMLMap
} from 'yaml'

/** Why a document has no value, in one line; `offset` counts UTF-16 code units from the start of its text. */
export class YamlValueError extends Error {
  readonly offset: number

  constructor (message: string, at: unknown) {
    super(message)
    this.offset = typeof at === 'number' ? at : isNode(at) ? at.range?.[0] ?? 0 : 0
  }
}

/**
 * The JSON value of a document whose scalars are texts (schema "failsafe"), as kubectl derives it. Throws a
 * YamlValueError. Source: go.yaml.in/yaml/v2, resolve.go and decode.go; sigs.k8s.io/yaml, convertToJSONableObject.
 */
export function jsonValue (document: Document, text: string): unknown {
  const context: Context = { document, text, targets: undefined, open: new Set(), nodes: 0, aliasNodes: 0 }
  return valueOf(document.contents, context)
}

/** Aliases expand as trees, so the expansion is limited as in go-yaml. */
interface Context {
  readonly document: Document
  /** As given, with the separators of lines that the library does not know. */
  readonly text: string
  /** Resolved when the first alias is met. */
  targets: ReadonlyMap<Alias, Node | undefined> | undefined
  /** The aliases around the current node. */
  readonly open: Set<Alias>
  nodes: number
  aliasNodes: number
}

function valueOf (node: unknown, context: Context): unknown {
  countNode(context)
  if (isAlias(node)) return throughAlias(node, context, (target) => valueOf(target, context))
  if (isNode(node)) refuseAnchor(node)
  if (isMap(node)) return Object.fromEntries(entriesOf(node, context))
  if (isSeq(node)) {
    if (node.flow === true) node.items.forEach(refuseQuestionMark)
    return node.items.map((item) => valueOf(item, context))
  }
  return isScalar(node) ? scalarOf(node, context) : null
}

function refuseAnchor (node: { readonly anchor?: string }): void {
  if (node.anchor === undefined || /^[-\w]+$/.test(node.anchor)) return
  const message = `the anchor &${node.anchor} has other characters than letters, digits, _ and -: rename it`
  throw new YamlValueError(message, node)
}

/** go-yaml takes the mark for that of a key. */
function refuseQuestionMark (node: unknown): void {
  if (isScalar(node) && node.type === 'PLAIN' && String(node.value).startsWith('?')) {
    throw new YamlValueError('a text in brackets starts with ?: write it in quotes', node)
  }
}

/** As in go-yaml: 99 % of 400,000 nodes may come from aliases, 10 % of 4,000,000. */
function countNode (context: Context): void {
  context.nodes++
  if (context.open.size === 0) return
  context.aliasNodes++
  const ratio = Math.max(0.1, 0.99 - 0.89 * Math.max(0, (context.nodes - 400_000) / 3_600_000))
  if (context.aliasNodes > 100 && context.nodes > 1_000 && context.aliasNodes > ratio * context.nodes) {
    const [alias] = context.open
    throw new YamlValueError('aliases multiply this document too much: write the repeated parts out', alias)
  }
}

function throughAlias<T> (alias: Alias, context: Context, read: (target: Node) => T): T {
  context.targets ??= aliasTargets(context.document)
  const target = context.targets.get(alias)
  if (target === undefined) {
    throw new YamlValueError(`no anchor &${alias.source} stands before the alias *${alias.source}: add it`, alias)
  }
  if (context.open.has(alias)) {
    throw new YamlValueError(`the anchor &${alias.source} contains its own alias: remove the alias`, alias)
  }
  context.open.add(alias)
  const value = read(target)
  context.open.delete(alias)
  return value
}

function aliasTargets (document: Document): Map<Alias, Node | undefined> {
  const anchors = new Map<string, Node>()
  const targets = new Map<Alias, Node | undefined>()
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) targets.set(node, anchors.get(node.source))
      else if (node.anchor !== undefined) anchors.set(node.anchor, node)
    }
  })
  return targets
}

function entriesOf (map: YAMLMap, context: Context): Map<string, unknown> {
  const entries = new Map<string, unknown>()
  const written = new Set<string>()
  for (const { key, value } of map.items) {
    if (isMergeKey(key)) {
      // what stands later wins
      for (const [name, merged] of mergedEntries(value, context)) entries.set(name, merged)
    } else {
      if (map.flow === true) refuseFlowKey(key, context)
      const name = keyOf(key, context)
      if (written.has(name)) {
        throw new YamlValueError(`the key ${JSON.stringify(name)} occurs twice in this map: remove one`, key)
      }
      written.add(name)
      entries.set(name, valueOf(value, context))
    }
  }
  return entries
}

function refuseFlowKey (key: unknown, context: Context): void {
  refuseQuestionMark(key)
  if (!isScalar(key)) return
  const written = writtenText(key, context)
  if (written.length > 1_024) throw new YamlValueError('a key has more than 1024 characters: shorten it', key)
  if (written.includes('\n')) throw new YamlValueError('a key spans two lines: write it on one', key)
}

function writtenText ({ range }: Node, { text }: Context): string {
  return range ? text.slice(range[0], range[1]) : ''
}

function isMergeKey (key: unknown): boolean {
  return isScalar(key) && key.value === '<<' &&
    (key.tag === MERGE_TAG || (key.type === 'PLAIN' && key.tag === undefined))
}

const MERGE_TAG = 'tag:yaml.org,2002:merge'

/** The first of several maps wins. */
function mergedEntries (value: unknown, context: Context): Map<string, unknown> {
  const maps = isSeq(value) ? value.items.toReversed() : [value]
  return new Map(maps.flatMap((item) => {
    countNode(context)
    if (isMap(item)) return [...entriesOf(item, context)]
    if (!isAlias(item)) throw new YamlValueError(BAD_MERGE, item)
    return throughAlias(item, context, (target) => {
      if (!isMap(target)) throw new YamlValueError(BAD_MERGE, item)
      return [...entriesOf(target, context)]
    })
  }))
}

const BAD_MERGE = 'the value of the merge key << is not a map: write a map, an alias of one, or a list of these'

function keyOf (key: unknown, context: Context): string {
  const node = isAlias(key) ? throughAlias(key, context, (target) => target) : key
  const value = valueOf(node, context)
  if (typeof value === 'string') return value
  if (typeof value === 'number') return numberKey(value, node)
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  throw new YamlValueError(BAD_KEY, node)
}

const BAD_KEY = 'a key is null, a map, a list or a huge number: write a text, in quotes if necessary'

function numberKey (value: number, node: unknown): string {
  const integer = isScalar(node) ? integerOf(String(node.value)) : undefined
  if (integer === undefined ? !Number.isFinite(Math.fround(value)) : value >= 2 ** 63) {
    throw new YamlValueError(BAD_KEY, node)
  }
  return integer === undefined ? floatKey(value) : String(integer)
}

/** A float as go-yaml writes it: the shortest digits of 32 bits, with an exponent from 1e+06 and below 1e-04. */
function floatKey (value: number): string {
  const short = [1, 2, 3, 4, 5, 6, 7, 8].map((digits) => value.toPrecision(digits))
    .find((digits) => Math.fround(Number(digits)) === Math.fround(value)) ?? value.toPrecision(9)
  const [digits = '', exponent = ''] = Number(short).toExponential().split('e')
  if (Number(exponent) >= -4 && Number(exponent) < 6) return String(Number(short))
  return `${digits}e${exponent.replace(/^([-+])(\d)$/, '$10$2')}`
}

function scalarOf (node: Scalar, context: Context): unknown {
  refuseText(node, context)
  const text = String(node.value)
  if (node.tag === undefined) return node.type === 'PLAIN' ? finite(plainValue(text), node) : text
  const tag = node.tag.replace('tag:yaml.org,2002:', '!!')
  if (tag === '!!binary') return decodedBase64(text, node)
  if (tag === '!!timestamp' && !/^\d{4}-\d\d?-\d\d?(?!\d)/.test(text)) throw unfit(text, tag, node)
  return TYPES.includes(tag) ? typedValue(tag, text, node) : text
}

const TYPES = ['!!bool', '!!int', '!!float', '!!null']

function typedValue (tag: string, text: string, node: Scalar): unknown {
  const value = finite(plainValue(text), node)
  const isFloat = tag === '!!float' && typeof value === 'number'
  if (!isFloat && tag !== tagOf(value, text)) throw unfit(text, tag, node)
  return value
}

function refuseText (node: Scalar, context: Context): void {
  if (node.type === 'QUOTE_DOUBLE' && BAD_ESCAPE.test(writtenText(node, context))) {
    const message = 'kubectl does not read the escapes \\/ and \\ud800 to \\udfff here: write the character itself'
    throw new YamlValueError(message, node)
  }
  const isSeparated = LINE_SEPARATOR.test(context.text) && LINE_SEPARATOR.test(writtenText(node, context))
  if (isSeparated && (node.type === 'PLAIN' || !LINE_SEPARATOR.test(String(node.value)))) {
    throw new YamlValueError('a text has a line separator (U+2028 or U+2029): remove it', node)
  }
}

const LINE_SEPARATOR = /[\u2028\u2029]/
const BAD_ESCAPE = /(?<!\\)(?:\\\\)*\\(?:\/|u[dD][89a-fA-F])/

function finite (value: unknown, node: Scalar): unknown {
  if (typeof value !== 'number' || Number.isFinite(value)) return value
  throw new YamlValueError(`${String(node.value)} is not a number in JSON: write it in quotes if it is text`, node)
}

function unfit (text: string, tag: string, node: Node): YamlValueError {
  return new YamlValueError(`"${text}" does not fit its tag ${tag}: change one of the two`, node)
}

function tagOf (value: unknown, text: string): string {
  if (value === null) return '!!null'
  if (typeof value === 'boolean') return '!!bool'
  if (typeof value === 'string') return '!!str'
  return integerOf(text) === undefined ? '!!float' : '!!int'
}

function decodedBase64 (text: string, node: Node): string {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)))
  } catch {
    throw new YamlValueError('the value of the tag !!binary is not base64: encode it', node)
  }
}

const CONSTANTS = new Map<string, boolean | null | number>([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
  ...['.nan', '.NaN', '.NAN'].map((word) => [word, NaN] as const),
  ...['', '+', '-'].flatMap((sign) => ['.inf', '.Inf', '.INF'].map((word) => [sign + word, Infinity] as const))
])

/** The value of a text without quotes. */
function plainValue (text: string): unknown {
  const constant = CONSTANTS.get(text)
  if (constant !== undefined) return constant
  const integer = integerOf(text)
  if (integer !== undefined) {
    const isExact = String(Number(integer)) === String(integer) || BigInt.asIntN(64, integer) !== integer
    return isExact ? Number(integer) : integer
  }
  const plain = text.startsWith('._') ? text : text.replaceAll('_', '')
  const number = /^[-+.\d]/.test(text) && FLOAT.test(plain) ? Number(plain) + 0 : Infinity
  return Number.isFinite(number) ? number : text
}

const FLOAT = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/
const INTEGER = /^[-+]?(?:0[xX][\da-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9]\d*)$/

/** An integer of 64 bits: decimal, 0x1f, 0b11, 0o17 or 017, with `_` between digits. */
function integerOf (text: string): bigint | undefined {
  const plain = text.replaceAll('_', '')
  if (!/^[-+\d]/.test(text) || !INTEGER.test(plain)) return undefined
  const size = BigInt(plain.toLowerCase().replace(/^[-+]/, '').replace(/^0(?=\d)/, '0o'))
  const integer = plain.startsWith('-') ? -size : size
  const isUnsigned = /^\d/.test(plain) && BigInt.asUintN(64, integer) === integer
  return isUnsigned || BigInt.asIntN(64, integer) === integer ? integer : undefined
}
