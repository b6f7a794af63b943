import type { JsonObject } from '../api/meta.ts'
import type { LocalObjectReference } from '../api/runtime-config.ts'
import { isJsonObject, own, ownObject, ownString } from './json.ts'
import type { Malformed } from './read-fields.ts'
import type { RoutingFields } from './routing-fields.ts'
import { READABLE_METADATA } from './service-fields.ts'
import { LAST_APPLIED, readService } from './service.ts'
import type { Service } from './service.ts'
import type { SharedTexts } from './shared-texts.ts'

/**
 * A service as it is kept by the hundred thousand. What only a path expression or a comparison looks at is text, a fifth of the size of the objects that
 * it is parsed into whenever it is asked for.
 */
class StoredService implements Service {
  readonly kind = 'service'
  readonly namespace: string
  readonly name: string
  readonly generateName: string
  readonly deleting: boolean
  readonly givenConfigName: string | undefined
  readonly configName: string
  readonly serviceAccountName: string | undefined
  readonly imagePullSecrets: readonly LocalObjectReference[]
  readonly routing: RoutingFields
  /** What a path expression may read, which is not the block. */
  readonly #object: string
  /** The block without its path, which is the one field of it that differs from service to service; empty where there is none. */
  readonly #block: string
  readonly #path: string

  constructor (service: Service, texts: SharedTexts) {
    this.namespace = texts.of(service.namespace)
    this.name = service.name
    this.generateName = service.generateName
    this.deleting = service.deleting
    this.givenConfigName = service.givenConfigName === undefined ? undefined : texts.of(service.givenConfigName)
    this.configName = texts.of(service.configName)
    this.serviceAccountName = service.serviceAccountName
    this.imagePullSecrets = service.imagePullSecrets.length === 0 ? NO_SECRETS : service.imagePullSecrets
    this.routing = Object.values(service.routing).every((field) => field === undefined) ? NO_ROUTING : service.routing
    this.#object = JSON.stringify({ ...service.object, spec: { ...ownObject(service.object, 'spec'), resolvedRuntimeConfig: undefined } })
    this.#path = pathInBlock(service)
    this.#block = service.block === undefined ? '' : texts.of(JSON.stringify(this.#path === '' ? service.block : withPath(service.block, undefined)))
  }

  get object (): JsonObject {
    return JSON.parse(this.#object) as JsonObject // of one
  }

  get block (): unknown {
    if (this.#block === '') return undefined
    const block: unknown = JSON.parse(this.#block)
    return this.#path === '' ? block : withPath(block, this.#path)
  }
}

/** The block with another path; `undefined` goes when it becomes text. */
function withPath (block: unknown, path: string | undefined): unknown {
  return isJsonObject(block) ? { ...block, routing: { ...ownObject(block, 'routing'), path } } : block
}

/** The path that a service holds, as its block says; empty where it holds none. */
export function pathInBlock ({ block }: Pick<Service, 'block'>): string {
  return isJsonObject(block) ? ownString(ownObject(block, 'routing'), 'path') : ''
}

const NO_SECRETS: readonly LocalObjectReference[] = Object.freeze([])
const NO_ROUTING: RoutingFields = Object.freeze({ enabled: undefined, gatewayRef: undefined, pathTemplate: undefined })

/** Reads an AIMService as the API server stores it. `whole` is what was read, for whoever needs it at once; `stored` is what is to be kept. */
export function readStoredService (object: JsonObject, texts: SharedTexts): { readonly kind: 'read', readonly whole: Service, readonly stored: Service } | Malformed {
  const whole = readService(trimmed(object), ownString(ownObject(object, 'metadata'), 'namespace'))
  return whole.kind === 'malformed' ? whole : { kind: 'read', whole, stored: new StoredService(whole, texts) }
}

/** What a path expression or a rule may read and nothing else: no status, no managed fields, no copy of the applied manifest. */
function trimmed (object: JsonObject): JsonObject {
  const metadata = ownObject(object, 'metadata')
  const kept = Object.fromEntries(KEPT_METADATA.filter((key) => Object.hasOwn(metadata, key)).map((key) => [key, metadata[key]]))
  const annotations = own(metadata, 'annotations')
  const { [LAST_APPLIED]: applied, ...others } = isJsonObject(annotations) ? annotations : {}
  return { apiVersion: own(object, 'apiVersion'), kind: own(object, 'kind'), metadata: { ...kept, annotations: others }, spec: ownObject(object, 'spec') }
}

const KEPT_METADATA = [...READABLE_METADATA, 'generation', 'deletionTimestamp']
