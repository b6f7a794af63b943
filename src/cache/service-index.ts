import { keyOf, keyText } from '../api/object-meta.ts'
import type { ObjectKey, ObjectSink } from '../core/ports.ts'
import type { SegmentForm } from '../core/path/segment.ts'
import type { HeldPath, ServiceLookup } from '../core/world.ts'
import { MAX_KEPT_BYTES, readService, type Service } from '../core/settings/service.ts'
import { CompactService, InternedParts } from './compact/compact-service.ts'
import { PathClaims } from './path-claims.ts'

/** How much text of services is kept, in bytes. Beyond a limit services are stored as partial. */
export interface KeptTextLimits { readonly service: number, readonly total: number }

/** For long-running processes in a cluster. */
export const KEPT_TEXT_LIMITS: KeptTextLimits = { service: MAX_KEPT_BYTES, total: 64 * 1024 * 1024 }

const UNLIMITED: KeptTextLimits = { service: Infinity, total: Infinity }

/** The known services, by key, by configuration name, and by the path that they hold. */
export class ServiceIndex implements ServiceLookup {
  readonly paths = new PathClaims((service) => this.get(service)?.held)
  readonly #services = new Map<string, CompactService>()
  readonly #parts = new InternedParts()
  readonly #limits: KeptTextLimits
  readonly #form: SegmentForm
  #bytes = 0
  #partial = 0
  /** Configuration name → namespace → services. */
  readonly #users = new Map<string, Map<string, Set<CompactService>>>()

  constructor (limits = UNLIMITED, form: SegmentForm = 'rfc3986') {
    this.#limits = limits
    this.#form = form
  }

  /** The size of the kept text. */
  get bytes (): number { return this.#bytes }
  /** The number of services without their object. */
  get partial (): number { return this.#partial }

  count (): number {
    return this.#services.size
  }

  get (key: ObjectKey): CompactService | undefined {
    return this.#services.get(keyText(key))
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
        const service = readService(object, keyOf(object).namespace)
        if (service.kind === 'malformed') throw new Error(`${service.field} is not ${service.expected}`)
        const before = this.get(service)
        this.#remove(service)
        this.#add(before?.withDroppedBlock(service) ?? service, before?.held)
      },
      remove: (key) => { this.#remove(key) }
    }
  }

  #add (read: Service, before: HeldPath | undefined): void {
    const { service: limit, total } = this.#limits
    const service = new CompactService(read, this.#parts, {
      service: limit, room: total - this.#bytes, form: this.#form, held: before
    })
    const { configName, namespace, held } = service
    this.#bytes += service.bytes
    this.#partial += Number(service.partial)
    this.#services.set(keyText(service), service)
    if (held !== undefined) this.paths.add(held)
    const byNamespace = this.#users.get(configName) ?? new Map<string, Set<CompactService>>()
    const services = byNamespace.get(namespace) ?? new Set<CompactService>()
    this.#users.set(configName, byNamespace.set(namespace, services.add(service)))
  }

  #remove (key: ObjectKey): void {
    const service = this.get(key)
    if (service === undefined) return
    const { configName, namespace, held } = service
    this.#services.delete(keyText(key))
    this.#bytes -= service.bytes
    this.#partial -= Number(service.partial)
    if (held !== undefined) this.paths.remove(held)
    const byNamespace = this.#users.get(configName)
    const services = byNamespace?.get(namespace)
    services?.delete(service)
    if (services?.size === 0) byNamespace?.delete(namespace)
    if (byNamespace?.size === 0) this.#users.delete(configName)
  }
}
