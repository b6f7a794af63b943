import type { JsonObject } from '../api/meta.ts'
import { isJsonObject, own, ownObject, ownString } from './json.ts'
import { createdAt } from './object-meta.ts'
import { PathClaims } from './path-claims.ts'
import type { HeldPath, ObjectKey, ObjectSink, ServiceLookup } from './ports.ts'
import { parentReferenceAt, reading } from './read-fields.ts'
import { readService } from './service.ts'
import type { Service } from './service.ts'

interface Entry { readonly service: Service, readonly held: HeldPath | undefined }

/** The known services: by the configuration they name, and by the path they hold. */
export class ServiceIndex implements ServiceLookup {
  readonly paths = new PathClaims()
  readonly #entries = new Map<string, Entry>()
  /** Configuration name → namespace → service name → service. */
  readonly #users = new Map<string, Map<string, Map<string, Service>>>()

  count (): number {
    return this.#entries.size
  }

  get (key: ObjectKey): Service | undefined {
    return this.#entries.get(keyOf(key))?.service
  }

  /** The path that a service holds, as its block says. */
  held (key: ObjectKey): HeldPath | undefined {
    return this.#entries.get(keyOf(key))?.held
  }

  * all (): Generator<Service> {
    for (const { service } of this.#entries.values()) yield service
  }

  * users (configName: string, namespace?: string): Generator<Service> {
    const byNamespace = this.#users.get(configName)
    if (byNamespace === undefined) return
    const maps = namespace === undefined ? byNamespace.values() : [byNamespace.get(namespace)]
    for (const services of maps) if (services !== undefined) yield * services.values()
  }

  /** Where services are fed in. Throws where one cannot be read. */
  sink (): ObjectSink {
    return {
      upsert: (object) => {
        const service = readService(trimmed(object), ownString(ownObject(object, 'metadata'), 'namespace'))
        if (service.kind === 'malformed') throw new Error(`${service.field} is not ${service.expected}`)
        this.#remove(service)
        this.#add(service)
      },
      remove: (key) => { this.#remove(key) }
    }
  }

  #add (service: Service): void {
    const held = heldPath(service)
    this.#entries.set(keyOf(service), { service, held })
    if (held !== undefined) this.paths.add(held)
    const byNamespace = this.#users.get(service.configName) ?? new Map<string, Map<string, Service>>()
    const services = byNamespace.get(service.namespace) ?? new Map<string, Service>()
    this.#users.set(service.configName, byNamespace.set(service.namespace, services.set(service.name, service)))
  }

  #remove (key: ObjectKey): void {
    const entry = this.#entries.get(keyOf(key))
    if (entry === undefined) return
    const { service: { configName, namespace, name }, held } = entry
    this.#entries.delete(keyOf(key))
    if (held !== undefined) this.paths.remove(held)
    const byNamespace = this.#users.get(configName)
    const services = byNamespace?.get(namespace)
    services?.delete(name)
    if (services?.size === 0) byNamespace?.delete(namespace)
    if (byNamespace?.size === 0) this.#users.delete(configName)
  }
}

function keyOf ({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`
}

/** What a path expression may read and nothing else: no status, no managed fields, no copy of the applied manifest. */
function trimmed (object: JsonObject): JsonObject {
  const { managedFields, annotations, ...metadata } = ownObject(object, 'metadata')
  const { [LAST_APPLIED]: applied, ...others } = isJsonObject(annotations) ? annotations : {}
  return { apiVersion: own(object, 'apiVersion'), kind: own(object, 'kind'), metadata: { ...metadata, annotations: others }, spec: ownObject(object, 'spec') }
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/** The path that a stored service holds, as its block says. */
function heldPath ({ namespace, name, block, object }: Service): HeldPath | undefined {
  const routing = isJsonObject(block) ? ownObject(block, 'routing') : {}
  const path = ownString(routing, 'path')
  const gateway = reading(() => parentReferenceAt(routing, 'gatewayRef', 'spec.resolvedRuntimeConfig.routing.gatewayRef'))
  if (path === '' || gateway === undefined || !('name' in gateway)) return undefined
  return { service: { namespace, name }, gateway: { namespace, ...gateway }, path, since: createdAt(object) }
}
