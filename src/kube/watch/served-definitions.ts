import { KINDS, type Kind } from '../../api/kinds.ts'
import { GROUP, VERSION } from '../../api/meta.ts'
import type { Definitions, Log, ServedFields } from '../../core/ports.ts'
import { PRODUCT_FIELDS, schemaFields } from '../../core/served-fields.ts'
import { pause, type Clock } from '../../platform/clock.ts'
import { errorMessage } from '../../platform/error-message.ts'
import { own, ownObject, ownObjects, sameJson, type JsonObject } from '../../platform/json.ts'
import type { SendRequest } from '../client/api-connection.ts'
import { describeStatus, parseObject, statusOf } from '../client/responses.ts'

export interface ServedDefinitionsOptions { readonly request: SendRequest, readonly clock: Clock, readonly log: Log }

const PATH = `/openapi/v3/apis/${GROUP}/${VERSION}`
/** In milliseconds. An unchanged document costs a response of 200 bytes. */
const INTERVAL_MS = 2_000
const TIMEOUT_MS = 5_000

/**
 * The definitions of the three kinds as the API server serves them, in its OpenAPI document, which every authenticated
 * user may read. Until it is read, and if it cannot be, they count as the product's own.
 */
export class ServedDefinitions implements Definitions {
  readonly #options: ServedDefinitionsOptions
  readonly #stopping = new AbortController()
  #etag = ''
  #fields = new Map<Kind['kind'], ServedFields>()
  /** The part of the document that the fields come from. */
  #document: unknown
  #failure: string | undefined
  #reading: Promise<void> | undefined
  #responded = false
  #running = Promise.resolve()
  #changedAt = -Infinity
  #onChange = (): void => {}
  readonly service: ServedFields = {
    has: (...path) => this.fieldsOf('AIMService').has(...path),
    shapeOf: (path) => this.fieldsOf('AIMService').shapeOf(path)
  }

  constructor (options: ServedDefinitionsOptions) { this.#options = options }

  fieldsOf (kind: Kind['kind']): ServedFields {
    return this.#fields.get(kind) ?? PRODUCT_FIELDS
  }

  sinceChange (): number {
    return this.#options.clock.now() - this.#changedAt
  }

  /** After each change, but not after the first reading. */
  onChange (listener: () => void): void {
    this.#onChange = listener
  }

  /** `onRead`: called once the API server has responded. */
  start (onRead: () => void): void {
    this.#running = this.#poll(onRead)
  }

  async stop (): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async refresh (): Promise<void> {
    await (this.#reading ??= this.#read().finally(() => { this.#reading = undefined }))
  }

  async #poll (onRead: () => void): Promise<void> {
    const { signal } = this.#stopping
    const { clock } = this.#options
    let read = false
    while (!signal.aborted) {
      await this.refresh()
      if (!read && this.#responded) {
        read = true
        onRead()
      }
      await pause(clock, INTERVAL_MS, signal)
    }
  }

  async #read (): Promise<void> {
    const { request, log } = this.#options
    try {
      const response = await request(PATH, { headers: { 'if-none-match': this.#etag }, timeoutMs: TIMEOUT_MS })
      this.#responded = true
      if (response.statusCode === 200) {
        const document = parseObject(await response.body.text())
        if (Object.keys(document).length === 0) this.#fail('the response is not a JSON object')
        else {
          this.#etag = String(response.headers['etag'] ?? '')
          this.#take(document)
        }
      } else if (response.statusCode === 304) await response.body.dump()
      else {
        const status = await statusOf(response)
        if (status.code !== 404) this.#fail(describeStatus(status)) // 404: nothing is defined
      }
    } catch (error) {
      log.info({ reason: errorMessage(error) }, 'failed to read served definitions, retrying')
    }
  }

  #fail (reason: string): void {
    if (this.#failure === reason) return
    this.#failure = reason
    this.#options.log.warn({ path: PATH, reason }, 'failed to read served definitions, assuming those of the product')
  }

  #take (document: JsonObject): void {
    const schemas = Object.values(ownObject(ownObject(document, 'components'), 'schemas')) as JsonObject[]
    const paths = Object.keys(ownObject(document, 'paths'))
    const found = KINDS.flatMap(({ kind, plural }) => {
      const schema = schemas.find((each) => ownObjects(each, 'x-kubernetes-group-version-kind')
        .some((names) => own(names, 'group') === GROUP && own(names, 'kind') === kind))
      const hasStatus = paths.some((path) => path.endsWith(`/${plural}/{name}/status`))
      return schema === undefined ? [] : [[kind, hasStatus ? schema : withoutStatus(schema)] as const]
    })
    this.#failure = undefined
    const isFirst = this.#document === undefined
    if (found.length === 0 || sameJson(this.#document, found)) return
    this.#document = found
    this.#fields = new Map(found.map(([kind, schema]) => [kind, schemaFields(schema)]))
    if (isFirst) return
    this.#changedAt = this.#options.clock.now()
    this.#options.log.info({ group: GROUP }, 'served definitions changed')
    this.#onChange()
  }
}

/** Without the subresource, a status is a field like others, which only the owner of an object writes. */
function withoutStatus (schema: JsonObject): JsonObject {
  const { status, ...properties } = ownObject(schema, 'properties')
  return { ...schema, 'x-kubernetes-preserve-unknown-fields': false, properties }
}
