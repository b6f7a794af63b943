import { AIM_CLUSTER_RUNTIME_CONFIG, AIM_RUNTIME_CONFIG } from '../api/kinds.ts'
import { isNewerVersion, keyOf, keyText, uidOf, versionOf } from '../api/object-meta.ts'
import type { RuntimeConfigKind } from '../api/runtime-config.ts'
import type { ConfigIndex } from '../cache/config-index.ts'
import type { ServiceIndex } from '../cache/service-index.ts'
import type { Definitions, EventSink, ObjectKey, ObjectSink, ObjectWriter, ReadResult } from '../core/ports.ts'
import type { AssessmentWorld } from '../core/settings/assess.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import type { OwnStatus } from '../core/status/conditions.ts'
import { ownershipOf, type StatusOwnership } from '../core/status/ownership.ts'
import type { OwnConfigStatus } from '../core/status/rollout.ts'
import type { OwnServiceStatus } from '../core/status/service.ts'
import type { PathPolicy } from '../core/world.ts'
import type { JsonObject } from '../platform/json.ts'

/** The caches, which every replica keeps filled, and the writers, which only the leader uses. */
export interface ReconcileWorld {
  readonly configs: ConfigIndex
  readonly services: ServiceIndex
  readonly serviceStatuses: ObservedObjects<OwnServiceStatus>
  readonly configStatuses: Readonly<Record<RuntimeConfigKind, ObservedObjects<OwnConfigStatus>>>
  readonly pathPolicy: PathPolicy
  readonly definitions: Definitions
  readonly writer: ObjectWriter
  readonly written: WrittenServices
  /** Reads a service whose object is not in the cache. Never rejects. */
  readonly readService: (key: ObjectKey) => Promise<ReadResult>
  readonly events: EventSink
  /** RFC 3339 in whole seconds, for conditions. */
  readonly now: () => string
}

/** Receives services as writes stored them, which the watch repeats: what follows from a write does not wait for it. */
export interface WrittenServices {
  service (object: JsonObject): void
  /** After a write of the status alone. */
  status (object: JsonObject): void
}

/** The part of the world that an assessment depends on. */
export function assessmentWorld ({ configs, services, pathPolicy, definitions }: ReconcileWorld): AssessmentWorld {
  return { configs, paths: services.paths, pathPolicy, served: definitions.fieldsOf('AIMService') }
}

export type ConfigKey = Pick<RuntimeConfig, 'kind' | 'namespace' | 'name'>

/** The key of a configuration in queues and maps: `kind/namespace/name`; the namespace of a cluster one is empty. */
export function configId ({ kind, namespace, name }: ConfigKey): string {
  return `${kind}/${namespace}/${name}`
}

export function configOf (id: string, configs: ConfigIndex): RuntimeConfig | undefined {
  const [kind, namespace = '', name = ''] = id.split('/')
  if (kind === AIM_RUNTIME_CONFIG.kind) return configs.namespaced(namespace, name)
  return kind === AIM_CLUSTER_RUNTIME_CONFIG.kind ? configs.cluster(name) : undefined
}

/** Whether a key is that of a configuration: no namespace has capital letters. */
export function isConfigId (id: string): boolean {
  return id.startsWith('AIM')
}

/** The namespace of a service or a configuration; empty for a cluster-scoped one. */
export function namespaceOf (id: string): string {
  const [first = '', second = ''] = id.split('/')
  return isConfigId(id) ? second : first
}

/** A stored object, as far as a status write needs it. */
export interface Observed<T> {
  readonly uid: string
  /** `metadata.resourceVersion`: a write with it is refused if the object has changed since. */
  readonly version: string
  /** What this program owns of it. */
  readonly status: T
  readonly ownership: StatusOwnership
}

/** The status of every object of a kind, as far as this program writes it. */
export class ObservedObjects<T extends OwnStatus> implements ObjectSink {
  readonly #read: (object: JsonObject) => T
  readonly #observed = new Map<string, Observed<T>>()

  /** `read` extracts this program's part of an object's status. */
  constructor (read: (object: JsonObject) => T) {
    this.#read = read
  }

  get (key: ObjectKey): Observed<T> | undefined {
    return this.#observed.get(keyText(key))
  }

  /** Also called with the responses to writes, which the watch repeats. Ignores versions that are not newer. */
  upsert (object: JsonObject): void {
    const key = keyText(keyOf(object))
    const version = versionOf(object)
    const known = this.#observed.get(key)
    if (known !== undefined && !isNewerVersion(version, known.version)) return
    this.#observed.set(key, { uid: uidOf(object), version, ...ownershipOf(object, this.#read(object)) })
  }

  remove (key: ObjectKey): void {
    this.#observed.delete(keyText(key))
  }
}
