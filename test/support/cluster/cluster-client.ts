import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { JSONPath } from 'jsonpath-plus'
import { Agent, request } from 'undici'
import type { SendRequest } from '../../../src/kube/client/api-connection.ts'
import { parseObject } from '../../../src/kube/client/responses.ts'
import { API_VERSION } from '../../../src/api/meta.ts'
import { isJsonObject, ownObject, ownString, sameJson, type JsonObject } from '../../../src/platform/json.ts'

/** Reads and changes a cluster as its administrator, without the 0.1 s of CPU time that each kubectl takes. */
export interface ClusterClient {
  readonly request: SendRequest
  /** Whether the API server is ready. */
  isReady: () => Promise<boolean>
  /** The object or list under a path of the API; undefined if it does not exist. */
  stored: <T>(path: string) => Promise<T | undefined>
  /** The values that a JSONPath of kubectl selects in it, separated by spaces; empty if there is no object. */
  values: (path: string, jsonPath: string) => Promise<string>
  /** The response to the create of an object that is not stored; `object` is empty unless it is JSON. */
  dryRun: (collection: string, manifest: string) => Promise<{ readonly code: number, readonly object: JsonObject }>
  /** Creates an object in a collection unless it exists; rejects if the API server refuses it. */
  create: (collection: string, object: object) => Promise<void>
  /** `kubectl apply` of JSON manifests, in order; rejects if the API server refuses one. */
  apply: (...manifests: readonly string[]) => Promise<void>
  /** Patches an object: a list is a JSON patch, an object a merge patch; rejects if the API server refuses it. */
  patch: (path: string, patch: object) => Promise<void>
  /** Deletes an object; rejects if the API server refuses it, or if it does not exist. */
  remove: (path: string) => Promise<void>
  close: () => Promise<void>
}

export const CLUSTER_CONFIGS = `/apis/${API_VERSION}/aimclusterruntimeconfigs`

/** The collections of the product's kinds in a namespace. */
export const inNamespace = (namespace: string) => ({
  services: `/apis/${API_VERSION}/namespaces/${namespace}/aimservices`,
  configs: `/apis/${API_VERSION}/namespaces/${namespace}/aimruntimeconfigs`
})

/** How long an API server may be unavailable, in milliseconds. */
const PATIENCE_MS = 10_000

/** The files that the kubeconfig names need not exist before the first request. */
export function clusterClient (kubeconfig: string, connections = 6): ClusterClient {
  let connected: { readonly server: string, readonly token: string, readonly dispatcher: Agent } | undefined
  const connect = () => {
    const { server, ca, token } = accessOf(kubeconfig)
    return { server, token, dispatcher: new Agent({ connections, allowH2: false, connect: { ca } }) }
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
      // the API server may not have written its whole certificate yet
      if (connected === access) connected = undefined
      dispatcher.close().catch(() => {})
      throw error
    }
  }
  /** The status code and the text of a response. */
  const exchange = async (...sent: Parameters<SendRequest>): Promise<{ statusCode: number, answer: string }> => {
    const { statusCode, body } = await send(...sent)
    return { statusCode, answer: await body.text() }
  }
  /** Rejects with a ChangeError if the API server refuses the change. */
  const change = async (method: 'POST' | 'PATCH' | 'DELETE', path: string, object?: object): Promise<void> => {
    const patchType = Array.isArray(object) ? 'json-patch+json' : 'merge-patch+json'
    const type = method === 'PATCH' ? patchType : 'json'
    const { statusCode, answer } = await exchange(path, {
      method,
      query: method === 'DELETE' ? {} : { fieldManager: MANAGER },
      headers: { 'content-type': `application/${type}` },
      ...(object !== undefined && { body: JSON.stringify(object) })
    })
    if (statusCode > 299) throw new ChangeError(`${method} ${path}: ${answer}`, statusCode)
  }
  const stored = async <T>(path: string): Promise<T | undefined> => {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const { statusCode, answer } = await exchange(path).catch((error: unknown) => ({
        statusCode: 0,
        answer: String(error)
      }))
      if (statusCode === 200) return JSON.parse(answer) as T // as the API server sends it
      if (statusCode === 404) return undefined
      const isTransient = statusCode === 0 || statusCode === 429 || statusCode >= 500
      if (!isTransient || performance.now() > deadline) throw new Error(`${path}: ${answer}`)
      await delay(100)
    }
  }
  const applyOne = async (manifest: string): Promise<void> => {
    const object = JSON.parse(manifest) as JsonObject // of a test
    const collection = collectionOf(object)
    const path = `${collection}/${ownString(ownObject(object, 'metadata'), 'name')}`
    const live = await stored<JsonObject>(path)
    const wanted = withAnnotation(object, JSON.stringify(object))
    if (live === undefined) {
      await change('POST', collection, wanted)
      return
    }
    const last = ownString(ownObject(ownObject(live, 'metadata'), 'annotations'), LAST_APPLIED)
    const patch = mergePatch(last === '' ? {} : JSON.parse(last) as JsonObject, wanted)
    if (!hasAll(live, patch)) await change('PATCH', path, patch)
  }
  return {
    request: send,
    stored,
    isReady: async () => {
      // before it listens there is no certificate to trust
      const probe = exchange('/readyz', { signal: AbortSignal.timeout(2_000) })
      return await probe.then(({ statusCode }) => statusCode === 200, () => false)
    },
    values: async (path, jsonPath) => {
      const json = await stored<object>(path)
      // of a whole document, all matches
      const found = json === undefined ? [] : (JSONPath({ path: `$${jsonPath}`, json, eval: 'safe' }) as unknown[])
      return found.map((value) => typeof value === 'string' ? value : JSON.stringify(value)).join(' ')
    },
    dryRun: async (collection, body) => {
      const headers = { 'content-type': 'application/json' }
      const query = { dryRun: 'All' }
      const { statusCode, answer } = await exchange(collection, { method: 'POST', query, headers, body })
      return { code: statusCode, object: parseObject(answer) }
    },
    create: async (collection, object) => {
      await change('POST', collection, object).catch((error: unknown) => {
        if (!(error instanceof ChangeError && error.statusCode === 409)) throw error
      })
    },
    apply: async (...manifests) => { for (const manifest of manifests) await applyOne(manifest) },
    patch: async (path, patch) => { await change('PATCH', path, patch) },
    remove: async (path) => { await change('DELETE', path) },
    close: async () => { await connected?.dispatcher.destroy() }
  }
}

class ChangeError extends Error {
  readonly statusCode: number

  constructor (message: string, statusCode: number) {
    super(message)
    this.statusCode = statusCode
  }
}

const MANAGER = 'kubectl-client-side-apply'
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/** The collection of an object; an object without a namespace is one of the cluster. */
function collectionOf ({ apiVersion, kind, metadata }: JsonObject): string {
  const group = String(apiVersion).includes('/') ? `/apis/${String(apiVersion)}` : `/api/${String(apiVersion)}`
  const singular = String(kind).toLowerCase()
  const plural = singular.replace(/y$/, 'ie').replace(/ss$/, 'sse') + 's'
  const { namespace } = metadata as { namespace?: string }
  return `${group}/${namespace === undefined ? '' : `namespaces/${namespace}/`}${plural}`
}

function withAnnotation (object: JsonObject, lastApplied: string): JsonObject {
  const metadata = ownObject(object, 'metadata')
  const annotations = { ...ownObject(metadata, 'annotations'), [LAST_APPLIED]: lastApplied }
  return { ...object, metadata: { ...metadata, annotations } }
}

/** What is wanted, and null for each field that was applied last and is not wanted any more. Source: RFC 7396. */
export function mergePatch (last: JsonObject, wanted: JsonObject): JsonObject {
  const removed = Object.keys(last).filter((key) => !Object.hasOwn(wanted, key)).map((key) => [key, null])
  const changed = Object.entries(wanted).map(([key, value]) =>
    [key, isJsonObject(value) ? mergePatch(ownObject(last, key), value) : value])
  return Object.fromEntries([...removed, ...changed]) as JsonObject
}

/** Whether a merge patch changes nothing. */
export function hasAll (live: JsonObject, patch: JsonObject): boolean {
  return Object.entries(patch).every(([key, value]) => {
    const present = live[key]
    if (value === null) return present === undefined
    return isJsonObject(value) && isJsonObject(present) ? hasAll(present, value) : sameJson(value, present)
  })
}

interface Kubeconfig {
  readonly clusters: readonly [{
    readonly cluster: { readonly server: string, readonly 'certificate-authority': string }
  }]
  readonly users: readonly [{ readonly user: { readonly token: string } }]
}

/** The address and the credentials in the kubeconfig of a test cluster. */
export function accessOf (kubeconfig: string): Record<'server' | 'ca' | 'token', string> {
  const { clusters, users } = JSON.parse(readFileSync(kubeconfig, 'utf8')) as Kubeconfig // the test cluster writes JSON
  const [{ cluster }] = clusters
  return {
    server: cluster.server,
    ca: readFileSync(cluster['certificate-authority'], 'utf8'),
    token: users[0].user.token
  }
}
