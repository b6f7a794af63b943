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
        additionalPrinterColumns: [...PRINTER_COLUMNS[kind], AGE].map(printerColumn)
      }]
    }
  }
}

/**
 * The schema in the form of a CRD. The API server has the schema of metadata, and structural schemas imply
 * `additionalProperties: false`. JSON omits the functions beside the CEL rules.
 */
function structural (schema: TObject): JsonObject {
  const properties = { ...schema.properties, metadata: { type: 'object' } }
  return JSON.parse(JSON.stringify({ ...schema, properties }, (key, value: unknown) =>
    key === 'additionalProperties' && value === false ? undefined : value)) as JsonObject // an object stays an object
}

/** Name, type, JSONPath, description, and 1 for a column that appears with `-o wide` only. */
type PrinterColumn = readonly [string, 'string' | 'integer' | 'boolean' | 'date', string, string, 1?]

function printerColumn ([name, type, jsonPath, description, priority]: PrinterColumn): JsonObject {
  return { name, type, jsonPath, description, ...(priority !== undefined && { priority }) }
}

const condition = (type: string, field: 'status' | 'reason' | 'message') =>
  `.status.conditions[?(@.type=="${type}")].${field}`

const CONFIG_COLUMNS: readonly PrinterColumn[] = [
  ['Routing', 'boolean', '.spec.routing.enabled', 'Whether services are routed by default.'],
  ['Path Template', 'string', '.spec.routing.pathTemplate', 'Template of the services\' paths.'],
  ['Services', 'integer', '.status.services.total', 'Services that use this configuration.'],
  ['Current', 'integer', '.status.services.current', 'Services that carry its present version.'],
  ['Failing', 'integer', '.status.services.failing', 'Services that use it and are degraded.'],
  ['Rolled Out', 'string', condition('RolledOut', 'status'), 'Whether every service carries the present version.'],
  ['Reason', 'string', condition('RolledOut', 'reason'), 'State of the rollout.'],
  ['Message', 'string', condition('RolledOut', 'message'), 'State of the rollout, as a sentence.', 1],
  ['Storage Class', 'string', '.spec.defaultStorageClassName', 'Storage class of model caches.', 1],
  ['Gateway', 'string', '.spec.routing.gatewayRef.name', 'Gateway of the services.', 1],
  ['Hash', 'string', '.status.hash', 'Hash of the spec.', 1]
]

const PRINTER_COLUMNS: Readonly<Record<Kind['kind'], readonly PrinterColumn[]>> = {
  AIMRuntimeConfig: CONFIG_COLUMNS,
  AIMClusterRuntimeConfig: CONFIG_COLUMNS,
  AIMService: [
    ['Status', 'string', '.status.status', 'State that the operator reports; empty without an operator.'],
    ['Config', 'string', '.spec.runtimeConfigName', 'Name of the runtime configuration.'],
    ['Config State', 'string', condition('RuntimeConfigResolved', 'reason'),
      'Resolved: it has the present version; RollingOut: it has an older one, as while a rollout is paused.'],
    ['Scope', 'string', '.spec.resolvedRuntimeConfig.scope', 'Namespace or Cluster; empty without a configuration.'],
    ['Path', 'string', '.spec.resolvedRuntimeConfig.routing.path', 'Path on the gateway; empty without routing.'],
    ['Degraded', 'string', condition('Degraded', 'status'), 'Whether the service has a problem.'],
    ['Reason', 'string', condition('Degraded', 'reason'), 'Why it is degraded.'],
    ['Message', 'string', condition('Degraded', 'message'), 'Why it is degraded, as a sentence.', 1],
    ['Routing', 'string', condition('PathResolved', 'reason'), 'State of its path.', 1],
    ['Model', 'string', '.spec.model.ref', 'Name of the model; empty if an image is given.', 1],
    ['Hash', 'string', '.spec.resolvedRuntimeConfig.hash', 'Hash of the resolved configuration.', 1]
  ]
}

const AGE: PrinterColumn = ['Age', 'date', '.metadata.creationTimestamp', 'Time since the object was created.']
