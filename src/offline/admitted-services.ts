import { objectKey } from '../api/object-meta.ts'
import type { ConfigIndex } from '../cache/config-index.ts'
import type { ObjectKey, ObjectSink } from '../core/ports.ts'
import type { ConfigLookup } from '../core/world.ts'
import { assessService } from '../core/settings/assess.ts'
import { readService } from '../core/settings/service.ts'
import { ownObject, ownString, type JsonObject } from '../platform/json.ts'

/**
 * Forwards the services of a folder with the block that admission would have written, because no API server stores it.
 * Updates the blocks when a configuration changes.
 */
export class AdmittedServices implements ObjectSink {
  readonly #configs: ConfigIndex
  readonly #stored: ObjectSink
  readonly #written = new Map<string, JsonObject>()
  #updateScheduled = false

  constructor (configs: ConfigIndex, stored: ObjectSink) {
    this.#configs = configs
    this.#stored = stored
    configs.onChange(() => { this.#scheduleUpdate() })
  }

  upsert (object: JsonObject): void {
    const metadata = ownObject(object, 'metadata')
    const key = { namespace: ownString(metadata, 'namespace'), name: ownString(metadata, 'name') }
    this.#stored.upsert(admittedService(object, this.#configs))
    this.#written.set(objectKey(key), object)
  }

  remove (key: ObjectKey): void {
    this.#written.delete(objectKey(key))
    this.#stored.remove(key)
  }

  /** One update for all configurations that change in the same turn. */
  #scheduleUpdate (): void {
    if (this.#updateScheduled) return
    this.#updateScheduled = true
    queueMicrotask(() => {
      this.#updateScheduled = false
      for (const object of this.#written.values()) this.#stored.upsert(admittedService(object, this.#configs))
    })
  }
}

/** A service as admission would have stored it under these configurations. A malformed one is returned unchanged. */
export function admittedService (object: JsonObject, configs: ConfigLookup): JsonObject {
  const { resolvedRuntimeConfig: _, ...spec } = ownObject(object, 'spec')
  const service = readService({ ...object, spec }, ownString(ownObject(object, 'metadata'), 'namespace'))
  if (service.kind === 'malformed') return object
  const { block } = assessService(service, configs)
  const resolved = block !== undefined && { resolvedRuntimeConfig: block }
  return { ...object, spec: { ...spec, runtimeConfigName: service.configName, ...resolved } }
}
