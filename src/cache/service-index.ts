import { PathClaims } from './path-claims.ts'
import type { HeldPath, ObjectKey, ObjectSink, ServiceLookup } from '../core/ports.ts'
import type { Service } from '../core/settings/service.ts'
import { readStoredService, InternedParts, type StoredService } from './compact/stored-service.ts'

/** The known services: by the configuration they name, and by the path they hold. */
export class ServiceIndex implements ServiceLookup {
  readonly paths = new PathClaims()
  readonly #services = new Map<string, StoredService>()
  readonly #parts = new InternedParts()
  /** Configuration name → namespace → services. */
  readonly #users = new Map<string, Map<string, Set<StoredService>>>()

  count (): number {
    return this.#services.size
  }

  get (key: ObjectKey): Service | undefined {
    return this.#services.get(keyOf(key))
  }

  /** The path that a service holds, as its block says. */
  held (key: ObjectKey): HeldPath | undefined {
    return this.#services.get(keyOf(key))?.held
  }

  * all (): Generator<Service> {
    yield * this.#services.values()
  }

  * users (configName: string, namespace?: string): Generator<Service> {
    const byNamespace = this.#users.get(configName)
    if (byNamespace === undefined) return
    const maps = namespace === undefined ? byNamespace.values() : [byNamespace.get(namespace)]
    for (const services of maps) if (services !== undefined) yield * services
  }

  /** Where services are fed in. Throws where one cannot be read. */
  sink (): ObjectSink {
    return {
      upsert: (object) => {
        const service = readStoredService(object, this.#parts)
        if (service.kind === 'malformed') throw new Error(`${service.field} is not ${service.expected}`)
        this.#remove(service)
        this.#add(service)
      },
      remove: (key) => { this.#remove(key) }
    }
  }

  #add (service: StoredService): void {
    const { configName, namespace, held } = service
    this.#services.set(keyOf(service), service)
    if (held !== undefined) this.paths.add(held)
    const byNamespace = this.#users.get(configName) ?? new Map<string, Set<StoredService>>()
    const services = byNamespace.get(namespace) ?? new Set<StoredService>()
    this.#users.set(configName, byNamespace.set(namespace, services.add(service)))
  }

  #remove (key: ObjectKey): void {
    const service = this.#services.get(keyOf(key))
    if (service === undefined) return
    const { configName, namespace, held } = service
    this.#services.delete(keyOf(key))
    if (held !== undefined) this.paths.remove(held)
    const byNamespace = this.#users.get(configName)
    const services = byNamespace?.get(namespace)
    services?.delete(service)
    if (services?.size === 0) byNamespace?.delete(namespace)
    if (byNamespace?.size === 0) this.#users.delete(configName)
  }
}

/** Joined, not added: a sum keeps its parts beside the text that is made of them. */
function keyOf ({ namespace, name }: ObjectKey): string {
  return [namespace, name].join('/')
}
