import { withTimeouts, type ApiResponse, type SendRequest } from '../../../src/kube/client/api-connection.ts'
import { ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import { apiResponse } from './api-response.ts'
import type { ManualClock } from './manual-clock.ts'

/** The latency of one request and of its response, in milliseconds; Infinity: it never arrives. */
export interface Passage { readonly there: number, readonly back: number }

/** An API server with a single Lease, in this process and on a manual clock. */
export class FakeLease {
  /** As stored; undefined if it does not exist. */
  lease: JsonObject | undefined
  /** Every spec that was written, in order. */
  readonly written: JsonObject[] = []
  /** Whether the namespace of the Lease exists. */
  namespaceExists = true
  /** Whether clients may create namespaces. */
  namespacesCreatable = false
  /** Requests to create the namespace. */
  namespaceRequests = 0
  #version = 1
  readonly #clock: ManualClock

  constructor (clock: ManualClock) { this.#clock = clock }

  get spec (): JsonObject { return ownObject(this.lease ?? {}, 'spec') }
  get holder (): string { return ownString(this.spec, 'holderIdentity') }

  /** Replaces parts of its spec, as a user with kubectl may. */
  edit (spec: JsonObject): void {
    this.#store({ ...this.lease, spec: { ...this.spec, ...spec } })
  }

  remove (): void {
    this.lease = undefined
  }

  /** The requests of one client; `passage` is called once per request. */
  requests (passage: () => Passage = () => ({ there: 1, back: 1 })): SendRequest {
    return withTimeouts(async (
      path, { method = 'GET', body = '', signal } = {}
    ) => await new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => { reject(signal.reason as Error) })
      const { there, back } = passage()
      if (there === Infinity) return
      this.#clock.setTimeout(there, () => {
        const response = path === '/api/v1/namespaces' ? this.#createNamespace() : this.#respond(method, body)
        if (back !== Infinity) this.#clock.setTimeout(back, () => { resolve(response) })
      })
    }), this.#clock)
  }

  #createNamespace (): ApiResponse {
    this.namespaceRequests++
    if (!this.namespacesCreatable) return apiResponse(403, { message: 'namespaces is forbidden' })
    this.namespaceExists = true
    return apiResponse(201, { metadata: { name: 'aim-system', resourceVersion: '1' } })
  }

  #respond (method: string, body: string): ApiResponse {
    if (method === 'GET') return this.lease === undefined ? apiResponse(404) : apiResponse(200, this.lease)
    const object = JSON.parse(body) as JsonObject // as the election writes it
    if (method === 'POST' && !this.namespaceExists) {
      return apiResponse(404, { message: 'namespaces "aim-system" not found' })
    }
    if (method === 'POST') return this.lease === undefined ? this.#accept(object, 201) : apiResponse(409)
    if (this.lease === undefined) return apiResponse(404)
    return versionOf(object) === versionOf(this.lease) ? this.#accept(object, 200) : apiResponse(409)
  }

  #accept (object: JsonObject, code: number): ApiResponse {
    this.written.push(ownObject(object, 'spec'))
    return apiResponse(code, this.#store(object))
  }

  #store (object: JsonObject): JsonObject {
    const metadata = { name: 'test', ...ownObject(object, 'metadata'), resourceVersion: String(++this.#version) }
    this.lease = { ...object, metadata }
    return this.lease
  }
}

function versionOf (object: JsonObject): string {
  return ownString(ownObject(object, 'metadata'), 'resourceVersion')
}
