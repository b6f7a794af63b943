import type { Kind } from '../api/kinds.ts'
import type { RuntimeConfigKind } from '../api/runtime-config.ts'
import type { ObjectSink } from '../core/ports.ts'
import type { HeldPath } from '../core/world.ts'
import { sameJson, type JsonObject } from '../platform/json.ts'
import { isNewerVersion, keyOf, keyText, uidOf, versionOf } from '../api/object-meta.ts'
import { configId, configOf, type ConfigKey, type ReconcileWorld, type WrittenServices } from './world.ts'

/** `object`: created, deleted, or changed in its spec, labels or annotations. Otherwise, only that part differs. */
export type ServiceChange = 'object' | 'block' | 'status'

/** Receives the keys of changed objects. */
export interface Changes {
  serviceChanged (id: string, change: ServiceChange): void
  /** `edited`: created, deleted, or changed in more than its status. */
  configChanged (config: ConfigKey, how: { readonly edited: boolean }): void
  /** A service acquired a path. */
  pathAcquired (claim: HeldPath): void
  /** A service released a path. */
  pathReleased (claim: HeldPath): void
}

type WatchedWorld = Pick<ReconcileWorld, 'configs' | 'services' | 'serviceStatuses' | 'configStatuses'>

/** The sinks of a cluster's objects: they update the caches, and report the keys of the changes. */
export function watchedSinks (
  world: WatchedWorld, changes: Changes
): Readonly<Record<Kind['kind'], ObjectSink>> & { readonly written: WrittenServices } {
  const { sink, written } = serviceSinks(world, changes)
  return {
    written,
    AIMService: sink,
    AIMRuntimeConfig: configSink('AIMRuntimeConfig', world, changes),
    AIMClusterRuntimeConfig: configSink('AIMClusterRuntimeConfig', world, changes)
  }
}

function serviceSinks (
  { services, serviceStatuses }: WatchedWorld, changes: Changes
): { readonly sink: ObjectSink, readonly written: WrittenServices } {
  /** The versions of own writes, until the watch has passed them: their events, and older ones, are ignored. */
  const ahead = new Map<string, string>()
  const index = services.sink()
  const reportPaths = (before: HeldPath | undefined, after: HeldPath | undefined): void => {
    if (sameJson(before, after)) return
    if (before !== undefined) changes.pathReleased(before)
    if (after !== undefined) changes.pathAcquired(after)
  }
  const upsert = (object: JsonObject): void => {
    const key = keyOf(object)
    const before = services.get(key)
    index.upsert(object)
    serviceStatuses.upsert(object)
    const after = services.get(key)
    const isEdited = before === undefined || after?.hasSameObject(before) !== true
    changes.serviceChanged(keyText(key), isEdited ? 'object' : after.hasSameBlock(before) ? 'status' : 'block')
    reportPaths(before?.held, after?.held)
  }
  /** Whether the write counts, which is then noted: the service is the same, and the watch has nothing newer. */
  const noteWrite = (object: JsonObject): boolean => {
    const known = serviceStatuses.get(keyOf(object))
    if (known?.uid !== uidOf(object) || !isNewerVersion(versionOf(object), known.version)) return false
    ahead.set(keyText(keyOf(object)), versionOf(object))
    return true
  }
  return {
    sink: {
      upsert: (object) => {
        const id = keyText(keyOf(object))
        const version = versionOf(object)
        const written = ahead.get(id)
        const isNew = written === undefined || isNewerVersion(version, written)
        if (isNew || version === written) ahead.delete(id)
        if (isNew) upsert(object)
      },
      remove: (key) => {
        const held = services.get(key)?.held
        ahead.delete(keyText(key))
        index.remove(key)
        serviceStatuses.remove(key)
        changes.serviceChanged(keyText(key), 'object')
        reportPaths(held, undefined)
      }
    },
    written: {
      service: (object) => { if (noteWrite(object)) upsert(object) },
      status: (object) => { if (noteWrite(object)) serviceStatuses.upsert(object) }
    }
  }
}

function configSink (kind: RuntimeConfigKind, { configs, configStatuses }: WatchedWorld, changes: Changes): ObjectSink {
  const index = configs.sink(kind)
  const statuses = configStatuses[kind]
  return {
    upsert: (object) => {
      const config = { kind, ...keyOf(object) }
      const before = configOf(configId(config), configs)
      try {
        index.upsert(object)
        statuses.upsert(object)
      } finally { // the index throws for a version that is too large, and removes the earlier one
        changes.configChanged(config, { edited: configOf(configId(config), configs) !== before })
      }
    },
    remove: (key) => {
      index.remove(key)
      statuses.remove(key)
      changes.configChanged({ kind, ...key }, { edited: true })
    }
  }
}
