import { DEFAULT_CONFIG_NAME } from '../../api/meta.ts'
import type { LocalObjectReference } from '../../api/runtime-config.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../../platform/json.ts'
import { isDeleting } from '../../api/object-meta.ts'
import { nameAt, namesAt, objectAt, reading, stringAt, type Malformed } from './read-fields.ts'
import { routingFieldsOf, type RoutingFields } from './routing-fields.ts'

/** An AIMService as the rules read it: checked fields, and the object itself for path expressions. */
export interface Service {
  readonly kind: 'service'
  readonly namespace: string
  /** Empty while the API server has not made a name of `generateName`. */
  readonly name: string
  readonly generateName: string
  readonly deleting: boolean
  /** `spec.runtimeConfigName` as given. */
  readonly givenConfigName: string | undefined
  /** The name in force: the given one, or `default`. */
  readonly configName: string
  readonly serviceAccountName: string | undefined
  readonly imagePullSecrets: readonly LocalObjectReference[]
  readonly routing: RoutingFields
  /** `spec.resolvedRuntimeConfig` as found: nobody's word but admission's counts, so it stays unread here. */
  readonly block: unknown
  readonly object: JsonObject
}

/** Reads an AIMService. `namespace` is the request's, which counts more than what the object says. */
export function readService (object: JsonObject, namespace: string): Service | Malformed {
  return reading(() => {
    const spec = objectAt(object, 'spec', 'spec')
    const metadata = objectAt(object, 'metadata', 'metadata')
    const given = nameAt(spec, 'runtimeConfigName', 'spec.runtimeConfigName')
    return {
      kind: 'service',
      namespace,
      name: ownString(metadata, 'name'),
      generateName: ownString(metadata, 'generateName'),
      deleting: isDeleting(object),
      givenConfigName: given,
      configName: given ?? DEFAULT_CONFIG_NAME,
      serviceAccountName: stringAt(spec, 'serviceAccountName', 'spec.serviceAccountName') || undefined,
      imagePullSecrets: namesAt(spec, 'imagePullSecrets', 'spec.imagePullSecrets'),
      routing: routingFieldsOf(spec),
      block: own(spec, 'resolvedRuntimeConfig'),
      object: inNamespace(object, namespace)
    }
  })
}

/**
 * The name of the configuration that is in force for a service, without reading the rest of it; undefined where there
 * is none that could be read.
 */
export function configNameOf (object: JsonObject): string | undefined {
  const spec = own(object, 'spec')
  const given = isJsonObject(spec) ? own(spec, 'runtimeConfigName') ?? DEFAULT_CONFIG_NAME : undefined
  return typeof given === 'string' && given !== '' ? given : undefined
}

/** How a service without a name yet is called in a message. */
export function displayName (service: Service): string {
  return service.name === '' ? `${service.generateName}*` : service.name
}

/** The annotation in which kubectl keeps what was applied: no setting of the service's. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/** The keys of the labels or annotations that are set, in the object's order. */
export function keysOf (service: Service, field: 'labels' | 'annotations'): string[] {
  return Object.keys(ownObject(ownObject(service.object, 'metadata'), field)).filter((key) => key !== LAST_APPLIED)
}

function inNamespace (object: JsonObject, namespace: string): JsonObject {
  const metadata = own(object, 'metadata')
  if (isJsonObject(metadata) && own(metadata, 'namespace') === namespace) return object
  return { ...object, metadata: { ...(isJsonObject(metadata) ? metadata : {}), namespace } }
}
