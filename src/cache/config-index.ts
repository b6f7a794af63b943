import type { RuntimeConfigKind } from '../api/runtime-config.ts'
import { ownObject, ownString, type JsonObject } from '../platform/json.ts'
import type { ConfigLookup, ObjectKey, ObjectSink } from '../core/ports.ts'
import {
  isUnchanged, readRuntimeConfig, SharedConfigParts, type RuntimeConfig
} from '../core/settings/runtime-config.ts'

/** The known runtime configurations, compiled as they arrive. */
export class ConfigIndex implements ConfigLookup {
  readonly #namespaced = new Map<string, RuntimeConfig>()
  readonly #cluster = new Map<string, RuntimeConfig>()
  readonly #parts = new SharedConfigParts()
  /** What was asked for last: one review asks several times. */
  #last: { readonly namespace: string, readonly name: string, readonly config: RuntimeConfig | undefined } | undefined
  readonly #listeners = new Set<(appeared: RuntimeConfig | undefined) => void>()

  namespaced (namespace: string, name: string): RuntimeConfig | undefined {
    const last = this.#last
    if (last !== undefined && last.name === name && last.namespace === namespace) return last.config
    const config = this.#namespaced.get(`${namespace}/${name}`)
    this.#last = { namespace, name, config }
    return config
  }

  cluster (name: string): RuntimeConfig | undefined {
    return this.#cluster.get(name)
  }

  * all (): Generator<RuntimeConfig> {
    yield * this.#namespaced.values()
    yield * this.#cluster.values()
  }

  /** How many of a kind are known. */
  count (kind: RuntimeConfigKind): number {
    return (kind === 'AIMRuntimeConfig' ? this.#namespaced : this.#cluster).size
  }

  /**
   * Calls back after each change, with the configuration where it was unknown before; the function returned calls it
   * off.
   */
  onChange (listener: (appeared: RuntimeConfig | undefined) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Where the configurations of one kind are fed in. Throws where one cannot be read. */
  sink (kind: RuntimeConfigKind): ObjectSink {
    const [configs, keyOf] = kind === 'AIMRuntimeConfig'
      ? [this.#namespaced, ({ namespace, name }: ObjectKey) => `${namespace}/${name}`]
      : [this.#cluster, ({ name }: ObjectKey) => name]
    return {
      upsert: (object: JsonObject) => {
        const metadata = ownObject(object, 'metadata')
        const key = keyOf({ namespace: ownString(metadata, 'namespace'), name: ownString(metadata, 'name') })
        const known = configs.get(key)
        if (known !== undefined && isUnchanged(known, object)) return
        const config = readRuntimeConfig(kind, object, this.#parts)
        if (config.kind === 'malformed') throw new Error(`${config.field} is not ${config.expected}`)
        configs.set(key, config)
        this.#changed(known === undefined ? config : undefined)
      },
      remove: (key) => {
        configs.delete(keyOf(key))
        this.#changed(undefined)
      }
    }
  }

  #changed (appeared: RuntimeConfig | undefined): void {
    this.#last = undefined
    for (const listener of this.#listeners) listener(appeared)
  }
}
