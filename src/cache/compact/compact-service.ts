// Perf: index of 20,000 services, heap after GC. 1.0 kB a service, without interning 2.3 kB, without shapes 1.4 kB;
// remove a part if its gain drops below 10 %.
import type { ParentReference } from '../../api/runtime-config.ts'
import { withFilled } from '../../core/settings/filled-fields.ts'
import type { SegmentForm } from '../../core/path/segment.ts'
import { storedClaim } from '../../core/settings/service-path.ts'
import { generationOf } from '../../api/object-meta.ts'
import { keptObject, readService, textBytes, type Service, type StoredService } from '../../core/settings/service.ts'
import type { HeldPath } from '../../core/world.ts'
import { isJsonObject, ownObject, parseJson, type JsonObject } from '../../platform/json.ts'
import { Interner, textInterner } from './interner.ts'
import { fromShape, toShape } from './shape.ts'

/** Parts that many services have in common. */
export class InternedParts {
  readonly texts = textInterner()
  readonly gateways = new Interner<ParentReference>(JSON.stringify)
}

/** How much text of one service may be kept, in bytes: a service with more is stored as partial. The form of paths. */
export interface StoreOptions {
  readonly service: number
  /** What is left for all services. */
  readonly room: number
  readonly form: SegmentForm
  /** What the version before holds. */
  readonly held: HeldPath | undefined
}

/** Longer names are names of no object. Source: Kubernetes, DNS-1123 subdomain. */
const MAX_NAME = 253

/** Admission writes no longer claim. In characters of JSON; a path has at most 200. */
const MAX_CLAIM = 4_096

/** Shorter shapes and blocks are shared between services as a rule, and are not counted. In bytes. */
const SHARED_BYTES = 1_024

/** A service as JSON text, a tenth of the size of the parsed objects, with the most used fields at hand. */
export class CompactService implements StoredService {
  readonly namespace: string
  readonly name: string
  readonly deleting: boolean
  readonly configName: string
  readonly storedBlockPlace: Service['storedBlockPlace']
  readonly #generation: number
  /** See `storedClaim`. */
  readonly held: HeldPath | undefined
  readonly partial: boolean
  /** The size of the kept text that is not shared. */
  readonly bytes: number
  /** The object without its block; of a partial service its generation and size. */
  readonly #values: string
  /** Empty for a partial service. */
  readonly #shape: string
  /** The block without its path, the only field of it that differs between services; empty without a block. */
  readonly #block: string

  constructor (service: Service, { texts, gateways }: InternedParts, options: StoreOptions) {
    const { namespace, name, object, filled, block, storedBlockPlace, deleting, configName } = service
    this.namespace = texts.intern(namespace)
    this.name = name
    this.deleting = deleting
    this.storedBlockPlace = storedBlockPlace
    this.#generation = generationOf(object)
    this.configName = configName.length > MAX_NAME ? '' : texts.intern(configName)
    // no edit of a service that is being deleted is judged, so only a block, which is restored, is a claim then
    const held = deleting && block === undefined ? options.held : storedClaim(service, options.form)
    this.held = held && JSON.stringify(held).length <= MAX_CLAIM
      ? {
          service: { namespace: this.namespace, name },
          gateway: gateways.intern(held.gateway),
          path: held.path,
          since: texts.intern(held.since)
        }
      : undefined
    const kept = keptObject(withFilled(object, filled))
    const text = JSON.stringify(kept)
    const shared = this.held === undefined ? block : withPath(block, undefined)
    const blockText = block === undefined ? '' : JSON.stringify(shared)
    const size = textBytes(text) + textBytes(blockText)
    if (size <= options.service) {
      const { shape, values } = toShape(kept)
      const bytes = textBytes(values) + unshared(shape) + unshared(blockText)
      if (bytes <= options.room) {
        this.partial = false
        this.bytes = bytes
        this.#shape = texts.intern(shape)
        this.#values = values
        this.#block = texts.intern(blockText)
        return
      }
    }
    this.partial = true
    this.bytes = 0
    this.#shape = ''
    this.#values = `${this.#generation} ${text.length}`
    this.#block = ''
  }

  parse (): Service | undefined {
    if (this.partial) return undefined
    const object = parseJson(fromShape({ shape: this.#shape, values: this.#values })) as JsonObject // as stringified
    const service = readService(object, this.namespace)
    if (service.kind === 'malformed') throw new Error(`a service in the index is malformed at ${service.field}`)
    const shared: unknown = this.#block === '' ? undefined : JSON.parse(this.#block)
    const block = this.held === undefined ? shared : withPath(shared, this.held.path)
    return { ...service, block, storedBlockPlace: this.storedBlockPlace }
  }

  /**
   * The next version of this service with the block of this one, if the definition of AIMService dropped
   * that. Every write that removes it changes the generation. An object that is not from an API server has none.
   */
  withDroppedBlock (next: Service): Service | undefined {
    const isDropped = this.storedBlockPlace === 'spec' && next.storedBlockPlace === undefined &&
      this.#generation > 0 && this.#generation === generationOf(next.object)
    const block = isDropped ? this.parse()?.block : undefined
    return block === undefined ? undefined : { ...next, block, storedBlockPlace: 'spec' }
  }

  /** Whether both have the same object apart from block and status, as far as a partial one shows. Does not parse. */
  hasSameObject (other: CompactService): boolean {
    return this.#values === other.#values && this.#shape === other.#shape
  }

  /** False for a partial service. Does not parse. */
  hasSameBlock (other: CompactService): boolean {
    const isSame = this.#block === other.#block && this.storedBlockPlace === other.storedBlockPlace
    return isSame && !this.partial && this.held?.path === other.held?.path
  }
}

/** The block with another path; `undefined` removes it from the JSON text. */
function withPath (block: unknown, path: string | undefined): unknown {
  return isJsonObject(block) ? { ...block, routing: { ...ownObject(block, 'routing'), path } } : block
}

function unshared (text: string): number {
  const bytes = textBytes(text)
  return bytes <= SHARED_BYTES ? 0 : bytes
}
