import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { JSONPath } from 'jsonpath-plus'
import { Agent, request } from 'undici'
import type { SendRequest } from '../../../src/kube/client/api-connection.ts'

/**
 * Looks at a cluster and changes it as its administrator, through a few connections: a kubectl for each look would keep
 * the machine busy.
 */
export interface ClusterClient {
  readonly request: SendRequest
  /** What is stored under a path of the API; undefined where nothing is. */
  stored: <T>(path: string) => Promise<T | undefined>
  /** What kubectl's JSONPath yields of it, each value as a word; empty where nothing is stored. */
  values: (path: string, jsonPath: string) => Promise<string>
  /** Creates an object in a collection, where it is not there yet; rejects where that is refused. */
  create: (collection: string, object: object) => Promise<void>
  close: () => Promise<void>
}

/** How long an API server may be busy, or on its way back, in milliseconds. */
const PATIENCE_MS = 10_000

/** The files that the kubeconfig names need not be there before the first request. */
export function clusterClient (kubeconfig: string): ClusterClient {
  let connected: { readonly server: string, readonly token: string, readonly dispatcher: Agent } | undefined
  const connect = () => {
    const { server, ca, token } = accessOf(kubeconfig)
    return { server, token, dispatcher: new Agent({ connections: 6, allowH2: false, connect: { ca } }) }
  }
  const send: SendRequest = async (path, { query = {}, headers, body, ...options } = {}) => {
    const access = connected ??= connect()
    const { server, token, dispatcher } = access
    const url = new URL(server + path)
    url.search = new URLSearchParams(query).toString()
    try {
      return await request(url, {
        ...options,
        body: body ?? null,
        headers: { authorization: `Bearer ${token}`, ...headers },
        dispatcher
      })
    } catch (error) {
      // the API server's certificate may have been read while it was being written
      if (connected === access) connected = undefined
      dispatcher.close().catch(() => {})
      throw error
    }
  }
  const look = async (path: string): Promise<{ readonly statusCode: number, readonly answer: string }> => {
    const { statusCode, body } = await send(path)
    return { statusCode, answer: await body.text() }
  }
  const stored = async <T>(path: string): Promise<T | undefined> => {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const { statusCode, answer } = await look(path).catch((error: unknown) => ({
        statusCode: 0,
        answer: String(error)
      }))
      if (statusCode === 200) return JSON.parse(answer) as T // as the API server has it
      if (statusCode === 404) return undefined
      const mayPass = statusCode === 0 || statusCode === 429 || statusCode >= 500
      if (!mayPass || performance.now() > deadline) throw new Error(`${path}: ${answer}`)
      await delay(100)
    }
  }
  return {
    request: send,
    stored,
    values: async (path, jsonPath) => {
      const json = await stored<object>(path)
      // of a whole document, all matches
      const found = json === undefined ? [] : (JSONPath({ path: `$${jsonPath}`, json, eval: 'safe' }) as unknown[])
      return found.map((value) => typeof value === 'string' ? value : JSON.stringify(value)).join(' ')
    },
    create: async (collection, object) => {
      const { statusCode, body } = await send(collection, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(object)
      })
      const answer = await body.text()
      if (statusCode !== 201 && statusCode !== 409) throw new Error(`${collection}: ${answer}`)
    },
    close: async () => { await connected?.dispatcher.destroy() }
  }
}

/** How to reach a test cluster without a client of Kubernetes. */
export function accessOf (kubeconfig: string): { server: string, ca: string, token: string } {
  const { clusters, users } = JSON.parse(readFileSync(kubeconfig, 'utf8')) as // as the test cluster writes it
    { clusters: [{ cluster: { server: string, 'certificate-authority': string } }], users: [{ user: { token: string } }] }
  const [{ cluster }] = clusters
  return {
    server: cluster.server,
    ca: readFileSync(cluster['certificate-authority'], 'utf8'),
    token: users[0].user.token
  }
}
