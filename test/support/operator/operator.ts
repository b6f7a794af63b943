import { setTimeout as delay } from 'node:timers/promises'
import { createInterface } from 'node:readline'
import { API_VERSION } from '../../../src/api/meta.ts'
import type { SendRequest } from '../../../src/kube/client/api-connection.ts'
import { own, ownObject, ownObjects, ownString, sameJson, type JsonObject } from '../../../src/platform/json.ts'
import { mergeSpecs, wantedRoute, type WantedRoute } from './routes.ts'

// A stand-in for the operator that runs models, beside which the product is tested. It has no InferenceService and no
// gateway: a model is ready at once, and a stored HTTPRoute is accepted. It plays the garbage collector for its routes.

/** A write that the API server refused for what it says. */
interface RefusedWrite { readonly path: string, readonly code: number, readonly message: string }

export interface Operator {
  /** Writes of the operator that were refused so far. */
  readonly refused: readonly RefusedWrite[]
  /** Resolves once the services known now are reconciled. */
  settled: () => Promise<void>
  stop: () => Promise<void>
}

/**
 * Lists and watches services, and reconciles each one at every change, also of its status. It reads configurations and
 * writes routes only where more than the status changed.
 */
export function startOperator ({ request }: { readonly request: SendRequest }): Operator {
  const api = `/apis/${API_VERSION}`
  const stopping = new AbortController()
  const refused: RefusedWrite[] = []
  const queue = new Set<string>()
  const known = new Map<string, JsonObject>()
  const routed = new Map<string, { readonly cause: string, readonly observed: Observed }>()
  const workers: Array<Promise<void>> = []

  const send = async (method: 'GET' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<Answered> => {
    const { statusCode: code, body: answer } = await request(path, {
      method,
      query: QUERIES[method] ?? {},
      headers: { 'content-type': method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    const object = await answer.json() as JsonObject // the API server answers with objects
    if (code > 299 && !ANSWERS.includes(code)) refused.push({ path, code, message: ownString(object, 'message') })
    return { code, object }
  }
  const specOf = async (path: string): Promise<JsonObject | undefined> => {
    const { code, object } = await send('GET', path)
    return code === 200 ? ownObject(object, 'spec') : undefined
  }
  const observe = async (service: JsonObject): Promise<Observed> => {
    const { namespace } = ownObject(service, 'metadata')
    const name = ownString(ownObject(service, 'spec'), 'runtimeConfigName') || 'default'
    const [below, above] = await Promise.all([
      specOf(`${api}/aimclusterruntimeconfigs/${name}`),
      specOf(`${api}/namespaces/${String(namespace)}/aimruntimeconfigs/${name}`)
    ])
    const found = below !== undefined || above !== undefined
    return {
      route: wantedRoute(service, mergeSpecs(below ?? {}, above ?? {})),
      config: found ? { kind: 'AIMRuntimeConfig', name, namespace, scope: 'Merged' } : undefined,
      isMissing: !found && name !== 'default'
    }
  }
  const route = async (key: string, service: JsonObject): Promise<Observed> => {
    const { uid, labels, annotations } = ownObject(service, 'metadata')
    const cause = JSON.stringify([uid, labels, annotations, service['spec']])
    const before = routed.get(key)
    if (before?.cause === cause) return before.observed
    const observed = await observe(service)
    if (observed.route.kind === 'route') await send('PATCH', routeOf(key), httpRouteOf(service, observed.route))
    else await send('DELETE', routeOf(key))
    routed.set(key, { cause, observed })
    return observed
  }
  const reconcile = async (key: string): Promise<void> => {
    const service = known.get(key)
    if (service === undefined) {
      routed.delete(key)
      await send('DELETE', routeOf(key))
      return
    }
    const status = statusOf(service, await route(key, service))
    if (sameJson(status, service['status'])) return // the API server would store nothing
    // a conflict is one with a newer version, whose event follows
    await send('PUT', `${api}/namespaces/${key.replace('/', '/aimservices/')}/status`, { ...service, status })
  }
  const work = async (): Promise<void> => {
    for (const key of queue) {
      queue.delete(key)
      await reconcile(key).catch(async () => {
        if (stopping.signal.aborted) return
        queue.add(key) // the API server did not respond
        await delay(RETRY_MS)
      })
      if (stopping.signal.aborted) return
    }
  }
  const take = (key: string, service?: JsonObject): void => {
    if (service === undefined) known.delete(key)
    else known.set(key, service)
    queue.add(key)
    if (workers.length === 0) workers.push(work().finally(() => { workers.length = 0 }))
  }
  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        const { object: list } = await send('GET', `${api}/aimservices`)
        const items = ownObjects(list, 'items').map((item) => [keyOf(item), { ...TYPE, ...item }] as const)
        const gone = new Set(known.keys()).difference(new Map(items))
        for (const key of gone) take(key)
        for (const [key, item] of items) take(key, item)
        const resourceVersion = ownString(ownObject(list, 'metadata'), 'resourceVersion')
        const query = { watch: '1', resourceVersion }
        const { body } = await request(`${api}/aimservices`, { query, signal: stopping.signal })
        for await (const line of createInterface(body)) {
          const event = JSON.parse(line) as JsonObject // as the API server writes it
          if (event['type'] === 'ERROR') break
          const service = ownObject(event, 'object')
          take(keyOf(service), event['type'] === 'DELETED' ? undefined : service)
        }
      } catch {}
      await delay(RETRY_MS)
    }
  }
  const watching = watch()
  return {
    refused,
    settled: async () => { while (workers.length > 0) await workers[0] },
    stop: async () => {
      stopping.abort()
      await watching
      await Promise.all(workers)
    }
  }
}

const MANAGER = 'aim-operator'
const QUERIES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  PUT: { fieldManager: MANAGER }, PATCH: { fieldManager: MANAGER, force: 'true' }
}
const RETRY_MS = 100
/** Not found, a conflict of versions, and a server that is busy, as while a definition changes. */
export const ANSWERS = [404, 409, 429]

interface Answered { readonly code: number, readonly object: JsonObject }

const TYPE = { apiVersion: API_VERSION, kind: 'AIMService' } // which the items of a list can lack

function routeOf (key: string): string {
  return `/apis/gateway.networking.k8s.io/v1/namespaces/${key.replace('/', '/httproutes/')}`
}

function keyOf (object: JsonObject): string {
  const metadata = ownObject(object, 'metadata')
  return `${ownString(metadata, 'namespace')}/${ownString(metadata, 'name')}`
}

function httpRouteOf (service: JsonObject, { path, gateway }: WantedRoute & { readonly kind: 'route' }): JsonObject {
  const { name, namespace, uid } = ownObject(service, 'metadata')
  const { apiVersion, kind } = service
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: {
      name,
      namespace,
      annotations: ownObject(ownObject(ownObject(service, 'spec'), 'routing'), 'annotations'),
      ownerReferences: [{ apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }]
    },
    spec: {
      parentRefs: [gateway],
      rules: [{
        matches: [{ path: { type: 'PathPrefix', value: path } }],
        backendRefs: [{ name: `${String(name)}-predictor`, port: 80 }]
      }]
    }
  }
}

interface Observed {
  readonly route: WantedRoute
  readonly config: JsonObject | undefined
  /** Whether the service names a configuration that does not exist; a missing implicit one is no error. */
  readonly isMissing: boolean
}

/** The whole status as the operator's types have it: fields that it does not know are lost, conditions are not. */
function statusOf (service: JsonObject, { route, config, isMissing }: Observed): JsonObject {
  const generation = own(ownObject(service, 'metadata'), 'generation')
  const health = isMissing ? HEALTH.failed : HEALTH[routeState(route)]
  const conditions = Object.entries(health.conditions).map(([type, [status, reason]]) =>
    ({ type, status, reason, message: MESSAGES[reason] ?? '', observedGeneration: generation }))
  return {
    status: health.status,
    observedGeneration: generation,
    ...(config !== undefined && { resolvedRuntimeConfig: config }),
    ...(route.kind === 'route' && { routing: { path: route.path } }),
    conditions: mergeConditions(ownObjects(ownObject(service, 'status'), 'conditions'), conditions)
  }
}

/** With routing in the configuration alone the operator waits forever, although the route exists. */
function routeState (route: WantedRoute): 'routed' | 'unrouted' | 'waiting' {
  if (route.kind === 'route') return route.isOwn ? 'routed' : 'waiting'
  return route.reason === 'RoutingDisabled' ? 'unrouted' : 'waiting'
}

const RUNNING = {
  Resolved: ['True', 'Resolved'],
  CacheReady: ['True', 'CacheNotRequested'],
  RuntimeReady: ['True', 'RuntimeReady'],
  RoutingReady: ['True', 'RouteReady'],
  Ready: ['True', 'AllReady'],
  Progressing: ['False', 'AllReady'],
  Failure: ['False', 'NoFailure']
} as const

const HEALTH: Readonly<Record<'routed' | 'unrouted' | 'waiting' | 'failed', Health>> = {
  routed: { status: 'Running', conditions: RUNNING },
  unrouted: { status: 'Running', conditions: { ...RUNNING, RoutingReady: ['False', 'RoutingNotRequested'] } },
  waiting: {
    status: 'Starting',
    conditions: {
      ...RUNNING,
      RoutingReady: ['False', 'WaitingForRoute'],
      Ready: ['False', 'WaitingForRoute'],
      Progressing: ['True', 'WaitingForRoute']
    }
  },
  failed: {
    status: 'Failed',
    conditions: {
      ...RUNNING,
      Resolved: ['False', 'RuntimeConfigNotFound'],
      RuntimeReady: ['False', 'RuntimeConfigNotFound'],
      RoutingReady: ['False', 'RuntimeConfigNotFound'],
      Ready: ['False', 'RuntimeConfigNotFound'],
      Failure: ['True', 'RuntimeConfigNotFound']
    }
  }
}

interface Health {
  readonly status: string
  readonly conditions: Readonly<Record<string, readonly ['True' | 'False', string]>>
}

const MESSAGES: Readonly<Record<string, string>> = { WaitingForRoute: 'Waiting for HTTPRoute to be created' }

/** Conditions of other types stay; a time changes with its status alone. Source: apimachinery, SetStatusCondition. */
function mergeConditions (before: readonly JsonObject[], wanted: readonly JsonObject[]): JsonObject[] {
  const now = `${new Date().toISOString().slice(0, 19)}Z`
  const dated = wanted.map((condition) => {
    const old = before.find(({ type }) => type === condition['type'])
    const isSame = old !== undefined && old['status'] === condition['status']
    return { ...condition, lastTransitionTime: isSame ? old['lastTransitionTime'] : now }
  })
  const kept = before.map((old) => dated.find(({ type }: JsonObject) => type === old['type']) ?? old)
  return [...kept, ...dated.filter(({ type }: JsonObject) => !before.some((old) => old['type'] === type))]
}
