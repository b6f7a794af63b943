import type { AgentOptions, RequestOptions } from 'node:https'
import type { Readable } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import type { KubeConfig } from '@kubernetes/client-node'
import { Agent, ProxyAgent, request, type Dispatcher } from 'undici'
import type { Log } from '../../core/ports.ts'
import { systemClock, type Clock } from '../../platform/clock.ts'
import { errorMessage } from '../../platform/error-message.ts'
import { fencedBody, fencedDispatch, type Fencing } from './fencing.ts'
import { loadKubeConfig, type KubeConfigChoice, type LoadedKubeConfig } from './kube-config.ts'

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Aborts the request, and the reading of its response body. */
  readonly signal?: AbortSignal
  /** Aborts the request if its response body is not complete in time. Not to be combined with `signal`. */
  readonly timeoutMs?: number
  /** Checked right before the first byte is sent, and before the last byte of a body; false rejects the request. */
  readonly fencing?: Fencing
  /** Uses a connection kept for such requests, which never wait for others. */
  readonly reserved?: boolean
}

/** Of any status. The caller reads the body to its end or destroys it: until then it occupies a connection. */
export type ApiResponse = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'>

/** Sends one request. `path` starts with a slash and has no query. Rejects only if there is no response. */
export type SendRequest = (path: string, options?: ApiRequest) => Promise<ApiResponse>

export interface ApiConnection {
  readonly request: SendRequest
  /** The namespace of the kubeconfig's context, or `default`; undefined in a pod. */
  readonly contextNamespace: string | undefined
  /** Closes every connection at once; in-flight requests are rejected. */
  close (): Promise<void>
}

export interface ConnectionOptions {
  readonly kubeconfig?: KubeConfigChoice['file']
  readonly context?: KubeConfigChoice['context']
  /** How many requests may be in flight beside the watches; 2 by default. */
  readonly inFlight?: number | undefined
  /** How long credentials are used before their files are read again, in milliseconds; 1 s by default. */
  readonly reuseMs?: number
  readonly log: Log
  /** Called once per request sent, with its method and the status of its response, or `<error>`. */
  readonly onRequest?: (method: string, code: string) => void
}

/**
 * Connects to the cluster of a kubeconfig file or, without one, of this pod. Rejects with a one-line error if neither
 * is usable; the API server itself may be unreachable.
 */
export async function connectToCluster (options: ConnectionOptions): Promise<ApiConnection> {
  const connection = new ClusterConnection(options)
  try {
    await connection.open()
    return connection
  } catch (error) {
    const reason = errorMessage(error).trim().replaceAll('\n', '; ')
    throw new Error(`cannot connect to a cluster: ${reason}`, { cause: error })
  }
}

/** Implements `timeoutMs` for a client that supports `signal`. */
export function withTimeouts (send: SendRequest, clock: Clock): SendRequest {
  return async (path, { timeoutMs, ...options } = {}) => {
    if (timeoutMs === undefined) return await send(path, options)
    const attempt = new AbortController()
    const cancel = clock.setTimeout(timeoutMs, () => {
      const reason = `the API server did not respond within ${Math.ceil(timeoutMs) / 1_000} s`
      attempt.abort(new DOMException(reason, 'TimeoutError'))
    })
    try {
      const response = await send(path, { ...options, signal: attempt.signal })
      response.body.once('close', cancel)
      return response
    } catch (error) {
      cancel()
      throw error
    }
  }
}

/** What a request needs from the kubeconfig; read again after `reuseMs`, since files and tokens rotate. */
interface Access {
  readonly server: string
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly transport: ReturnType<KubeConfig['createDispatcherOptions']>
  /** Kept while the transport stays the same. */
  readonly connections: Connections
}

interface Connections { readonly shared: Dispatcher, readonly reserved: Dispatcher }

class ClusterConnection implements ApiConnection {
  readonly #options: ConnectionOptions
  #loaded: LoadedKubeConfig | undefined
  #access: Access | undefined
  #readAt = -Infinity
  #reading: Promise<Access> | undefined
  #unreadable = false
  contextNamespace: string | undefined

  constructor (options: ConnectionOptions) { this.#options = options }

  async open (): Promise<void> {
    await this.#currentAccess()
  }

  readonly request: SendRequest = withTimeouts(async (path, options = {}) => {
    options.signal?.throwIfAborted()
    return unlessAborted(this.#send(path, options), options.signal)
  }, systemClock)

  async close (): Promise<void> {
    const { shared, reserved } = this.#access?.connections ?? {}
    await Promise.all([shared?.destroy(), reserved?.destroy()])
  }

  async #send (
    path: string, { query, headers, body, fencing, reserved = false, ...options }: ApiRequest
  ): Promise<ApiResponse> {
    const { server, headers: credentials, connections } = await this.#currentAccess()
    const dispatcher = reserved ? connections.reserved : connections.shared
    const url = new URL(server + path)
    url.search = new URLSearchParams(query).toString()
    const bytes = body === undefined ? null : Buffer.from(body)
    const length = bytes !== null && { 'content-length': String(bytes.length) }
    const sent = request(url, {
      ...options,
      // undici accepts any async iterable
      body: bytes === null || fencing === undefined ? bytes : fencedBody(bytes, fencing) as unknown as Readable,
      headers: { accept: 'application/json', 'user-agent': 'aim-admission', ...length, ...headers, ...credentials },
      dispatcher: fencing === undefined ? dispatcher : dispatcher.compose(fencedDispatch(fencing))
    })
    const count = (code: string): void => { this.#options.onRequest?.(options.method ?? 'GET', code) }
    sent.then(({ statusCode }) => { count(String(statusCode)) }, () => { count('<error>') })
    const response = await sent
    // a rejected credential may have been replaced in the file, or by a new run of its exec plugin
    if (response.statusCode === 401) {
      this.#loaded = undefined
      this.#readAt = -Infinity
    }
    return response
  }

  /** The current access, or the last good one while one of its files is unreadable. */
  async #currentAccess (): Promise<Access> {
    const { reuseMs = 1_000 } = this.#options
    if (this.#access !== undefined && systemClock.now() - this.#readAt < reuseMs) return this.#access
    try {
      this.#reading ??= this.#readAccess().finally(() => { this.#reading = undefined })
      this.#access = await this.#reading
      this.#readAt = systemClock.now()
      this.#unreadable = false
    } catch (error) {
      if (this.#access === undefined) throw error
      if (!this.#unreadable) {
        this.#options.log.warn(
          { reason: errorMessage(error) }, 'failed to read API server credentials, keeping the last ones'
        )
      }
      this.#unreadable = true
    }
    return this.#access
  }

  async #readAccess (): Promise<Access> {
    const { kubeconfig: file, context } = this.#options
    const { config, cluster, namespace, impersonation } = this.#loaded ??= await loadKubeConfig({ file, context })
    if (file !== undefined) this.contextNamespace = namespace
    const options: RequestOptions = {}
    await config.applyToHTTPSOptions(options)
    // only an agent's TLS options are read, which both types share
    const transport = config.createDispatcherOptions(cluster, options as AgentOptions)
    const connections = this.#connectionsFor(transport)
    return { server: cluster.server, headers: { ...headersOf(options), ...impersonation }, transport, connections }
  }

  #connectionsFor (transport: Access['transport']): Connections {
    const kept = this.#access
    if (kept !== undefined && isDeepStrictEqual(kept.transport, transport)) return kept.connections
    // closes them after their in-flight requests; fails only if they are closed already
    for (const dispatcher of Object.values(kept?.connections ?? {}) as Dispatcher[]) dispatcher.close().catch(() => {})
    const { inFlight = 2 } = this.#options
    return { shared: dispatcherOver(transport, WATCHES + inFlight), reserved: dispatcherOver(transport, 1) }
  }
}

/** One for each kind. Like any other request in flight, each has a connection, which is opened when it is needed. */
const WATCHES = 3

/** Times in milliseconds. */
const LIMITS = {
  /** HTTP/1.1, so that a hanging watch blocks only its own connection. */
  allowH2: false,
  connectTimeout: 5_000,
  /** Below the 90 s after which the API server closes an idle connection. */
  keepAliveTimeout: 30_000,
  /** The API server's own limit for a request that is not a watch. */
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
      return new ProxyAgent({
        ...limits,
        uri: transport.uri,
        requestTls: transport.requestTls as TlsOptions,
        // of requests without TLS only
        proxyTunnel: false
      })
  }
}

/** undici's type for the options that client-node declares with Node's. */
type TlsOptions = NonNullable<ProxyAgent.Options['requestTls']>

/** The headers in which client-node puts credentials. A token read from a file may end with a newline. */
function headersOf ({ headers = {}, auth }: RequestOptions): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name, String(value).trim()])
  if (typeof auth === 'string') entries.push(['Authorization', `Basic ${Buffer.from(auth).toString('base64')}`])
  return Object.fromEntries(entries) as Record<string, string> // pairs of strings, see above
}

/** Rejects as soon as the signal fires, even while a credential plugin hangs or undici waits for a connection. */
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
