import type { ApiResponse, SendRequest } from '../../../src/kube/client/api-connection.ts'
import { ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import type { ManualClock } from './manual-clock.ts'

/**
 * How one request fares: milliseconds until it arrives, and from there until its answer does; either may never come.
 */
export interface Passage { readonly there: number, readonly back: number }

/** An API server of one Lease alone, in this process, on the time of a test. */
export class FakeLease {
  /** As stored; undefined where there is none. */
  lease: JsonObject | undefined
  /** Every spec that was written, in order. */
  readonly written: JsonObject[] = []
  #version = 1
  readonly #clock: ManualClock

  constructor (clock: ManualClock) {
    this.#clock = clock
  }

  get spec (): JsonObject { return ownObject(this.lease ?? {}, 'spec') }
  get holder (): string { return ownString(this.spec, 'holderIdentity') }

  /** Replaces parts of its spec by hand, as anybody with kubectl may. */
  edit (spec: JsonObject): void {
    this.#store({ ...this.lease, spec: { ...this.spec, ...spec } })
  }

  remove (): void {
    this.lease = undefined
  }

  /** Requests of one client, each of which fares as `passage` says when it sets out. */
  requests (passage: () => Passage = () => ({ there: 1, back: 1 })): SendRequest {
    return async (_path, { method = 'GET', body = '', signal } = {}) => await new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => { reject(signal.reason as Error) })
      const { there, back } = passage()
      if (there === Infinity) return
      this.#clock.setTimeout(there, () => {
        const answer = this.#answer(method, body)
        if (back !== Infinity) this.#clock.setTimeout(back, () => { resolve(answer) })
      })
    })
  }

  #answer (method: string, body: string): ApiResponse {
    if (method === 'GET') return this.lease === undefined ? response(404) : response(200, this.lease)
    const object = JSON.parse(body) as JsonObject // as the election writes it
    if (method === 'POST') return this.lease === undefined ? this.#accept(object, 201) : response(409)
    if (this.lease === undefined) return response(404)
    return versionOf(object) === versionOf(this.lease) ? this.#accept(object, 200) : response(409)
  }

  #accept (object: JsonObject, code: number): ApiResponse {
    this.written.push(ownObject(object, 'spec'))
    return response(code, this.#store(object))
  }

  #store (object: JsonObject): JsonObject {
    this.lease = { ...object, metadata: { ...ownObject(object, 'metadata'), resourceVersion: String(++this.#version) } }
    return this.lease
  }
}

function versionOf (object: JsonObject): string {
  return ownString(ownObject(object, 'metadata'), 'resourceVersion')
}

/** The part of a response that the election reads. */
function response (statusCode: number, object: JsonObject = {}): ApiResponse {
  const body = JSON.stringify(object)
  return {
    statusCode,
    headers: {},
    body: { json: async () => JSON.parse(body) as unknown, text: async () => body }
  } as unknown as ApiResponse
}
