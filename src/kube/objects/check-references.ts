import type { ParentReference } from '../../api/runtime-config.ts'
import { own, ownObject, ownObjects, ownString, type JsonObject } from '../../platform/json.ts'
import type { SendRequest } from '../client/api-connection.ts'
import { parseObject, statusOf } from '../client/responses.ts'

/** Whether one object that a setting references exists. `unknown`: it may not be read, or its kind is not supported. */
export interface ReferenceCheck {
  /** Below `spec.resolvedRuntimeConfig`. */
  readonly setting: string
  /** `Secret ml-team/registry-credentials`. */
  readonly object: string
  readonly verdict: 'usable' | 'missing' | 'unusable' | 'unknown'
  /** One line; empty if the object is usable. */
  readonly reason: string
}

/** The objects that the settings of a service reference. */
export interface References {
  readonly namespace: string
  readonly serviceAccountName: string | undefined
  readonly imagePullSecrets: readonly string[]
  readonly storageClassName: string | undefined
  readonly gatewayRef: ParentReference | undefined
}

/** Looks each of them up with the rights of the current user. Of a Secret only the type is read, never its data. */
export async function checkReferences (references: References, request: SendRequest): Promise<ReferenceCheck[]> {
  const { namespace, serviceAccountName, imagePullSecrets, storageClassName, gatewayRef } = references
  const core = `/api/v1/namespaces/${namespace}`
  const lookups: Lookup[] = []
  if (serviceAccountName !== undefined) {
    const path = `${core}/serviceaccounts/${serviceAccountName}`
    const object = `ServiceAccount ${namespace}/${serviceAccountName}`
    lookups.push({ setting: 'serviceAccountName', object, path })
  }
  for (const name of imagePullSecrets) {
    const [path, object] = [`${core}/secrets/${name}`, `Secret ${namespace}/${name}`]
    lookups.push({ setting: 'imagePullSecrets', object, path, accept: TABLE, judge: judgeSecret })
  }
  if (storageClassName !== undefined) {
    const path = `/apis/storage.k8s.io/v1/storageclasses/${storageClassName}`
    lookups.push({ setting: 'defaultStorageClassName', object: `StorageClass ${storageClassName}`, path })
  }
  const checks = lookups.map((lookup) => check(lookup, request))
  if (gatewayRef !== undefined) checks.push(checkGateway(gatewayRef, namespace, request))
  return await Promise.all(checks)
}

/** Columns without the objects. Source: Kubernetes API concepts, "Receiving resources as Tables". */
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io'

interface Lookup {
  readonly setting: string
  readonly object: string
  readonly path: string
  readonly accept?: string
  /** Why the object is unusable; empty if it is usable. Without it, an object that exists is usable. */
  readonly judge?: (found: JsonObject) => string
}

async function check (
  { setting, object, path, accept, judge = () => '' }: Lookup, request: SendRequest
): Promise<ReferenceCheck> {
  const options = accept === undefined ? {} : { headers: { accept }, query: { includeObject: 'None' } }
  const response = await request(path, options)
  if (response.statusCode === 200) {
    const reason = judge(parseObject(await response.body.text()))
    return { setting, object, verdict: reason === '' ? 'usable' : 'unusable', reason }
  }
  const { code, message } = await statusOf(response)
  return { setting, object, verdict: code === 404 ? 'missing' : 'unknown', reason: message }
}

const PULL_SECRET_TYPES = ['kubernetes.io/dockerconfigjson', 'kubernetes.io/dockercfg']

function judgeSecret (table: JsonObject): string {
  const columns = ownObjects(table, 'columnDefinitions').map((column) => ownString(column, 'name'))
  const [row] = ownObjects(table, 'rows')
  const cells = own(row ?? {}, 'cells')
  const type: unknown = Array.isArray(cells) ? cells[columns.indexOf('Type')] : undefined
  return typeof type === 'string' && !PULL_SECRET_TYPES.includes(type)
    ? `its type is ${type}; an image pull secret has type ${PULL_SECRET_TYPES.join(' or ')}`
    : ''
}

async function checkGateway (
  reference: ParentReference, serviceNamespace: string, request: SendRequest
): Promise<ReferenceCheck> {
  const { group = 'gateway.networking.k8s.io', kind = 'Gateway', namespace = serviceNamespace, name } = reference
  const setting = 'routing.gatewayRef'
  const object = `${kind} ${namespace}/${name}`
  if (group !== 'gateway.networking.k8s.io' || kind !== 'Gateway') {
    return { setting, object, verdict: 'unknown', reason: `references to a ${kind} of ${group} are not checked` }
  }
  const path = `/apis/${group}/v1/namespaces/${namespace}/gateways/${name}`
  const judge = (gateway: JsonObject): string => judgeGateway(gateway, { reference, namespace, serviceNamespace })
  return await check({ setting, object, path, judge }, request)
}

interface RouteFrom {
  readonly reference: ParentReference
  readonly namespace: string
  readonly serviceNamespace: string
}

/** Source: Gateway API v1, GatewayConditionType, AllowedRoutes. */
function judgeGateway (gateway: JsonObject, { reference, namespace, serviceNamespace }: RouteFrom): string {
  for (const condition of ownObjects(ownObject(gateway, 'status'), 'conditions')) {
    const type = ownString(condition, 'type')
    if (['Accepted', 'Programmed'].includes(type) && ownString(condition, 'status') === 'False') {
      return `it is not ${type}: ${ownString(condition, 'message') || ownString(condition, 'reason')}`
    }
  }
  const { sectionName, port } = reference
  const listeners = ownObjects(ownObject(gateway, 'spec'), 'listeners').filter((listener) =>
    (sectionName === undefined || own(listener, 'name') === sectionName) &&
    (port === undefined || own(listener, 'port') === port))
  if (listeners.length === 0) return 'it has no listener that matches the reference'
  const isOwnOnly = listeners.every((listener) =>
    ['', 'Same'].includes(ownString(ownObject(ownObject(listener, 'allowedRoutes'), 'namespaces'), 'from')))
  return namespace !== serviceNamespace && isOwnOnly
    ? `its listeners accept routes from namespace ${namespace} only, and this service is in ${serviceNamespace}`
    : ''
}
