import type { AgentOptions, RequestOptions } from 'node:https'
import type { Readable } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import type { KubeConfig } from '@kubernetes/client-node'
import { Agent, ProxyAgent, request, type Dispatcher } from 'undici'
import type { Log } from '../../core/ports.ts'
import { errorMessage } from '../../platform/error-message.ts'
import { loadKubeConfig, type KubeConfigChoice } from './kube-config.ts'
import { heldBack, lastLook } from '../lease/fencing.ts'

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Gives the request up, its response's body included. */
  readonly signal?: AbortSignal
  /**
   * Asked in the very moments in which the request and its last byte leave, however long it waited; where the answer is
   * no, it is rejected.
   */
  readonly mayLeave?: () => boolean
  /** Goes over a connection that is kept for such requests, so that it never waits for others. */
  readonly reserved?: boolean
}

/**
 * Of any status. The body is a stream that the caller reads to its end or destroys: until then it holds a connection.
 */
export type ApiResponse = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'>

/**
 * Sends one request to the API server: `path` starts with a slash and has no query. Rejects only where no answer came.
 */
export type SendRequest = (path: string, options?: ApiRequest) => Promise<ApiResponse>

export interface ApiConnection {
  readonly request: SendRequest
  /** Ends every connection at once; what is on its way is rejected. */
  close (): Promise<void>
}

/**
 * Connects to the cluster of a kubeconfig file or, without one, to the cluster that this pod runs in. Rejects with a
 * one-line error where neither can be used; the API server itself need not answer yet.
 */
export async function connectToCluster (options: ConnectionOptions): Promise<ApiConnection> {
  const connection = new ClusterConnection(options)
  await connection.open()
  return connection
}

export interface ConnectionOptions {
  readonly kubeconfig?: KubeConfigChoice['file']
  readonly context?: KubeConfigChoice['context']
  readonly log: Log
  /** Of each request that left: its method, and the status of its answer or `<error>`. */
  readonly onRequest?: (method: string, code: string) => void
}

/** What a request needs besides itself; read anew for each, since files and tokens are rotated. */
interface Access {
  readonly server: string
  readonly headers: Readonly<Record<string, string>>
  /** What the connections are made from. */
  readonly transport: ReturnType<KubeConfig['createDispatcherOptions']>
  /** Kept for as long as the transport stays the same. */
  readonly connections: Connections
}

interface Connections { readonly shared: Dispatcher, readonly reserved: Dispatcher }

class ClusterConnection implements ApiConnection {
  readonly #choice: KubeConfigChoice
  readonly #log: Log
  readonly #onRequest: NonNullable<ConnectionOptions['onRequest']>
  #loaded: Awaited<ReturnType<typeof loadKubeConfig>> | undefined
  #access: Access | undefined
  #reading: Promise<Access> | undefined
  #unreadable = false

  constructor ({ kubeconfig, context, log, onRequest = () => undefined }: ConnectionOptions) {
    this.#choice = { file: kubeconfig, context }
    this.#log = log
    this.#onRequest = onRequest
  }

  async open (): Promise<void> {
    try {
      await this.#currentAccess()
    } catch (error) {
      throw new Error(`cannot connect to a cluster: ${errorMessage(error).trim().replaceAll('\n', '; ')}`, {
        cause: error
      })
    }
  }

  readonly request: SendRequest = async (path, options = {}) => {
    options.signal?.throwIfAborted()
    return unlessAborted(this.#send(path, options), options.signal)
  }

  async close (): Promise<void> {
    const { shared, reserved } = this.#access?.connections ?? {}
    await Promise.all([shared?.destroy(), reserved?.destroy()])
  }

  async #send (path: string, { query, headers, body, mayLeave, reserved = false, ...options }: ApiRequest): Promise<ApiResponse> {
    const { server, headers: credentials, connections } = await this.#currentAccess()
    const dispatcher = reserved ? connections.reserved : connections.shared
    const url = new URL(server + path)
    url.search = new URLSearchParams(query).toString()
    const bytes = Buffer.from(body ?? '')
    const length = body !== undefined && { 'content-length': String(bytes.length) }
    const sent = request(url, {
      ...options,
      // undici takes whatever can be iterated
      body:
        body === undefined ? null : mayLeave === undefined ? bytes : (heldBack(bytes, mayLeave) as unknown as Readable),
      headers: { accept: 'application/json', 'user-agent': 'aim-admission', ...length, ...headers, ...credentials },
      dispatcher: mayLeave === undefined ? dispatcher : dispatcher.compose(lastLook(mayLeave))
    })
    const { method = 'GET' } = options
    sent.then(
      ({ statusCode }) => { this.#onRequest(method, String(statusCode)) },
      () => { this.#onRequest(method, '<error>') }
    )
    const response = await sent
    // a credential that is no longer accepted may have been replaced in the file, or by a new run of its exec plugin
    if (response.statusCode === 401) this.#loaded = undefined
    return response
  }

  /** The present access, or the last good one while a file of it cannot be read. */
  async #currentAccess (): Promise<Access> {
    try {
      this.#reading ??= this.#readAccess().finally(() => { this.#reading = undefined })
      this.#access = await this.#reading
      this.#unreadable = false
    } catch (error) {
      if (this.#access === undefined) throw error
      if (!this.#unreadable) {
        this.#log.warn(
          { reason: errorMessage(error) },
          'credentials for the API server cannot be read, the last good ones stay in use'
        )
      }
      this.#unreadable = true
    }
    return this.#access
  }

  async #readAccess (): Promise<Access> {
    const { config, cluster } = this.#loaded ??= await loadKubeConfig(this.#choice)
    const options: RequestOptions = {}
    await config.applyToHTTPSOptions(options)
    // of an agent's options, only those of TLS are read, which both types share
    const transport = config.createDispatcherOptions(cluster, options as AgentOptions)
    return {
      server: cluster.server,
      headers: headersOf(options),
      transport,
      connections: this.#connectionsFor(transport)
    }
  }

  #connectionsFor (transport: Access['transport']): Connections {
    const kept = this.#access
    if (kept !== undefined && isDeepStrictEqual(kept.transport, transport)) return kept.connections
    // these end with the requests that they carry; they can only fail by being closed already
    for (const dispatcher of Object.values(kept?.connections ?? {}) as Dispatcher[]) dispatcher.close().catch(() => {})
    return { shared: dispatcherOver(transport, SHARED_CONNECTIONS), reserved: dispatcherOver(transport, 1) }
  }
}

/** At once, watches included: enough for three watches and two requests beside them. With the reserved one, six. */
const SHARED_CONNECTIONS = 5

const LIMITS = {
  /** HTTP/1.1: a watch that hangs then holds up nothing but itself. */
  allowH2: false,
  /** In ms. */
  connectTimeout: 5_000,
  /** In ms; below the 90 s after which the API server closes an idle connection itself. */
  keepAliveTimeout: 30_000,
  /** In ms; the API server's own limit for a request that is no watch. */
  headersTimeout: 60_000,
  bodyTimeout: 60_000
}

function dispatcherOver (transport: Access['transport'], connections: number): Dispatcher {
  const limits = { ...LIMITS, connections }
  switch (transport.type) {
    case 'agent': return new Agent({ ...limits, connect: transport.connect as TlsOptions })
    case 'none': return new Agent(limits)
    case 'proxy':
    case 'socks':
      return new ProxyAgent({ ...limits, uri: transport.uri, requestTls: transport.requestTls as TlsOptions })
  }
}

/** undici's own type of what client-node, made for it, writes in Node's. */
type TlsOptions = NonNullable<ProxyAgent.Options['requestTls']>

/** The headers that client-node puts credentials in. A token read from a file may end with a newline. */
function headersOf ({ headers = {}, auth }: RequestOptions): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name, String(value).trim()])
  if (typeof auth === 'string') entries.push(['Authorization', `Basic ${Buffer.from(auth).toString('base64')}`])
  return Object.fromEntries(entries) as Record<string, string> // pairs of strings, just above
}

/**
 * Rejects as soon as the signal fires: a credential plugin may hang, and undici waits until a request that is aborted
 * early has got a connection.
 */
async function unlessAborted<T> (work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = () => { reject(signal?.reason) }
  signal?.addEventListener('abort', onAbort)
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}
