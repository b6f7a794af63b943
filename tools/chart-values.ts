import { isMap, isScalar, parseDocument, type Node, type Pair, type YAMLMap } from 'yaml'

/** The values of a chart as Markdown, as helm-docs lists them: the comments above them are the descriptions. */
export function valuesTable (values: string): string {
  const document = parseDocument(values)
  if (!isMap(document.contents)) throw new Error('values.yaml holds no map')
  return `| value | type | default | description |\n|---|---|---|---|\n${rows(document.contents, '').join('')}`
}

/** A map is a row of its own if it is written in one line, or if only a comment above it describes it. */
function rows (map: YAMLMap, above: string): string[] {
  return map.items.flatMap((pair) => {
    const { key, value } = pair as Pair<Node, Node | null> // nodes of a parsed document
    const path = `${above}${isScalar(key) ? String(key.value) : ''}`
    const comment = commentOf(key, map)
    if (isMap(value) && value.flow !== true && comment === '') return rows(value, `${path}.`)
    if (comment === '') throw new Error(`values.yaml: ${path} has no comment that describes it`)
    return [`| ${[`\`${path}\``, typeOf(value), `\`${JSON.stringify(value)}\``, comment].map(cell).join(' | ')} |\n`]
  })
}

/** The first key of a map has its comment at the map. */
function commentOf (key: Node, map: YAMLMap): string {
  const comment = key.commentBefore ?? (map.items[0]?.key === key ? map.commentBefore : undefined)
  return (comment ?? '').split('\n').map((line) => line.trim()).join(' ').trim()
}

/** Only lists have null, for "not set", as their default. */
const TYPES: Readonly<Record<string, string>> = { null: 'list', boolean: 'bool', number: 'int' }

function typeOf (value: Node | null): string {
  if (isMap(value)) return 'object'
  if (!isScalar(value)) return 'list'
  return TYPES[value.value === null ? 'null' : typeof value.value] ?? 'string'
}

function cell (text: string): string {
  return text.replaceAll('|', '\\|')
}
