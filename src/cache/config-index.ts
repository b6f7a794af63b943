import { objectKey } from '../api/object-meta.ts'
import type { RuntimeConfigKind } from '../api/runtime-config.ts'
import type { ObjectKey, ObjectSink } from '../core/ports.ts'
import { isUnchanged, readRuntimeConfig, type RuntimeConfig } from '../core/settings/runtime-config.ts'
import type { ConfigLookup } from '../core/world.ts'
import { ownObject, ownString } from '../platform/json.ts'
import { InternedConfigs } from './compact/interned-configs.ts'

/** The known runtime configurations, compiled when they arrive. */
export class ConfigIndex implements ConfigLookup {
  /** By kind. The inner key is `namespace/name`, for cluster configurations the name. */
  readonly #configs = {
    AIMRuntimeConfig: new Map<string, RuntimeConfig>(),
    AIMClusterRuntimeConfig: new Map<string, RuntimeConfig>()
  }

  readonly #interned = new InternedConfigs()
  readonly #listeners = new Set<(added: RuntimeConfig | undefined) => void>()

  namespaced (namespace: string, name: string): RuntimeConfig | undefined {
    return this.#configs.AIMRuntimeConfig.get(objectKey({ namespace, name }))
  }

  cluster (name: string): RuntimeConfig | undefined {
    return this.#configs.AIMClusterRuntimeConfig.get(name)
  }

  * all (): Generator<RuntimeConfig> {
    yield * this.#configs.AIMRuntimeConfig.values()
    yield * this.#configs.AIMClusterRuntimeConfig.values()
  }

  count (kind: RuntimeConfigKind): number {
    return this.#configs[kind].size
  }

  /** Calls back after each change, with the configuration if it is new; the returned function ends it. */
  onChange (listener: (added: RuntimeConfig | undefined) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Receives the configurations of one kind. Throws for a malformed object. */
  sink (kind: RuntimeConfigKind): ObjectSink {
    const configs = this.#configs[kind]
    const keyOf = (key: ObjectKey): string => kind === 'AIMRuntimeConfig' ? objectKey(key) : key.name
    return {
      upsert: (object) => {
        const metadata = ownObject(object, 'metadata')
        const key = keyOf({ namespace: ownString(metadata, 'namespace'), name: ownString(metadata, 'name') })
        const known = configs.get(key)
        if (known !== undefined && isUnchanged(known, object)) return
        const config = readRuntimeConfig(kind, object)
        if (config.kind === 'malformed') throw new Error(`${config.field} is not ${config.expected}`)
        const interned = this.#interned.intern(config)
        configs.set(key, interned)
        this.#notify(known === undefined ? interned : undefined)
      },
      remove: (key) => {
        configs.delete(keyOf(key))
        this.#notify(undefined)
      }
    }
  }

  #notify (added: RuntimeConfig | undefined): void {
    for (const listener of this.#listeners) listener(added)
  }
}
