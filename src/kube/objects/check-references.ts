import type { ParentReference } from '../../api/runtime-config.ts'
import { own, ownObject, ownObjects, ownString, type JsonObject } from '../../platform/json.ts'
import type { SendRequest } from '../client/api-connection.ts'
import { statusOf } from '../client/status.ts'
import { parseObject } from '../watch/versioned-object.ts'

/**
 * What became of looking for one object that a setting names. `unknown`: you may not read it, or it is of a kind that
 * is not known here.
 */
export interface ReferenceCheck {
  /** Below `spec.resolvedRuntimeConfig`. */
  readonly setting: string
  /** `Secret ml-team/registry-credentials`. */
  readonly object: string
  readonly verdict: 'usable' | 'missing' | 'unusable' | 'unknown'
  /** Why, one line; empty where it is usable. */
  readonly reason: string
}

/** What the settings of a service name. */
export interface References {
  readonly namespace: string
  readonly serviceAccountName: string | undefined
  readonly imagePullSecrets: readonly string[]
  readonly storageClassName: string | undefined
  readonly gatewayRef: ParentReference | undefined
}

/**
 * Asks the API server for each of them, with the rights of whoever is connected. Of a secret only the type is read,
 * never its data.
 */
export async function checkReferences (references: References, request: SendRequest): Promise<ReferenceCheck[]> {
  const { namespace, serviceAccountName, imagePullSecrets, storageClassName, gatewayRef } = references
  const inNamespace = (plural: string, name: string) => `/api/v1/namespaces/${namespace}/${plural}/${name}`
  const lookups: Lookup[] = [
    ...named(serviceAccountName).map((name) => ({
      setting: 'serviceAccountName', object: `ServiceAccount ${namespace}/${name}`, path: inNamespace('serviceaccounts', name), judge: alwaysUsable
    })),
    ...imagePullSecrets.map((name) => ({
      setting: 'imagePullSecrets', object: `Secret ${namespace}/${name}`, path: inNamespace('secrets', name), accept: TABLE, judge: judgeSecret
    })),
    ...named(storageClassName).map((name) => ({
      setting: 'defaultStorageClassName', object: `StorageClass ${name}`, path: `/apis/storage.k8s.io/v1/storageclasses/${name}`, judge: alwaysUsable
    }))
  ]
  const gateway = gatewayRef === undefined ? [] : [await checkGateway(gatewayRef, namespace, request)]
  return [...await Promise.all(lookups.map((lookup) => check(lookup, request))), ...gateway]
}

/**
 * Rows of columns, without the objects themselves. Source: Kubernetes API concepts, "Receiving resources as Tables".
 */
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io'

interface Lookup {
  readonly setting: string
  readonly object: string
  readonly path: string
  readonly accept?: string
  /** Why what was found cannot be used; empty where it can. */
  readonly judge: (found: JsonObject) => string
}

async function check ({ setting, object, path, accept, judge }: Lookup, request: SendRequest): Promise<ReferenceCheck> {
  const response = await request(
    path,
    accept === undefined ? {} : { headers: { accept }, query: { includeObject: 'None' } }
  )
  if (response.statusCode === 200) {
    const reason = judge(parseObject(await response.body.text()))
    return { setting, object, verdict: reason === '' ? 'usable' : 'unusable', reason }
  }
  const { code, message } = await statusOf(response)
  return { setting, object, verdict: code === 404 ? 'missing' : 'unknown', reason: message }
}

function named (name: string | undefined): string[] {
  return name === undefined ? [] : [name]
}

function alwaysUsable (): string {
  return ''
}

const PULL_SECRET_TYPES = ['kubernetes.io/dockerconfigjson', 'kubernetes.io/dockercfg']

function judgeSecret (table: JsonObject): string {
  const columns = ownObjects(table, 'columnDefinitions').map((column) => ownString(column, 'name'))
  const [row] = ownObjects(table, 'rows')
  const cells = own(row ?? {}, 'cells')
  const type: unknown = Array.isArray(cells) ? cells[columns.indexOf('Type')] : undefined
  return typeof type === 'string' && !PULL_SECRET_TYPES.includes(type)
    ? `its type is ${type}; an image is pulled with ${PULL_SECRET_TYPES.join(' or ')}`
    : ''
}

async function checkGateway (reference: ParentReference, serviceNamespace: string, request: SendRequest): Promise<ReferenceCheck> {
  const { group = 'gateway.networking.k8s.io', kind = 'Gateway', namespace = serviceNamespace, name } = reference
  const setting = 'routing.gatewayRef'
  const object = `${kind} ${namespace}/${name}`
  if (group !== 'gateway.networking.k8s.io' || kind !== 'Gateway') { return { setting, object, verdict: 'unknown', reason: `what a ${kind} of ${group} needs is not known here` } }
  const path = `/apis/${group}/v1/namespaces/${namespace}/gateways/${name}`
  return await check(
    { setting, object, path, judge: (gateway) => judgeGateway(gateway, { reference, namespace, serviceNamespace }) },
    request
  )
}

interface RouteFrom {
  readonly reference: ParentReference
  readonly namespace: string
  readonly serviceNamespace: string
}

/** Source: Gateway API v1, GatewayConditionType, AllowedRoutes. */
function judgeGateway (gateway: JsonObject, { reference, namespace, serviceNamespace }: RouteFrom): string {
  for (const condition of ownObjects(ownObject(gateway, 'status'), 'conditions')) {
    if (['Accepted', 'Programmed'].includes(ownString(condition, 'type')) && ownString(condition, 'status') === 'False') {
      return `it is not ${ownString(condition, 'type')}: ${ownString(condition, 'message') || ownString(condition, 'reason')}`
    }
  }
  const { sectionName, port } = reference
  const listeners = ownObjects(ownObject(gateway, 'spec'), 'listeners').filter((listener) =>
    (sectionName === undefined || own(listener, 'name') === sectionName) && (port === undefined || own(listener, 'port') === port))
  if (listeners.length === 0) return 'it has no listener that the reference means'
  const from = listeners.map(
    (listener) => ownString(ownObject(ownObject(listener, 'allowedRoutes'), 'namespaces'), 'from') || 'Same'
  )
  return namespace !== serviceNamespace && from.every((namespaces) => namespaces === 'Same')
    ? `its listeners take routes of the namespace ${namespace} alone, and this service is in ${serviceNamespace}`
    : ''
}
