import type { TObject } from 'typebox'
import { KINDS, type Kind } from './kinds.ts'
import { GROUP, VERSION } from './meta.ts'
import { OBJECT_SCHEMAS } from './object-schemas.ts'
import type { JsonObject } from '../platform/json.ts'

/** The three CustomResourceDefinitions, as plain JSON. Source: apiextensions.k8s.io/v1. */
export function customResourceDefinitions (): JsonObject[] {
  return KINDS.map(customResourceDefinition)
}

function customResourceDefinition ({ kind, plural, singular, shortName, scope }: Kind): JsonObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames: [shortName], categories: ['aim', 'all'] },
      scope,
      versions: [{
        name: VERSION,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: structural(OBJECT_SCHEMAS[kind]) },
        subresources: { status: {} },
        additionalPrinterColumns: [...PRINTER_COLUMNS[kind], AGE]
      }]
    }
  }
}

/**
 * The schema as a CRD has it. Left out: metadata, which the API server knows; `additionalProperties: false`, which
 * structural schemas mean by silence; the functions beside the CEL rules, and sharing, neither of which JSON has a word
 * for.
 */
function structural (schema: TObject): JsonObject {
  const properties = { ...schema.properties, metadata: { type: 'object' } }
  return JSON.parse(JSON.stringify({ ...schema, properties }, (key, value: unknown) =>
    key === 'additionalProperties' && value === false ? undefined : value)) as JsonObject // an object stays an object
}

interface PrinterColumn {
  readonly name: string
  readonly type: 'string' | 'integer' | 'boolean' | 'date'
  readonly jsonPath: string
  readonly description: string
  /** Above 0: only with `-o wide`. */
  readonly priority?: number
}

/** One field of one condition. */
const condition = (type: string, field: 'status' | 'reason' | 'message') =>
  `.status.conditions[?(@.type=="${type}")].${field}`

const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since the object was created.'
}

const CONFIG_COLUMNS: readonly PrinterColumn[] = [
  {
    name: 'Routing',
    type: 'boolean',
    jsonPath: '.spec.routing.enabled',
    description: 'Whether services are routed by default.'
  },
  {
    name: 'Path Template',
    type: 'string',
    jsonPath: '.spec.routing.pathTemplate',
    description: "Template of the services' paths."
  },
  {
    name: 'Services',
    type: 'integer',
    jsonPath: '.status.services.total',
    description: 'Services that use this configuration.'
  },
  {
    name: 'Current',
    type: 'integer',
    jsonPath: '.status.services.current',
    description: 'Those of them that carry its present version.'
  },
  {
    name: 'Failing',
    type: 'integer',
    jsonPath: '.status.services.failing',
    description: 'Those of them that are degraded.'
  },
  {
    name: 'Rolled Out',
    type: 'string',
    jsonPath: condition('RolledOut', 'status'),
    description: 'Whether every service carries the present version.'
  },
  {
    name: 'Reason',
    type: 'string',
    jsonPath: condition('RolledOut', 'reason'),
    description: 'How the roll-out stands.'
  },
  {
    name: 'Message',
    type: 'string',
    jsonPath: condition('RolledOut', 'message'),
    description: 'How the roll-out stands, as a sentence.',
    priority: 1
  },
  {
    name: 'Storage Class',
    type: 'string',
    jsonPath: '.spec.defaultStorageClassName',
    description: 'Storage class of model caches.',
    priority: 1
  },
  {
    name: 'Gateway',
    type: 'string',
    jsonPath: '.spec.routing.gatewayRef.name',
    description: 'Gateway of the services.',
    priority: 1
  },
  { name: 'Hash', type: 'string', jsonPath: '.status.hash', description: 'Hash of the spec.', priority: 1 }
]

const SERVICE_COLUMNS: readonly PrinterColumn[] = [
  {
    name: 'Config',
    type: 'string',
    jsonPath: '.spec.runtimeConfigName',
    description: 'Runtime configuration, by name.'
  },
  {
    name: 'Scope',
    type: 'string',
    jsonPath: '.spec.resolvedRuntimeConfig.scope',
    description: 'Namespace or Cluster; empty while there is none such.'
  },
  {
    name: 'Path',
    type: 'string',
    jsonPath: '.spec.resolvedRuntimeConfig.routing.path',
    description: 'Path on the gateway; empty while routing is disabled.'
  },
  {
    name: 'Degraded',
    type: 'string',
    jsonPath: condition('Degraded', 'status'),
    description: 'Whether something is wrong with the service.'
  },
  { name: 'Reason', type: 'string', jsonPath: condition('Degraded', 'reason'), description: 'Why it is degraded.' },
  {
    name: 'Message',
    type: 'string',
    jsonPath: condition('Degraded', 'message'),
    description: 'Why it is degraded, as a sentence.',
    priority: 1
  },
  {
    name: 'Routing',
    type: 'string',
    jsonPath: condition('RoutingReady', 'reason'),
    description: 'How its routing stands.',
    priority: 1
  },
  {
    name: 'Model',
    type: 'string',
    jsonPath: '.spec.model.ref',
    description: 'Model by name; empty where an image is given.',
    priority: 1
  },
  {
    name: 'Hash',
    type: 'string',
    jsonPath: '.spec.resolvedRuntimeConfig.hash',
    description: 'Hash of the configuration in force.',
    priority: 1
  }
]

const PRINTER_COLUMNS: Readonly<Record<Kind['kind'], readonly PrinterColumn[]>> = {
  AIMRuntimeConfig: CONFIG_COLUMNS,
  AIMClusterRuntimeConfig: CONFIG_COLUMNS,
  AIMService: SERVICE_COLUMNS
}
