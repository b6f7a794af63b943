import { API_VERSION, GROUP, VERSION } from '../../../src/api/meta.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

/** The parts of a service that a test sets; the rest is valid. */
export interface ServiceParts {
  readonly name?: string
  readonly namespace?: string
  readonly metadata?: JsonObject
  readonly labels?: Readonly<Record<string, string>>
  readonly spec?: JsonObject
}

export function aService (
  { name = 'llama-chat', namespace = 'ml-team', metadata = {}, labels = {}, spec = {} }: ServiceParts = {}
): JsonObject {
  return {
    apiVersion: API_VERSION,
    kind: 'AIMService',
    metadata: { name, namespace, labels, ...metadata },
    spec: { model: { ref: 'meta-llama-3-8b' }, ...spec }
  }
}

export const aConfig = configBuilder('AIMRuntimeConfig', { name: 'default', namespace: 'ml-team', uid: 'c1' })
export const aClusterConfig = configBuilder('AIMClusterRuntimeConfig', { name: 'default', uid: 'c2' })

function configBuilder (kind: string, defaults: JsonObject) {
  return (spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject =>
    ({ apiVersion: API_VERSION, kind, metadata: { ...defaults, ...metadata }, spec })
}

/** The fields of a request besides its objects, for `aReview`. */
export function aboutObject (request: JsonObject): JsonObject {
  const object = (request['object'] ?? request['oldObject']) as JsonObject // every request has one of the two
  const metadata = object['metadata'] as JsonObject
  return {
    kind: { group: GROUP, version: VERSION, kind: object['kind'] },
    resource: { group: GROUP, version: VERSION, resource: `${String(object['kind']).toLowerCase()}s` },
    namespace: metadata['namespace'] ?? '',
    name: metadata['name'] ?? '',
    ...request
  }
}
