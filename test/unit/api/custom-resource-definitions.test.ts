import { readFile, readdir } from 'node:fs/promises'
import t from 'tap'
import type { AIMServiceSpec, AIMServiceStatus } from '../../../src/api/aim-service.ts'
import { customResourceDefinitions } from '../../../src/api/custom-resource-definitions.ts'
import type { RuntimeConfigSpec, RuntimeConfigStatus } from '../../../src/api/runtime-config.ts'
import { toYaml } from '../../../src/cli/output/formats.ts'

interface Schema {
  readonly type?: string
  readonly description?: string
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly additionalProperties?: Schema
  readonly [keyword: string]: unknown
}

interface Column { readonly name: string, readonly jsonPath: string, readonly priority?: number }

/** The part of a CustomResourceDefinition that the tests read. */
interface Definition {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly names: {
      readonly kind: string, readonly shortNames: readonly string[], readonly categories: readonly string[]
    }
    readonly scope: string
    readonly versions: ReadonlyArray<{
      readonly schema: { readonly openAPIV3Schema: Schema }
      readonly subresources: unknown
      readonly additionalPrinterColumns: readonly Column[]
    }>
  }
}
const definitions = customResourceDefinitions() as unknown as readonly Definition[]
const schemas = Object.fromEntries(
  definitions.map(({ spec }) => [spec.names.kind, spec.versions[0]?.schema.openAPIV3Schema ?? {}])
)

interface Field { readonly path: string, readonly schema: Schema, readonly optional: boolean }

/** All fields below a schema, including nested ones. */
function fieldsOf (schema: Schema, path: string): Field[] {
  const below: Field[] = Object.entries(schema.properties ?? {}).map(([key, field]) =>
    ({ path: `${path}.${key}`, schema: field, optional: schema.required?.includes(key) !== true }))
  if (schema.items !== undefined) below.push({ path: `${path}[]`, schema: schema.items, optional: false })
  if (schema.additionalProperties !== undefined) {
    below.push({ path: `${path}{}`, schema: schema.additionalProperties, optional: false })
  }
  return below.flatMap((field) => [field, ...fieldsOf(field.schema, field.path)])
}
const fields = Object.entries(schemas)
  .flatMap(([kind, schema]) => fieldsOf(schema, kind))
  .filter(({ path }) => !path.endsWith('.metadata'))

t.test('deploy/crds is up to date with the schemas', async (t) => {
  const folder = new URL('../../../deploy/crds/', import.meta.url)
  t.same(await readdir(folder), ['aim.silogen.ai.yaml'])
  t.equal(await readFile(new URL('aim.silogen.ai.yaml', folder), 'utf8'), toYaml(customResourceDefinitions()),
    'npm run -s aim-admission -- manifests crds > deploy/crds/aim.silogen.ai.yaml')
})

t.test('every field has a description, every scalar an example, every optional field its default', async (t) => {
  for (const { path, schema, optional } of fields) {
    const description = schema.description ?? ''
    t.match(description, /^\S.*\.$/m, `${path} is described by a sentence`)
    if (!['object', 'array'].includes(schema.type ?? '')) {
      t.match(description, /^Example: \S/m, `${path} has an example`)
    }
    if (optional && path.includes('.spec.')) t.match(description, /^Default: \S/m, `${path} says its default`)
  }
})

t.test('the description of the path template has format, default, and example', async (t) => {
  const found = fields.find(({ path }) => path === 'AIMService.spec.routing.pathTemplate')
  t.match(
    found?.schema.description,
    /\{\.metadata\.labels\['team'\]\}[^]*^Format: at most 200 characters[^]*^Default: [^]*^Example: \/\{/m
  )
  t.notOk(
    found?.schema['maxLength'] ?? found?.schema['minLength'],
    "its length is the webhook's to judge, with a better message"
  )
})

t.test('no setting of a configuration has a schema default, so that unset differs from false', async (t) => {
  const defaults = fields.filter(({ schema }) => 'default' in schema).map(({ path }) => path)
  t.same(defaults.filter((path) => !path.endsWith('.name')), [
    'AIMService.spec.replicas', 'AIMService.spec.overrides.gpuSelector.resourceName'
  ])
})

t.test('every list is merged by a key', async (t) => {
  const lists = fields.filter(({ schema }) => schema.type === 'array')
  t.ok(lists.length > 5)
  for (const { path, schema } of lists) {
    t.equal(schema['x-kubernetes-list-type'], 'map', path)
    t.same(schema['x-kubernetes-list-map-keys'], [path.endsWith('.conditions') ? 'type' : 'name'], path)
  }
})

t.test('the schemas are structural', async (t) => {
  const allowed = new Set([
    'type', 'description', 'required', 'properties', 'items', 'additionalProperties', 'enum', 'default', 'format',
    'pattern',
    'minLength', 'maxLength', 'minimum', 'maximum', 'x-kubernetes-int-or-string', 'x-kubernetes-list-type',
    'x-kubernetes-list-map-keys',
    'x-kubernetes-preserve-unknown-fields', 'x-kubernetes-validations'])
  for (const { path, schema } of fields) {
    t.same(
      Object.keys(schema).filter((keyword) => !allowed.has(keyword)),
      [],
      path
    )
  }
})

t.test('only the status of a service allows the fields of other controllers', async (t) => {
  t.same(
    fields.filter(({ schema }) => schema['x-kubernetes-preserve-unknown-fields'] === true).map(({ path }) => path),
    [
      'AIMService.status', 'AIMService.status.resolvedRuntimeConfig', 'AIMService.status.resolvedImage',
      'AIMService.status.resolvedTemplate', 'AIMService.status.routing'
    ]
  )
})

const kinds: Record<string, { short: string, scope: string, columns: string[] }> = {
  AIMRuntimeConfig: {
    short: 'aimrcfg',
    scope: 'Namespaced',
    columns: ['Routing', 'Path Template', 'Services', 'Current', 'Failing', 'Rolled Out', 'Reason', 'Age']
  },
  AIMClusterRuntimeConfig: {
    short: 'aimcrcfg',
    scope: 'Cluster',
    columns: ['Routing', 'Path Template', 'Services', 'Current', 'Failing', 'Rolled Out', 'Reason', 'Age']
  },
  AIMService: {
    short: 'aimsvc',
    scope: 'Namespaced',
    columns: ['Status', 'Config', 'Config State', 'Scope', 'Path', 'Degraded', 'Reason', 'Age']
  }
}
for (const { spec } of definitions) {
  t.test(`${spec.names.kind} has its names, columns and status`, async (t) => {
    const { short, scope, columns } = kinds[spec.names.kind] ?? {}
    const [version] = spec.versions
    t.match(spec, { scope, names: { shortNames: [short], categories: ['aim', 'all'] } })
    t.same(version?.subresources, { status: {} })
    t.same(
      version?.additionalPrinterColumns.filter(({ priority = 0 }) => priority === 0).map(({ name }) => name),
      columns
    )
  })
  t.test(`each column of ${spec.names.kind} shows a field that exists`, async (t) => {
    const paths = new Set([
      '.metadata.creationTimestamp',
      ...fields.map(({ path }) => path.replace(spec.names.kind, ''))
    ])
    for (const { name, jsonPath } of spec.versions[0]?.additionalPrinterColumns ?? []) {
      t.ok(paths.has(jsonPath.replace(/\[\?\(.*\)\]/, '[]')), `${name}: ${jsonPath}`)
    }
  })
}

/** T with every field set. */
type Whole<T> =
  T extends ReadonlyArray<infer I> ? ReadonlyArray<Whole<I>> : T extends object ? { [K in keyof T]-?: Whole<T[K]> } : T

const GATEWAY = {
  group: 'gateway.networking.k8s.io',
  kind: 'Gateway',
  namespace: 'gateways',
  name: 'g',
  sectionName: 'https',
  port: 443
}
const WINNER = {
  kind: 'AIMRuntimeConfig',
  scope: 'Namespace',
  namespace: 'a',
  name: 'b',
  hash: `sha256:${'0'.repeat(64)}`
} as const
const USED = { kind: 'AIMModel', scope: 'Namespace', namespace: 'a', name: 'b', uid: 'u' } as const
const CONDITIONS = [
  {
    type: 'Degraded',
    status: 'False',
    observedGeneration: 1,
    lastTransitionTime: '2026-01-31T09:30:00Z',
    reason: 'Well',
    message: ''
  }
] as const
const MODEL = { creationScope: 'Cluster', autoDiscovery: true } as const

const wholeService: Whole<{ readonly spec: AIMServiceSpec, readonly status: AIMServiceStatus }> = {
  spec: {
    model: { ref: 'a', image: 'b' },
    templateRef: 'a',
    cacheModel: true,
    replicas: 1,
    runtimeConfigName: 'b',
    serviceAccountName: 'c',
    imagePullSecrets: [{ name: 'd' }],
    resources: { limits: { cpu: 1 }, requests: { memory: '1Gi' }, claims: [{ name: 'a', request: 'b' }] },
    overrides: { metric: 'latency', precision: 'fp16', gpuSelector: { count: 1, model: 'MI300X', resourceName: 'a' } },
    env: [{
      name: 'A',
      value: 'b',
      valueFrom: {
        configMapKeyRef: { name: 'a', key: 'b', optional: true },
        secretKeyRef: { name: 'a', key: 'b', optional: true },
        fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' },
        resourceFieldRef: { containerName: 'a', resource: 'limits.cpu', divisor: '1' }
      }
    }],
    routing: { enabled: true, gatewayRef: GATEWAY, annotations: { a: 'b' }, pathTemplate: '/' },
    resolvedRuntimeConfig: {
      ...WINNER,
      defaultStorageClassName: 'a',
      serviceAccountName: 'b',
      imagePullSecrets: [{ name: 'c' }],
      model: MODEL,
      routing: { enabled: true, gatewayRef: GATEWAY, pathTemplate: '/', path: '/' }
    }
  },
  status: {
    observedGeneration: 1,
    status: 'Running',
    resolvedRuntimeConfig: { ...WINNER, uid: 'u' },
    resolvedImage: USED,
    resolvedTemplate: USED,
    routing: { path: '/' },
    conditions: CONDITIONS
  }
}

const wholeConfig: Whole<{ readonly spec: RuntimeConfigSpec, readonly status: RuntimeConfigStatus }> = {
  spec: {
    defaultStorageClassName: 'a',
    serviceAccountName: 'b',
    imagePullSecrets: [{ name: 'c' }],
    model: MODEL,
    routing: { enabled: true, gatewayRef: GATEWAY, pathTemplate: '/' }
  },
  status: { observedGeneration: 1, hash: 'h', services: { total: 1, current: 1, failing: 0 }, conditions: CONDITIONS }
}

/** The paths of an object as `fieldsOf` writes them; the schema distinguishes maps from objects. */
function pathsOf (value: unknown, schema: Schema, path: string): string[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((item) => pathsOf(item, schema.items ?? {}, `${path}[]`))]
  if (typeof value !== 'object' || value === null) return [path]
  const map = schema.additionalProperties
  return [path, ...Object.entries(value).flatMap(([key, field]) =>
    map === undefined
      ? pathsOf(field, schema.properties?.[key] ?? {}, `${path}.${key}`)
      : pathsOf(field, map, `${path}{}`))]
}

const wholes = { AIMService: wholeService, AIMRuntimeConfig: wholeConfig, AIMClusterRuntimeConfig: wholeConfig }
for (const [kind, whole] of Object.entries(wholes)) {
  t.test(`the type and the CRD of ${kind} have the same fields`, async (t) => {
    const inSchema = fields.map(({ path }) => path).filter((path) => path.startsWith(`${kind}.s`))
    const inType = Object.entries(whole).flatMap(([part, value]) =>
      pathsOf(value, schemas[kind]?.properties?.[part] ?? {}, `${kind}.${part}`)
    )
    t.same([...new Set(inType)].sort(), [...inSchema].sort())
  })
}
