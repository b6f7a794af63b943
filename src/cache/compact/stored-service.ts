import type { ParentReference } from '../../api/runtime-config.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../../platform/json.ts'
import { createdAt } from '../../api/object-meta.ts'
import type { HeldPath } from '../../core/ports.ts'
import { parentReferenceAt, reading, type Malformed } from '../../core/settings/read-fields.ts'
import { READABLE_METADATA } from '../../core/path/readable-fields.ts'
import { LAST_APPLIED, readService, type Service } from '../../core/settings/service.ts'
import { Interner, textInterner } from './interner.ts'
import { fromShape, toShape } from './shape.ts'

/** What many services have alike, each kept once. */
export class InternedParts {
  readonly texts = textInterner()
  readonly settings = new Interner<Settings>(JSON.stringify)
  readonly gateways = new Interner<ParentReference>(JSON.stringify)
}

/** What of a service is mostly as in others. */
type Settings = Pick<
  Service,
  'generateName' | 'deleting' | 'givenConfigName' | 'configName' | 'serviceAccountName' | 'imagePullSecrets' | 'routing'
>

/**
 * A service as it is kept by the hundred thousand. What only a path expression or a comparison looks at is text, a
 * tenth of the size of the objects that it is parsed into whenever it is asked for.
 */
export class StoredService implements Service {
  readonly namespace: string
  readonly name: string
  /** The path that it holds, as its block says. */
  readonly held: HeldPath | undefined
  readonly #settings: Settings
  /** What a path expression may read, which is not the block. */
  readonly #values: string
  readonly #shape: string
  /**
   * The block without its path, which is the one field of it that differs from service to service; empty where there is
   * none.
   */
  readonly #block: string
  readonly #path: string

  constructor (service: Service, { texts, settings, gateways }: InternedParts) {
    this.namespace = texts.of(service.namespace)
    this.name = service.name
    this.#settings = settings.of(settingsOf(service))
    const { shape, values } = toShape({
      ...service.object,
      spec: { ...ownObject(service.object, 'spec'), resolvedRuntimeConfig: undefined }
    })
    this.#shape = texts.of(shape)
    this.#values = values
    this.#path = pathInBlock(service)
    this.#block =
      service.block === undefined
        ? ''
        : texts.of(JSON.stringify(this.#path === '' ? service.block : withPath(service.block, undefined)))
    const gateway = this.#path === '' ? undefined : gatewayInBlock(service)
    const key = { namespace: this.namespace, name: this.name }
    this.held = gateway && {
      service: key,
      gateway: gateways.of(gateway),
      path: this.#path,
      since: texts.of(createdAt(service.object))
    }
  }

  get kind () { return 'service' as const }
  get generateName () { return this.#settings.generateName }
  get deleting () { return this.#settings.deleting }
  get givenConfigName () { return this.#settings.givenConfigName }
  get configName () { return this.#settings.configName }
  get serviceAccountName () { return this.#settings.serviceAccountName }
  get imagePullSecrets () { return this.#settings.imagePullSecrets }
  get routing () { return this.#settings.routing }

  get object (): JsonObject {
    return JSON.parse(fromShape({ shape: this.#shape, values: this.#values })) as JsonObject // of one
  }

  get block (): unknown {
    if (this.#block === '') return undefined
    const block: unknown = JSON.parse(this.#block)
    return this.#path === '' ? block : withPath(block, this.#path)
  }
}

function settingsOf ({ generateName, deleting, givenConfigName, configName, serviceAccountName, imagePullSecrets, routing }: Service): Settings {
  return { generateName, deleting, givenConfigName, configName, serviceAccountName, imagePullSecrets, routing }
}

/** The block with another path; `undefined` goes when it becomes text. */
function withPath (block: unknown, path: string | undefined): unknown {
  return isJsonObject(block) ? { ...block, routing: { ...ownObject(block, 'routing'), path } } : block
}

/** The path that a service holds, as its block says; empty where it holds none. */
export function pathInBlock ({ block }: Pick<Service, 'block'>): string {
  return isJsonObject(block) ? ownString(ownObject(block, 'routing'), 'path') : ''
}

/**
 * The gateway that the block of a service names, in the service's namespace where it names none; undefined where it
 * names none that can be read.
 */
function gatewayInBlock ({ namespace, block }: Service): ParentReference | undefined {
  const routing = isJsonObject(block) ? ownObject(block, 'routing') : {}
  const gateway = reading(() =>
    parentReferenceAt(routing, 'gatewayRef', 'spec.resolvedRuntimeConfig.routing.gatewayRef')
  )
  return gateway === undefined || !('name' in gateway) ? undefined : { namespace, ...gateway }
}

/** Reads an AIMService as the API server stores it. */
export function readStoredService (object: JsonObject, parts: InternedParts): StoredService | Malformed {
  const whole = readService(trimmed(object), ownString(ownObject(object, 'metadata'), 'namespace'))
  return whole.kind === 'malformed' ? whole : new StoredService(whole, parts)
}

/**
 * What a path expression or a rule may read and nothing else: no status, no managed fields, no copy of the applied
 * manifest.
 */
function trimmed (object: JsonObject): JsonObject {
  const metadata = ownObject(object, 'metadata')
  const kept = Object.fromEntries(
    KEPT_METADATA.filter((key) => Object.hasOwn(metadata, key)).map((key) => [key, metadata[key]])
  )
  const annotations = own(metadata, 'annotations')
  const { [LAST_APPLIED]: applied, ...others } = isJsonObject(annotations) ? annotations : {}
  return {
    apiVersion: own(object, 'apiVersion'),
    kind: own(object, 'kind'),
    metadata: { ...kept, annotations: others },
    spec: ownObject(object, 'spec')
  }
}

const KEPT_METADATA = [...READABLE_METADATA, 'generation', 'deletionTimestamp']
