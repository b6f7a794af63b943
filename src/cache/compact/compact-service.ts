// Perf: index of 20,000 services, heap after GC. 1.0 kB a service, without interning 2.3 kB, without shapes 1.4 kB;
// remove a part if its gain drops below 10 %.
import type { ParentReference } from '../../api/runtime-config.ts'
import type { Malformed } from '../../core/settings/read-fields.ts'
import { claimInBlock } from '../../core/settings/service-path.ts'
import {
  readService, relevantMetadata, type Service, type ServiceFields, type StoredService
} from '../../core/settings/service.ts'
import type { HeldPath } from '../../core/world.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../../platform/json.ts'
import { Interner, textInterner } from './interner.ts'
import { fromShape, toShape } from './shape.ts'

/** Reads an AIMService as the API server stores it, without what no rule or path expression reads. */
export function readCompactService (object: JsonObject, parts: InternedParts): CompactService | Malformed {
  const metadata = relevantMetadata(object)
  const service = readService({
    apiVersion: own(object, 'apiVersion'),
    kind: own(object, 'kind'),
    metadata,
    spec: ownObject(object, 'spec')
  }, ownString(metadata, 'namespace'))
  return service.kind === 'malformed' ? service : new CompactService(service, parts)
}

/** Parts that many services have in common. */
export class InternedParts {
  readonly texts = textInterner()
  readonly settings = new Interner<Settings>(JSON.stringify)
  readonly gateways = new Interner<ParentReference>(JSON.stringify)
}

/** The fields that many services share. */
type Settings = Omit<ServiceFields, 'namespace' | 'name'>

/** A service as JSON text, a tenth of the size of the parsed objects, with its fields at hand. */
export class CompactService implements StoredService {
  readonly namespace: string
  readonly name: string
  /** The path in the block, with its gateway. */
  readonly held: HeldPath | undefined
  readonly #settings: Settings
  /** The object without its block. */
  readonly #values: string
  readonly #shape: string
  /** The block without its path, the only field of it that differs between services; empty without a block. */
  readonly #block: string
  readonly #path: string

  constructor (service: Service, { texts, settings, gateways }: InternedParts) {
    const { namespace, name, object, block, kind, ...fields } = service
    this.namespace = texts.intern(namespace)
    this.name = name
    this.#settings = settings.intern(fields)
    const spec = { ...ownObject(object, 'spec'), resolvedRuntimeConfig: undefined }
    const { shape, values } = toShape({ ...object, spec })
    this.#shape = texts.intern(shape)
    this.#values = values
    this.#path = isJsonObject(block) ? ownString(ownObject(block, 'routing'), 'path') : ''
    const shared = this.#path === '' ? block : withPath(block, undefined)
    this.#block = block === undefined ? '' : texts.intern(JSON.stringify(shared))
    const held = claimInBlock(service)
    this.held = held && {
      service: { namespace: this.namespace, name },
      gateway: gateways.intern(held.gateway),
      path: this.#path,
      since: texts.intern(held.since)
    }
  }

  get generateName () { return this.#settings.generateName }
  get deleting () { return this.#settings.deleting }
  get givenConfigName () { return this.#settings.givenConfigName }
  get configName () { return this.#settings.configName }
  get serviceAccountName () { return this.#settings.serviceAccountName }
  get imagePullSecrets () { return this.#settings.imagePullSecrets }
  get routing () { return this.#settings.routing }

  parse (): Service {
    const object = JSON.parse(fromShape({ shape: this.#shape, values: this.#values })) as JsonObject // as stringified
    const shared: unknown = this.#block === '' ? undefined : JSON.parse(this.#block)
    const block = this.#path === '' ? shared : withPath(shared, this.#path)
    return { ...this.#settings, kind: 'service', namespace: this.namespace, name: this.name, block, object }
  }

  /** Whether both have the same object apart from block and status. Compares without parsing. */
  hasSameObject (other: CompactService): boolean {
    return this.#values === other.#values && this.#shape === other.#shape
  }
}

/** The block with another path; `undefined` removes it from the JSON text. */
function withPath (block: unknown, path: string | undefined): unknown {
  return isJsonObject(block) ? { ...block, routing: { ...ownObject(block, 'routing'), path } } : block
}
