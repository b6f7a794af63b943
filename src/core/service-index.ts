import { isJsonObject, ownObject } from './json.ts'
import { createdAt } from './object-meta.ts'
import { PathClaims } from './path-claims.ts'
import type { HeldPath, ObjectKey, ObjectSink, ServiceLookup } from './ports.ts'
import { parentReferenceAt, reading } from './read-fields.ts'
import type { Service } from './service.ts'
import { SharedTexts } from './shared-texts.ts'
import { pathInBlock, readStoredService } from './stored-service.ts'

interface Entry { readonly service: Service, readonly held: HeldPath | undefined }

/** The known services: by the configuration they name, and by the path they hold. */
export class ServiceIndex implements ServiceLookup {
  readonly paths = new PathClaims()
  readonly #entries = new Map<string, Entry>()
  readonly #texts = new SharedTexts()
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
        const read = readStoredService(object, this.#texts)
        if (read.kind === 'malformed') throw new Error(`${read.field} is not ${read.expected}`)
        this.#remove(read.stored)
        this.#add(read.stored, heldPath(read.whole))
      },
      remove: (key) => { this.#remove(key) }
    }
  }

  #add (service: Service, held: HeldPath | undefined): void {
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

/** The path that a stored service holds, as its block says. */
function heldPath ({ namespace, name, block, object }: Service): HeldPath | undefined {
  const routing = isJsonObject(block) ? ownObject(block, 'routing') : {}
  const path = pathInBlock({ block })
  const gateway = reading(() => parentReferenceAt(routing, 'gatewayRef', 'spec.resolvedRuntimeConfig.routing.gatewayRef'))
  if (path === '' || gateway === undefined || !('name' in gateway)) return undefined
  return { service: { namespace, name }, gateway: { namespace, ...gateway }, path, since: createdAt(object) }
}
