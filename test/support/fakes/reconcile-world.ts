import { assessService } from '../../../src/core/settings/assess.ts'
import { ConfigIndex } from '../../../src/cache/config-index.ts'
import { isJsonObject, ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import { PRODUCT_FIELDS } from '../../../src/core/served-fields.ts'
import type {
  Definitions, ObjectKey, ReadResult, TransitionEvent, Unavailable, WriteResult
} from '../../../src/core/ports.ts'
import { DEFAULT_PATH_POLICY, type ConfigLookup } from '../../../src/core/world.ts'
import { anAssessmentWorld } from '../builders/assessment.ts'
import { ownConfigStatus } from '../../../src/core/status/rollout.ts'
import { readService } from '../../../src/core/settings/service.ts'
import { ServiceIndex, type KeptTextLimits } from '../../../src/cache/service-index.ts'
import { ownServiceStatus } from '../../../src/core/status/service.ts'
import { watchedSinks } from '../../../src/reconcile/watched-sinks.ts'
import { ObservedObjects } from '../../../src/reconcile/world.ts'

/** The product's own, which never change. */
export const FIXED_DEFINITIONS: Definitions = {
  fieldsOf: () => PRODUCT_FIELDS, sinceChange: () => Infinity, refresh: async () => {}
}

export interface StatusWrite {
  readonly key: ObjectKey
  readonly uid: string
  readonly version: string
  readonly status: object
}

/** The caches of a reconciler, empty. */
export function nothingWatched (serviceLimits?: KeptTextLimits) {
  return {
    configs: new ConfigIndex(),
    services: new ServiceIndex(serviceLimits),
    serviceStatuses: new ObservedObjects(ownServiceStatus),
    configStatuses: {
      AIMRuntimeConfig: new ObservedObjects(ownConfigStatus),
      AIMClusterRuntimeConfig: new ObservedObjects(ownConfigStatus)
    }
  }
}

/** A world of the reconciler without a cluster: records its writes, whose results the test provides. */
export function aReconcileWorld ({ serviceLimits }: { readonly serviceLimits?: KeptTextLimits } = {}) {
  const watched = nothingWatched(serviceLimits)
  const written: StatusWrite[] = []
  const triggered: string[] = []
  const events: TransitionEvent[] = []
  /** The results of the next writes; by default the object is gone. */
  const results: Array<WriteResult | Unavailable> = []
  /** The keys of the services that were read, and the results; by default the object is missing. */
  const reads: string[] = []
  const readResults: ReadResult[] = []
  const sinks = watchedSinks(watched, {
    serviceChanged: () => {}, configChanged: () => {}, pathAcquired: () => {}, pathReleased: () => {}
  })
  const result = (): WriteResult | Unavailable => results.shift() ?? { kind: 'gone' }
  return {
    written,
    triggered,
    events,
    results,
    reads,
    readResults,
    sinks,
    world: {
      ...watched,
      pathPolicy: DEFAULT_PATH_POLICY,
      definitions: FIXED_DEFINITIONS,
      writer: {
        applyStatus: async ({ key, uid, version }: Omit<StatusWrite, 'status'>, status: object) => {
          written.push({ key, uid, version, status })
          return await Promise.resolve(result())
        },
        triggerAdmission: async ({ namespace, name }: ObjectKey) => {
          triggered.push(`${namespace}/${name}`)
          return await Promise.resolve(result())
        }
      },
      written: sinks.written,
      readService: async ({ namespace, name }: ObjectKey): Promise<ReadResult> => {
        reads.push(`${namespace}/${name}`)
        return await Promise.resolve(readResults.shift() ?? { kind: 'missing' })
      },
      events: { record: (event: TransitionEvent) => { events.push(event) } },
      now: () => '2026-01-02T00:00:00Z'
    }
  }
}

/** A stored object of any kind, with the metadata that the API server assigns. */
export function stored (object: JsonObject, version: number, metadata: JsonObject = {}): JsonObject {
  const given = object['metadata'] as JsonObject // set by every builder
  return {
    ...object,
    metadata: {
      uid: 'u1',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...given,
      resourceVersion: String(version),
      ...metadata
    }
  }
}

/** The entry of a field manager that owns a status. Source: FieldsV1. */
export function managed (manager: string, { conditions = [], ...fields }: JsonObject, time = ''): JsonObject {
  const items = (conditions as readonly JsonObject[]).map(({ type, ...others }) =>
    [`k:${JSON.stringify({ type })}`, { '.': {}, 'f:type': {}, ...treeOf(others) }] as const)
  const status = { ...treeOf(fields), ...(items.length > 0 && { 'f:conditions': Object.fromEntries(items) }) }
  return { manager, time, subresource: 'status', fieldsV1: { 'f:status': status } }
}

function treeOf (fields: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) =>
    [`f:${key}`, isJsonObject(value) ? treeOf(value) : {}]))
}

/** A service as admission would write it now. */
export function admitted (object: JsonObject, configs: ConfigLookup, pathPolicy = DEFAULT_PATH_POLICY): JsonObject {
  const service = readService(object, ownString(ownObject(object, 'metadata'), 'namespace'))
  if (service.kind === 'malformed') throw new Error(service.field)
  const { resolvedRuntimeConfig, ...spec } = ownObject(object, 'spec')
  const { block } = assessService(service, anAssessmentWorld(configs, { pathPolicy }), undefined)
  return {
    ...object,
    spec: {
      ...spec,
      runtimeConfigName: service.configName,
      ...(block !== undefined && { resolvedRuntimeConfig: block })
    }
  }
}
