import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { text } from 'node:stream/consumers'
import { connect, type TLSSocket } from 'node:tls'

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Parsed JSON, or text if it is not JSON. */
  readonly body: unknown
  /** Number of the connection, counted from 1. */
  readonly connection: number
}

const JSON_HEADERS = { 'content-type': 'application/json' }

interface Call {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** Calls webhooks as an API server does: over TLS, on one connection that it keeps open. */
export class ApiServerClient {
  readonly #url: URL
  readonly #ca: string
  readonly #agent: Agent
  readonly #connections: unknown[] = []

  constructor (url: string, ca: string) {
    this.#url = new URL(url)
    this.#ca = ca
    this.#agent = new Agent({ ca, keepAlive: true, maxSockets: 1 })
  }

  /** Posts a review by default. */
  async call (
    { method = 'POST', path = '/mutate/aimservices', headers = JSON_HEADERS, body }: Call = {}
  ): Promise<Reply> {
    const call = request(new URL(path, this.#url), { method, headers, agent: this.#agent })
    call.end(body)
    const [response] = await once(call, 'response') as [IncomingMessage] // node:http
    if (!this.#connections.includes(call.socket)) this.#connections.push(call.socket)
    const answer = await text(response)
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: asJson(answer),
      connection: this.#connections.indexOf(call.socket) + 1
    }
  }

  async post (body: string | Uint8Array, path = '/mutate/aimservices'): Promise<Reply> {
    return await this.call({ path, body })
  }

  /** A raw TLS connection. */
  async connect (): Promise<TLSSocket> {
    const socket = connect({ host: this.#url.hostname, port: Number(this.#url.port), ca: this.#ca })
    socket.on('error', () => {}) // a reset may follow the end of a test
    await once(socket, 'secureConnect')
    return socket
  }

  close (): void {
    this.#agent.destroy()
  }
}

/** All bytes until the end of a connection. */
export async function untilClosed (socket: TLSSocket): Promise<string> {
  return await text(socket)
}

function asJson (answer: string): unknown {
  try {
    return JSON.parse(answer)
  } catch {
    return answer
  }
}
