import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Registry } from 'prom-client'
import { cacheMetrics, createMetrics, newRegistry } from '../src/telemetry/metrics.ts'
import { probeMetrics, reconcileMetrics, workQueueMetrics } from '../src/telemetry/reconcile-metrics.ts'
import { customResourceDefinitions } from '../src/api/custom-resource-definitions.ts'
import {
  conditionSchema, envVarSchema, localObjectReferenceSchema, parentReferenceSchema, resourceRequirementsSchema
} from '../src/api/kubernetes-schemas.ts'
import type { JsonObject } from '../src/platform/json.ts'
import { runStep } from '../test/support/docs/documented-steps.ts'
import { ROOT } from '../test/support/docs/pages.ts'
import { wholeProgram } from '../test/support/programs/program.ts'
import { commandLineReference, commandList } from './command-line-reference.ts'

/** The page of fields as the program has them; the text around its generated part stays. */
export function fieldsPage (page: string): string {
  return replaced(page, 'fields', fieldReference())
}

/** The page of metrics as the program has them; the text around its generated part stays. */
export async function metricsPage (page: string): Promise<string> {
  return replaced(page, 'metrics', await metricReference())
}

/** The page of the command line with the commands of the program; the text between their list and them stays. */
export async function commandLinePage (page: string): Promise<string> {
  const program = await wholeProgram()
  return replaced(replaced(page, 'list', commandList(program)), 'commands', commandLineReference(program))
}

const EXAMPLE = 'deploy/examples/custom-path.yaml'

/** README.md with its example as the program judges it; the text around it stays. */
export async function readmePage (page: string): Promise<string> {
  const written = serviceIn(await readFile(path.join(ROOT, EXAMPLE), 'utf8'))
  const stored = serviceIn((await runStep(`node src/main.ts review -f ${EXAMPLE}`)).stdout)
  return replaced(page, 'example', `A service, as its team writes it:

\`\`\`yaml
${written}
\`\`\`

What the API server stores beside these fields:

\`\`\`yaml
${stored.slice(stored.indexOf('  runtimeConfigName:'))}
\`\`\`

Without its label, the service is refused, and the message ends with the fix:

![kubectl apply: the refusal of a service without its label, and the fix](docs/pictures/apply.svg)
`)
}

/** The part from the kind on of the first service. */
function serviceIn (manifests: string): string {
  const service = manifests.split(/^---\n/m).find((text) => text.includes('kind: AIMService')) ?? ''
  return service.replace(/^apiVersion.*\n/, '').trim()
}

/** Replaces a part between its two markers. */
export function replaced (page: string, part: string, content: string): string {
  const [start, end] = [`<!-- ${part}: made by npm run render -->\n`, `<!-- end of ${part} -->\n`]
  const [before, rest] = page.split(start)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`the page has no markers for its ${part}`)
  return `${before}${start}\n${content}\n${end}${after}`
}

/** Schemas that several fields share; each has its own section. */
const SHARED: Readonly<Record<string, JsonObject>> = {
  'Gateway reference': plain(parentReferenceSchema),
  'Pull secret': plain(localObjectReferenceSchema),
  'Environment variable': plain(envVarSchema),
  Resources: plain(resourceRequirementsSchema),
  Condition: plain(conditionSchema)
}

/** Fields of the three kinds as Markdown, from the schemas. */
function fieldReference (): string {
  // Plain JSON by its type.
  const kinds = customResourceDefinitions().map(({ spec }) => kindSection(spec as CrdSpec))
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
  const where = scope === 'Cluster' ? 'Of the whole cluster' : 'Of one namespace'
  return `### ${kind}\n\n${described} ${where}; \`${plural}\`, \`${shortNames.join('`, `')}\`.\n\n` +
    table({ properties: { spec, status }, required: schema['required'] ?? [] })
}

function table (schema: JsonObject): string {
  return `| field | type | what | default | example |\n|---|---|---|---|---|\n${rows(schema, '').join('')}`
}

function rows (schema: JsonObject, above: string): string[] {
  const required = schema['required'] as string[] | undefined ?? [] // `required` of a JSON schema
  return Object.entries(childrenOf(schema)).flatMap(([name, field]) =>
    row(field, { path: `${above}${name}`, required: required.includes(name) })
  )
}

function row (field: JsonObject, { path, required }: { readonly path: string, readonly required: boolean }): string[] {
  const inner = field['items'] as JsonObject | undefined // the schema of a list
  const shared = sharedTitle(inner ?? field)
  const { what, facts } = textsOf(field)
  const type = [typeOf(field), facts['Format'], facts['Unit']].filter((part) => part !== undefined).join(', ')
  const link = shared === undefined ? '' : ` See [${shared}](#${shared.toLowerCase().replaceAll(' ', '-')}).`
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
  return (schema['properties'] ?? {}) as Record<string, JsonObject> // `properties` of a JSON schema
}

interface Texts { readonly what: string, readonly facts: Readonly<Record<string, string>> }

/** The sentence of a field and its facts: see `explain` in field-schemas. */
function textsOf ({ description }: JsonObject): Texts {
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

/** Only templates hold characters that Markdown would interpret: they become code. */
function text (content: string): string {
  return content.replaceAll('|', '\\|').replace(/\/?\{\.[^ ]*\}(?:\/\{\.[^ ]*\})*/g, '`$&`')
}

function plain (schema: object): JsonObject {
  return JSON.parse(JSON.stringify(schema)) as JsonObject // JSON of an object is an object
}

/** Metrics of `serve` and `reconcile` as Markdown, from their registries. */
async function metricReference (): Promise<string> {
  const [serve, reconcile] = await Promise.all([createMetrics('0').registry, reconcilerRegistry()].map(metricsOf))
  const all = new Map([...serve ?? [], ...reconcile ?? []].toSorted(([a], [b]) => a < b ? -1 : 1))
  const rows = Array.from(all, ([name, { type, help, labels }]) => {
    const programs = [
      ...(serve?.has(name) === true ? ['`serve`'] : []),
      ...(reconcile?.has(name) === true ? ['`reconcile`'] : [])
    ]
    return `| ${[code(name), type, labels.map(code).join(', '), programs.join(', '), help].join(' | ')} |\n`
  })
  return `| metric | type | labels | served by | what |\n|---|---|---|---|---|\n${rows.join('')}`
}

/** Metrics of a leading `reconcile`. */
function reconcilerRegistry (): Registry {
  const registry = newRegistry('0')
  cacheMetrics(registry)
  workQueueMetrics(registry)
  const read = { election: '', leads: () => true, unobserved: () => 0, configs: () => [], limit: () => undefined }
  reconcileMetrics(registry, read, 'shown')
  probeMetrics(registry).record(undefined, 0)
  return registry
}

interface MetricFacts { readonly type: string, readonly help: string, readonly labels: readonly string[] }

async function metricsOf (registry: Registry): Promise<ReadonlyMap<string, MetricFacts>> {
  const page = await registry.metrics()
  const entries = page.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\w+)$/gm)
  return new Map(Array.from(entries, ([, name = '', help = '', type = '']) => {
    // Not in the types of prom-client.
    const labels: unknown = Reflect.get(registry.getSingleMetric(name) ?? {}, 'labelNames')
    return [name, { type, help, labels: Array.isArray(labels) ? labels.map(String) : [] }]
  }))
}
