import type { AdmissionEngine } from '../../webhooks/engine.ts'
import type { ObjectKey, ObjectSink } from '../core/ports.ts'
import { keyOf, keyText } from '../api/object-meta.ts'
import { assessService } from '../core/settings/assess.ts'
import { readService } from '../core/settings/service.ts'
import { ownObject, type JsonObject } from '../platform/json.ts'

/** Forwards services with the block that admission would write, which no API server stores, and keeps it current. */
export class AdmittedServices implements ObjectSink {
  readonly #engine: AdmissionEngine
  readonly #written = new Map<string, JsonObject>()
  #updateScheduled = false

  constructor (engine: AdmissionEngine) {
    this.#engine = engine
    engine.configs.onChange(() => { this.#scheduleUpdate() })
  }

  upsert (object: JsonObject): void {
    this.#store(object)
    this.#written.set(keyText(keyOf(object)), object)
  }

  remove (key: ObjectKey): void {
    this.#written.delete(keyText(key))
    this.#engine.sinks.AIMService.remove(key)
  }

  /** One update for all configurations that change in the same turn. */
  #scheduleUpdate (): void {
    if (this.#updateScheduled) return
    this.#updateScheduled = true
    queueMicrotask(() => {
      this.#updateScheduled = false
      for (const object of this.#written.values()) this.#store(object)
    })
  }

  #store (object: JsonObject): void {
    this.#engine.sinks.AIMService.upsert(admittedService(object, this.#engine))
  }
}

/** A service as admission would have stored it, with the path that it holds; a malformed one unchanged. */
export function admittedService (
  object: JsonObject, { world, services }: Pick<AdmissionEngine, 'world' | 'services'>
): JsonObject {
  const key = keyOf(object)
  const service = readService(object, key.namespace)
  if (service.kind === 'malformed') return object
  const { resolvedRuntimeConfig: _, ...spec } = ownObject(object, 'spec')
  const { block } = assessService(service, world, services.get(key)?.parse())
  const resolved = block !== undefined && { resolvedRuntimeConfig: block }
  return { ...service.object, spec: { ...spec, runtimeConfigName: service.configName, ...resolved } }
}
