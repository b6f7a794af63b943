import { keyOf, keyText } from '../api/object-meta.ts'
import type { RuntimeConfigKind } from '../api/runtime-config.ts'
import type { ObjectKey, ObjectSink } from '../core/ports.ts'
import {
  isUnchanged, MAX_SPEC_CHARACTERS, readRuntimeConfig, type RuntimeConfig
} from '../core/settings/runtime-config.ts'
import type { ConfigLookup } from '../core/world.ts'
import { similarName } from '../platform/similar-name.ts'
import { InternedConfigs } from './compact/interner.ts'

/** What is kept of the large specs of one namespace, so that no tenant uses up the memory of all. */
const MAX_NAMESPACE_CHARACTERS = 4 * 1024 * 1024

/** Smaller specs do not count: any number of them fits into etcd and the cache alike. */
const SMALL_SPEC = 1_024

/** The known runtime configurations, compiled when they arrive. */
export class ConfigIndex implements ConfigLookup {
  /** By kind. The inner key is `namespace/name`, for cluster configurations the name. */
  readonly #configs = {
    AIMRuntimeConfig: new Map<string, RuntimeConfig>(),
    AIMClusterRuntimeConfig: new Map<string, RuntimeConfig>()
  }

  /** The size of the specs that are too large to be shared, by namespace, in characters. */
  readonly #kept = new Map<string, number>()
  /** Configurations that were left out because of their size. */
  readonly #oversized = { AIMRuntimeConfig: new Set<string>(), AIMClusterRuntimeConfig: new Set<string>() }
  readonly #interned = new InternedConfigs()
  readonly #listeners = new Set<(added: RuntimeConfig | undefined) => void>()

  namespaced (namespace: string, name: string): RuntimeConfig | undefined {
    return this.#configs.AIMRuntimeConfig.get(keyText({ namespace, name }))
  }

  cluster (name: string): RuntimeConfig | undefined {
    return this.#configs.AIMClusterRuntimeConfig.get(name)
  }

  similar ({ namespace, name }: ObjectKey): string | undefined {
    const own = this.#configs.AIMRuntimeConfig.values().filter((config) => config.namespace === namespace)
    return similarName(name, [...own.map((config) => config.name), ...this.#configs.AIMClusterRuntimeConfig.keys()])
  }

  * all (): Generator<RuntimeConfig> {
    yield * this.#configs.AIMRuntimeConfig.values()
    yield * this.#configs.AIMClusterRuntimeConfig.values()
  }

  count (kind: RuntimeConfigKind): number {
    return this.#configs[kind].size
  }

  /** How many configurations are not in the index because of their size. */
  oversized (kind: RuntimeConfigKind): number {
    return this.#oversized[kind].size
  }

  /** Calls back after each change, with the configuration if it is new; the returned function ends it. */
  onChange (listener: (added: RuntimeConfig | undefined) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Receives the configurations of one kind. Throws for a malformed object, and for one that is too large. */
  sink (kind: RuntimeConfigKind): ObjectSink {
    const configs = this.#configs[kind]
    const indexKey = (key: ObjectKey): string => kind === 'AIMRuntimeConfig' ? keyText(key) : key.name
    return {
      upsert: (object) => {
        const key = indexKey(keyOf(object))
        const known = configs.get(key)
        if (known !== undefined && isUnchanged(known, object)) return
        const config = readRuntimeConfig(kind, object)
        if (config.kind === 'malformed') throw new Error(`${config.field} is not ${config.expected}`)
        this.#makeRoom(config, known)
        this.#oversized[kind].delete(key)
        const interned = this.#interned.intern(config)
        configs.set(key, interned)
        this.#notify(known === undefined ? interned : undefined)
      },
      remove: (key) => { this.#remove(kind, indexKey(key)) }
    }
  }

  /** A configuration that does not fit is left out with its earlier version, which is no longer true. */
  #makeRoom (config: RuntimeConfig, known: RuntimeConfig | undefined): void {
    const { kind, namespace, oversized } = config
    const kept = (this.#kept.get(namespace) ?? 0) - unshared(known) + unshared(config)
    if (!oversized && (namespace === '' || kept <= MAX_NAMESPACE_CHARACTERS)) {
      this.#count(namespace, kept)
      return
    }
    const key = namespace === '' ? config.name : keyText(config)
    this.#remove(kind, key)
    this.#oversized[kind].add(key)
    throw new Error(oversized
      ? `the spec exceeds the limit of ${MAX_SPEC_CHARACTERS} characters`
      : `with this spec, the large ones of the namespace exceed the limit of ${MAX_NAMESPACE_CHARACTERS} characters`)
  }

  #remove (kind: RuntimeConfigKind, key: string): void {
    const known = this.#configs[kind].get(key)
    this.#configs[kind].delete(key)
    this.#oversized[kind].delete(key)
    if (known !== undefined) this.#count(known.namespace, (this.#kept.get(known.namespace) ?? 0) - unshared(known))
    this.#notify(undefined)
  }

  #count (namespace: string, kept: number): void {
    if (kept > 0) this.#kept.set(namespace, kept)
    else this.#kept.delete(namespace)
  }

  #notify (added: RuntimeConfig | undefined): void {
    for (const listener of this.#listeners) listener(added)
  }
}

function unshared (config: RuntimeConfig | undefined): number {
  return config === undefined || config.spec.length <= SMALL_SPEC ? 0 : config.spec.length
}
