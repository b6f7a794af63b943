import { KINDS } from '../../../src/api/kinds.ts'
import { API_VERSION } from '../../../src/api/meta.ts'
import { isJsonObject, ownObject, ownString, type JsonObject } from '../../../src/platform/json.ts'
import { accessOf, clusterClient } from '../cluster/cluster-client.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { TestUser } from '../cluster/control-plane.ts'

/** How the API server responded to a write. */
export interface Outcome {
  /** 200 or 201 if it was stored. For `kubectl` 200 or 422. */
  readonly code: number
  /** Why it was refused; empty if it was stored. */
  readonly message: string
  readonly warnings: readonly string[]
  /** The stored object; empty after a refusal and for `kubectl`. */
  readonly object: JsonObject
}

export interface WriteOptions {
  readonly dryRun?: boolean
  readonly fieldManager?: string
  /** The user to impersonate. */
  readonly as?: string
}

/** Which object: any object of one of the three kinds is a reference to itself. */
export interface ObjectRef { readonly kind: string, readonly namespace: string, readonly name: string }

export type Actor = ReturnType<typeof actorOf>

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly type?: string
  readonly accept?: string
  readonly body?: unknown
  readonly options?: WriteOptions & { readonly force?: boolean }
}

/** Connections of one user, so that a flood of one user does not wait in the queue of another. */
const CONNECTIONS = 16

/** A user of the cluster, and each way to write an object as that user. */
export function actorOf (
  { kubectl }: Pick<Cluster, 'kubectl'>, { user, kubeconfig }: { readonly user: TestUser, readonly kubeconfig: string }
) {
  const { token } = accessOf(kubeconfig)
  const { request, close } = clusterClient(kubeconfig, CONNECTIONS)
  const call = async (
    { method, path, type = 'application/json', accept = 'application/json', body, options = {} }: Call
  ): Promise<Outcome> => {
    const { as } = options
    const response = await request(path, {
      method,
      query: queryOf(options),
      ...(body !== undefined && { body: JSON.stringify(body) }),
      headers: { 'content-type': type, accept, ...(as !== undefined && { 'impersonate-user': as }) }
    })
    const text = await response.body.text()
    const stored = response.statusCode < 300
    return {
      code: response.statusCode,
      message: stored ? '' : messageIn(text),
      warnings: warningsIn(response.headers['warning']),
      object: stored ? JSON.parse(text) as JsonObject : {} // as the API server has it
    }
  }
  return {
    user,
    call,
    get: async (ref: ObjectRef): Promise<JsonObject | undefined> => {
      const { code, object } = await call({ method: 'GET', path: pathOf(ref) })
      return code === 200 ? object : undefined
    },
    list: async (kind: string, namespace: string): Promise<readonly JsonObject[]> => {
      const { object } = await call({ method: 'GET', path: collectionOf({ kind, namespace }) })
      return object['items'] as JsonObject[] // as the API server has it
    },
    /** A POST, also of an object with `generateName`. */
    create: async (object: JsonObject, options: WriteOptions = {}): Promise<Outcome> =>
      await call({ method: 'POST', path: collectionOf(refOf(object)), body: object, options }),
    applyServerSide: async (object: JsonObject, options: WriteOptions = {}): Promise<Outcome> =>
      await call({
        method: 'PATCH',
        path: pathOf(refOf(object)),
        type: 'application/apply-patch+yaml',
        body: object,
        options: { fieldManager: user, force: true, ...options }
      }),
    /** `kubectl apply`, by kubectl itself. */
    applyClientSide: async (object: JsonObject, { dryRun = false, as }: WriteOptions = {}): Promise<Outcome> => {
      const flags = [...(dryRun ? ['--dry-run=server'] : []), ...(as === undefined ? [] : ['--as', as])]
      const { code, stderr } = await kubectl(['--token', token, 'apply', ...flags, '-f', '-'], JSON.stringify(object))
      const warnings = stderr.split('\n').filter((line) => line.startsWith('Warning: '))
      return code === 0
        ? { code: 200, message: '', warnings, object: {} }
        : { code: 422, message: stderr, warnings, object: {} }
    },
    mergePatch: async (ref: ObjectRef, patch: JsonObject, options: WriteOptions = {}): Promise<Outcome> =>
      await call({ method: 'PATCH', path: pathOf(ref), type: 'application/merge-patch+json', body: patch, options }),
    jsonPatch: async (ref: ObjectRef, operations: readonly object[], options: WriteOptions = {}): Promise<Outcome> =>
      await call({
        method: 'PATCH', path: pathOf(ref), type: 'application/json-patch+json', body: operations, options
      }),
    /** Replaces the spec and the given metadata of the stored object; again after a conflict with another writer. */
    put: async (object: JsonObject, options: WriteOptions = {}): Promise<Outcome> => {
      const path = pathOf(refOf(object))
      for (let attempt = 0; ; attempt++) {
        const { object: stored } = await call({ method: 'GET', path })
        const metadata = { ...ownObject(stored, 'metadata'), ...ownObject(object, 'metadata') }
        const outcome = await call({ method: 'PUT', path, body: { ...stored, ...object, metadata }, options })
        if (outcome.code !== 409 || attempt === MOST_CONFLICTS) return outcome
      }
    },
    statusPatch: async (ref: ObjectRef, status: JsonObject, options: WriteOptions = {}): Promise<Outcome> =>
      await call({
        method: 'PATCH', path: `${pathOf(ref)}/status`, type: 'application/merge-patch+json', body: { status }, options
      }),
    applyStatus: async (object: JsonObject, options: WriteOptions = {}): Promise<Outcome> =>
      await call({
        method: 'PATCH',
        path: `${pathOf(refOf(object))}/status`,
        type: 'application/apply-patch+yaml',
        body: object,
        options: { fieldManager: user, force: true, ...options }
      }),
    remove: async (ref: ObjectRef, options: WriteOptions = {}): Promise<Outcome> =>
      await call({ method: 'DELETE', path: pathOf(ref), options }),
    /** The response has the metadata alone, as whole objects may be longer than a text. */
    removeAll: async (kind: string, namespace: string): Promise<Outcome> =>
      await call({
        method: 'DELETE',
        path: collectionOf({ kind, namespace }),
        accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'
      }),
    close
  }
}

function queryOf ({ dryRun = false, force = false, fieldManager }: NonNullable<Call['options']>) {
  return {
    ...(dryRun && { dryRun: 'All' }),
    ...(force && { force: 'true' }),
    ...(fieldManager !== undefined && { fieldManager })
  }
}

const MOST_CONFLICTS = 10

export type WriteForm = (actor: Actor, object: JsonObject, options?: WriteOptions) => Promise<Outcome>

/** Each way to create an object. */
export const CREATE_FORMS: Readonly<Record<string, WriteForm>> = {
  POST: async (actor, object, options) => await actor.create(object, options),
  'client-side apply': async (actor, object, options) => await actor.applyClientSide(object, options),
  'server-side apply': async (actor, object, options) => await actor.applyServerSide(object, options)
}

/** Each way to bring a stored object to the spec, labels and annotations of `object`. */
export const CHANGE_FORMS: Readonly<Record<string, WriteForm>> = {
  'client-side apply': async (actor, object, options) => await actor.applyClientSide(object, options),
  'server-side apply': async (actor, object, options) => await actor.applyServerSide(object, options),
  'merge patch': async (actor, object, options) => await actor.mergePatch(refOf(object), changeOf(object), options),
  'JSON patch': async (actor, object, options) => {
    const { spec, metadata } = changeOf(object)
    const operations = Object.entries(metadata).map(([field, value]) =>
      ({ op: 'add', path: `/metadata/${field}`, value }))
    return await actor.jsonPatch(refOf(object), [{ op: 'add', path: '/spec', value: spec }, ...operations], options)
  },
  PUT: async (actor, object, options) => await actor.put(object, options)
}

function changeOf (object: JsonObject): { readonly spec: JsonObject, readonly metadata: JsonObject } {
  const given = ownObject(object, 'metadata')
  const metadata = Object.fromEntries(
    Object.entries(given).filter(([field]) => field === 'labels' || field === 'annotations'))
  return { spec: ownObject(object, 'spec'), metadata }
}

export function refOf (object: JsonObject): ObjectRef {
  const metadata = ownObject(object, 'metadata')
  return {
    kind: ownString(object, 'kind'), namespace: ownString(metadata, 'namespace'), name: ownString(metadata, 'name')
  }
}

export function isStored ({ code }: Outcome): boolean {
  return code === 200 || code === 201
}

function pathOf (ref: ObjectRef): string {
  return `${collectionOf(ref)}/${ref.name}`
}

function collectionOf ({ kind, namespace }: Pick<ObjectRef, 'kind' | 'namespace'>): string {
  const plural = KINDS.find((known) => known.kind === kind)?.plural ?? ''
  return `/apis/${API_VERSION}${namespace === '' ? '' : `/namespaces/${namespace}`}/${plural}`
}

/** The message of a Status object with its causes; the text if it is something else. */
function messageIn (text: string): string {
  try {
    const status: unknown = JSON.parse(text)
    return isJsonObject(status) ? ownString(status, 'message') || text : text
  } catch {
    return text
  }
}

/** Source: RFC 7234, Warning: code, agent, quoted text. */
function warningsIn (header: string | string[] | undefined): string[] {
  const lines = header === undefined ? [] : [header].flat()
  return lines.flatMap((line) => Array.from(line.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g), ([, text = '']) =>
    text.replaceAll(/\\(.)/g, '$1')))
}
