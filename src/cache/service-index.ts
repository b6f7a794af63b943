import { objectKey } from '../api/object-meta.ts'
import type { ObjectKey, ObjectSink } from '../core/ports.ts'
import type { ServiceLookup } from '../core/world.ts'
import { InternedParts, readCompactService, type CompactService } from './compact/compact-service.ts'
import { PathClaims } from './path-claims.ts'

/** The known services, by key, by configuration name, and by the path that they hold. */
export class ServiceIndex implements ServiceLookup {
  readonly paths = new PathClaims()
  readonly #services = new Map<string, CompactService>()
  readonly #parts = new InternedParts()
  /** Configuration name → namespace → services. */
  readonly #users = new Map<string, Map<string, Set<CompactService>>>()

  count (): number {
    return this.#services.size
  }

  get (key: ObjectKey): CompactService | undefined {
    return this.#services.get(objectKey(key))
  }

  all (): Iterable<CompactService> {
    return this.#services.values()
  }

  * users (configName: string, namespace?: string): Generator<CompactService> {
    const byNamespace = this.#users.get(configName)
    if (byNamespace === undefined) return
    const sets = namespace === undefined ? byNamespace.values() : [byNamespace.get(namespace)]
    for (const services of sets) if (services !== undefined) yield * services
  }

  /** Receives services. Throws for a malformed object. */
  sink (): ObjectSink {
    return {
      upsert: (object) => {
        const service = readCompactService(object, this.#parts)
        if ('expected' in service) throw new Error(`${service.field} is not ${service.expected}`)
        this.#remove(service)
        this.#add(service)
      },
      remove: (key) => { this.#remove(key) }
    }
  }

  #add (service: CompactService): void {
    const { configName, namespace, held } = service
    this.#services.set(objectKey(service), service)
    if (held !== undefined) this.paths.add(held)
    const byNamespace = this.#users.get(configName) ?? new Map<string, Set<CompactService>>()
    const services = byNamespace.get(namespace) ?? new Set<CompactService>()
    this.#users.set(configName, byNamespace.set(namespace, services.add(service)))
  }

  #remove (key: ObjectKey): void {
    const service = this.get(key)
    if (service === undefined) return
    const { configName, namespace, held } = service
    this.#services.delete(objectKey(key))
    if (held !== undefined) this.paths.remove(held)
    const byNamespace = this.#users.get(configName)
    const services = byNamespace?.get(namespace)
    services?.delete(service)
    if (services?.size === 0) byNamespace?.delete(namespace)
    if (byNamespace?.size === 0) this.#users.delete(configName)
  }
}
