import { assessService } from '../core/settings/assess.ts'
import type { ConfigIndex } from '../cache/config-index.ts'
import { ownObject, ownString, type JsonObject } from '../platform/json.ts'
import type { ConfigLookup, ObjectKey, ObjectSink } from '../core/ports.ts'
import { readService } from '../core/settings/service.ts'

/**
 * Passes services on as admission would have stored them, since in a folder nobody else writes their block: each with
 * the settings and the path that it has at present, and anew when a configuration changes.
 */
export class AdmittedServices implements ObjectSink {
  readonly #configs: ConfigIndex
  readonly #stored: ObjectSink
  readonly #written = new Map<string, JsonObject>()
  #renewing = false

  constructor (configs: ConfigIndex, stored: ObjectSink) {
    this.#configs = configs
    this.#stored = stored
    configs.onChange(() => { this.#renewSoon() })
  }

  upsert (object: JsonObject): void {
    const metadata = ownObject(object, 'metadata')
    this.#stored.upsert(admittedService(object, this.#configs))
    this.#written.set(`${ownString(metadata, 'namespace')}/${ownString(metadata, 'name')}`, object)
  }

  remove (key: ObjectKey): void {
    this.#written.delete(`${key.namespace}/${key.name}`)
    this.#stored.remove(key)
  }

  /** Once for all configurations that change in one go. */
  #renewSoon (): void {
    if (this.#renewing) return
    this.#renewing = true
    queueMicrotask(() => {
      this.#renewing = false
      for (const object of this.#written.values()) this.#stored.upsert(admittedService(object, this.#configs))
    })
  }
}

/** A service as admission would have stored it, under these configurations. One that cannot be read stays as it is. */
export function admittedService (object: JsonObject, configs: ConfigLookup): JsonObject {
  const { resolvedRuntimeConfig, ...spec } = ownObject(object, 'spec')
  const service = readService({ ...object, spec }, ownString(ownObject(object, 'metadata'), 'namespace'))
  if (service.kind === 'malformed') return object
  const { block } = assessService(service, configs)
  return {
    ...object,
    spec: {
      ...spec,
      runtimeConfigName: service.configName,
      ...(block !== undefined && { resolvedRuntimeConfig: block })
    }
  }
}
