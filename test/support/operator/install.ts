import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { parse, parseAllDocuments } from 'yaml'
import { customResourceDefinitions } from '../../../src/api/custom-resource-definitions.ts'
import { GROUP, PREFIX } from '../../../src/api/meta.ts'
import { sameJson, type JsonObject } from '../../../src/platform/json.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { until } from '../until.ts'

/** The operator's definitions of the three kinds, in the API group of this process. */
export async function operatorDefinitions (): Promise<JsonObject[]> {
  const text = await readFile(path.join(import.meta.dirname, 'definitions.yaml'), 'utf8')
  return parseAllDocuments(text.replaceAll(PREFIX, GROUP)).map((document) => document.toJS() as JsonObject) // our file
}

/** An operator's definitions with the block of the product's added to AIMService, which keeps all else. */
export function withBlock (definitions: readonly JsonObject[]): JsonObject[] {
  const extended = structuredClone(definitions)
  Object.assign(serviceFields(extended), {
    resolvedRuntimeConfig: serviceFields(customResourceDefinitions())['resolvedRuntimeConfig']
  })
  return [...extended]
}

/** Whether definitions of the three kinds have the block. */
export function hasBlock (definitions: readonly JsonObject[]): boolean {
  return Object.hasOwn(serviceFields(definitions), 'resolvedRuntimeConfig')
}

function serviceFields (definitions: readonly JsonObject[]): JsonObject {
  return (definitions[2] as ServiceDefinition).spec.versions[0].schema.openAPIV3Schema.properties.spec.properties
}

/** The Gateway API's definition of HTTPRoute, from its Go module. */
export async function httpRouteDefinition (): Promise<JsonObject> {
  const cwd = path.resolve(import.meta.dirname, '../../../tools/go/gateway-api')
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', 'sigs.k8s.io/gateway-api'], { cwd })
  const { Dir } = JSON.parse(stdout) as { Dir: string } // as `go help mod download` documents it
  const file = path.join(Dir, 'config/crd/standard/gateway.networking.k8s.io_httproutes.yaml')
  return parse(await readFile(file, 'utf8')) as JsonObject // a CustomResourceDefinition
}

/** Applies definitions with the given field manager, over any others, and waits until the API server publishes them. */
export async function installDefinitions (
  { client }: Pick<Cluster, 'client'>, definitions: readonly JsonObject[], fieldManager = 'aim-operator'
): Promise<void> {
  for (const definition of definitions) {
    const { metadata } = definition as unknown as Definition
    const crd = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${metadata.name}`
    const live = await client.stored<JsonObject & { metadata: { resourceVersion: string } }>(crd)
    const response = await client.request(live === undefined ? path.posix.dirname(crd) : crd, {
      method: live === undefined ? 'POST' : 'PUT',
      query: { fieldManager },
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(live === undefined
        ? definition
        : { ...definition, metadata: { ...metadata, resourceVersion: live.metadata.resourceVersion } })
    })
    const answer = await response.body.text()
    if (response.statusCode > 299) throw new Error(answer)
  }
  await until(async () => await arePublished(client, definitions))
}

/** Whether the API server serves these definitions, with their schemas. */
export async function arePublished (client: Cluster['client'], definitions: readonly JsonObject[]): Promise<boolean> {
  const published = await Promise.all(definitions.map(async (definition) =>
    await isPublished(client, definition as unknown as Definition)))
  return published.every(Boolean)
}

async function isPublished (
  { request }: Cluster['client'], { spec: { group, names, versions: [{ name, schema }] } }: Definition
): Promise<boolean> {
  const [list, openapi] = await Promise.all([
    request(`/apis/${group}/${name}/${names.plural}`), request(`/openapi/v3/apis/${group}/${name}`)
  ])
  await list.body.dump()
  const text = await openapi.body.text()
  if (list.statusCode !== 200 || openapi.statusCode !== 200) return false
  const { components } = JSON.parse(text) as Published // Source: Kubernetes, OpenAPI v3
  const found = Object.values(components.schemas)
    .find((each) => each['x-kubernetes-group-version-kind']?.some(({ kind }) => kind === names.kind))
  const { spec, status } = schema.openAPIV3Schema.properties
  const published = [found?.properties?.['spec'], found?.properties?.['status']]
  return sameJson(withoutExtensions(published), withoutExtensions([spec, status]))
}

/** Schemas without what is published in another form. */
function withoutExtensions (schemas: readonly unknown[]): unknown {
  const text = JSON.stringify(schemas, (key, value: unknown) => /^x-|^anyOf$/.test(key) ? undefined : value)
  return JSON.parse(text) as unknown
}

interface Published {
  readonly components: {
    readonly schemas: Readonly<Record<string, {
      readonly properties?: Readonly<Record<string, unknown>>
      readonly 'x-kubernetes-group-version-kind'?: ReadonlyArray<{ readonly kind: string }>
    }>>
  }
}

interface ServiceDefinition extends JsonObject {
  readonly spec: {
    readonly versions: readonly [{
      readonly schema: {
        readonly openAPIV3Schema: { readonly properties: { readonly spec: { readonly properties: JsonObject } } }
      }
    }]
  }
}

interface Definition {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly group: string
    readonly names: { readonly kind: string, readonly plural: string }
    readonly versions: readonly [{
      readonly name: string
      readonly schema: {
        readonly openAPIV3Schema: { readonly properties: { readonly spec: unknown, readonly status?: unknown } }
      }
    }]
  }
}
