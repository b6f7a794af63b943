import type { Kind } from '../api/kinds.ts'
import type { RuntimeConfigKind } from '../api/runtime-config.ts'
import { ownObject, ownString, sameJson, type JsonObject } from '../platform/json.ts'
import type { ObjectKey, ObjectSink } from '../core/ports.ts'
import type { HeldPath } from '../core/world.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import { configId, configOf, serviceId, type ReconcileWorld } from './reconcile-world.ts'

/** What has happened, by key; what it means is found out by whoever looks. */
export interface Changes {
  /** `edited`: it is new, gone, or another one in its spec, labels or annotations. */
  serviceChanged (id: string, how: { readonly edited: boolean }): void
  /** `edited`: it is new, gone, or another one in more than its status. */
  configChanged (config: Pick<RuntimeConfig, 'kind' | 'namespace' | 'name'>, how: { readonly edited: boolean }): void
}

type WatchedWorld = Pick<ReconcileWorld, 'configs' | 'services' | 'serviceStatuses' | 'configStatuses'>

/**
 * Where the objects of a cluster are fed in: they go into the indexes, and their keys to whoever is to look at them.
 */
export function watchedSinks (world: WatchedWorld, changes: Changes): Readonly<Record<Kind['kind'], ObjectSink>> {
  return {
    AIMService: serviceSink(world, changes),
    AIMRuntimeConfig: configSink('AIMRuntimeConfig', world, changes),
    AIMClusterRuntimeConfig: configSink('AIMClusterRuntimeConfig', world, changes)
  }
}

function serviceSink ({ services, serviceStatuses }: WatchedWorld, changes: Changes): ObjectSink {
  const index = services.sink()
  /** Who else holds a path is concerned when somebody takes it or gives it up. */
  const tellRivals = (claims: ReadonlyArray<HeldPath | undefined>): void => {
    if (sameJson(claims[0], claims[1])) return
    for (const claim of claims) {
      for (const { service } of claim === undefined ? [] : services.paths.holders(claim)) { changes.serviceChanged(serviceId(service), { edited: false }) }
    }
  }
  return {
    upsert: (object) => {
      const key = keyOf(object)
      const before = services.get(key)
      index.upsert(object)
      serviceStatuses.upsert(object)
      const after = services.get(key)
      const edited = before === undefined || after?.hasSameObject(before) !== true
      changes.serviceChanged(serviceId(key), { edited })
      tellRivals([before?.held, after?.held])
    },
    remove: (key) => {
      const held = services.get(key)?.held
      index.remove(key)
      serviceStatuses.remove(key)
      changes.serviceChanged(serviceId(key), { edited: true })
      tellRivals([held, undefined])
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
      index.upsert(object)
      statuses.upsert(object)
      changes.configChanged(config, { edited: configOf(configId(config), configs) !== before })
    },
    remove: (key) => {
      index.remove(key)
      statuses.remove(key)
      changes.configChanged({ kind, ...key }, { edited: true })
    }
  }
}

function keyOf (object: JsonObject): ObjectKey {
  const metadata = ownObject(object, 'metadata')
  return { namespace: ownString(metadata, 'namespace'), name: ownString(metadata, 'name') }
}
