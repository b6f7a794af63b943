import { customResourceDefinitions } from '../src/api/custom-resource-definitions.ts'
import { conditionSchema, envVarSchema, localObjectReferenceSchema, parentReferenceSchema, resourceRequirementsSchema } from '../src/api/kubernetes-schemas.ts'
import type { JsonObject } from '../src/platform/json.ts'

/** What several fields are made of, described once, under a heading of its own. */
const SHARED: Readonly<Record<string, JsonObject>> = {
  'Gateway reference': plain(parentReferenceSchema),
  'Pull secret': plain(localObjectReferenceSchema),
  'Environment variable': plain(envVarSchema),
  Resources: plain(resourceRequirementsSchema),
  Condition: plain(conditionSchema)
}

/** Every field of the three kinds, as Markdown: the very words of the schemas. */
export function fieldReference (): string {
  const kinds = customResourceDefinitions().map(({ spec }) => kindSection(spec as CrdSpec)) // as that function makes it
  const shared = Object.entries(SHARED).map(([title, schema]) => `### ${title}\n\n${table(schema)}`)
  return [...kinds, ...shared].join('\n')
}

interface CrdSpec {
  readonly names: { readonly kind: string, readonly plural: string, readonly shortNames: readonly string[] }
  readonly scope: string
  readonly versions: ReadonlyArray<{ readonly schema: { readonly openAPIV3Schema: JsonObject } }>
}

function kindSection ({ names: { kind, plural, shortNames }, scope, versions }: CrdSpec): string {
  const schema = versions[0]?.schema.openAPIV3Schema ?? {}
  const { spec, status } = childrenOf(schema)
  const described = textsOf(schema).what
  return `### ${kind}\n\n${described} ${scope === 'Cluster' ? 'Of the whole cluster' : 'Of one namespace'}; \`${plural}\`, \`${shortNames.join('`, `')}\`.\n\n` +
    table({ properties: { spec, status }, required: schema['required'] ?? [] })
}

function table (schema: JsonObject): string {
  return `| field | type | what | default | example |\n|---|---|---|---|---|\n${rows(schema, '').join('')}`
}

function rows (schema: JsonObject, above: string): string[] {
  const required = schema['required'] as string[] | undefined ?? [] // a schema's names
  return Object.entries(childrenOf(schema)).flatMap(([name, field]) =>
    row(field, { path: `${above}${name}`, required: required.includes(name) })
  )
}

function row (field: JsonObject, { path, required }: { readonly path: string, readonly required: boolean }): string[] {
  const inner = field['items'] as JsonObject | undefined // a list's schema
  const shared = sharedTitle(inner ?? field)
  const { what, facts } = textsOf(field)
  const type = [typeOf(field), facts['Format'], facts['Unit']].filter((part) => part !== undefined).join(', ')
  const link = shared === undefined ? '' : ` See [${shared}](#${shared.toLowerCase().replaceAll(' ', '-')}).`
  // as schema-rules has them
  const rules = ([field['x-kubernetes-validations'] ?? []].flat() as Array<{ message: string }>).map(
    ({ message }) => ` Rule: ${message}.`
  )
  const example = facts['Example'] === undefined ? '' : code(facts['Example'])
  const cells = [
    code(path),
    type,
    `${what}${link}${rules.join('')}`,
    required ? '(required)' : (facts['Default'] ?? ''),
    example
  ].map((cell, index) => (index === 0 || index === 4 ? cell : text(cell)))
  return [
    `| ${cells.join(' | ')} |\n`,
    ...(shared === undefined ? rows(inner ?? field, `${path}${inner === undefined ? '' : '[]'}.`) : [])
  ]
}

function sharedTitle (schema: JsonObject): string | undefined {
  return Object.entries(SHARED).find(([, shared]) => shared['description'] === schema['description'])?.[0]
}

function typeOf (field: JsonObject): string {
  if (Array.isArray(field['enum'])) return field['enum'].join(' or ')
  if (field['type'] === 'array') return 'list'
  if (field['type'] === 'object' && typeof field['additionalProperties'] === 'object') return 'map'
  return typeof field['type'] === 'string' ? field['type'] : 'number or string'
}

function childrenOf (schema: JsonObject): Record<string, JsonObject> {
  return (schema['properties'] ?? {}) as Record<string, JsonObject> // schemas by name
}

/** The sentence of a field, and the facts below it: see `explain` of field-schemas. */
function textsOf ({ description }: JsonObject): { readonly what: string, readonly facts: Readonly<Record<string, string>> } {
  const [what = '', ...facts] = String(description).split('\n')
  return {
    what,
    facts: Object.fromEntries(
      facts.map((fact) => [fact.slice(0, fact.indexOf(': ')), fact.slice(fact.indexOf(': ') + 2)])
    )
  }
}

function code (content: string): string {
  return `\`${content.replaceAll('|', '\\|')}\``
}

/** What Markdown would take for marks of its own is only in templates, which become code. */
function text (content: string): string {
  return content.replaceAll('|', '\\|').replace(/\/?\{\.[^ ]*\}(?:\/\{\.[^ ]*\})*/g, '`$&`')
}

function plain (schema: object): JsonObject {
  return JSON.parse(JSON.stringify(schema)) as JsonObject // an object stays an object
}
