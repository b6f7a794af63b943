import { GROUP, VERSION } from '../../src/api/meta.ts'
import type { JsonObject } from '../../src/api/meta.ts'

/** What a test says of a service; the rest is a plain, sound one. */
export interface ServiceParts {
  readonly name?: string
  readonly namespace?: string
  readonly metadata?: JsonObject
  readonly labels?: Readonly<Record<string, string>>
  readonly spec?: JsonObject
}

export function aService ({ name = 'llama-chat', namespace = 'ml-team', metadata = {}, labels = {}, spec = {} }: ServiceParts = {}): JsonObject {
  return {
    apiVersion: `${GROUP}/${VERSION}`,
    kind: 'AIMService',
    metadata: { name, namespace, labels, ...metadata },
    spec: { model: { ref: 'meta-llama-3-8b' }, ...spec }
  }
}

export function aConfig (spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject {
  return { apiVersion: `${GROUP}/${VERSION}`, kind: 'AIMRuntimeConfig', metadata: { name: 'default', namespace: 'ml-team', uid: 'c1', ...metadata }, spec }
}

export function aClusterConfig (spec: JsonObject = {}, metadata: JsonObject = {}): JsonObject {
  return { apiVersion: `${GROUP}/${VERSION}`, kind: 'AIMClusterRuntimeConfig', metadata: { name: 'default', uid: 'c2', ...metadata }, spec }
}

/** An AdmissionReview v1 as the API server sends it. */
export function aReview (request: JsonObject = {}): JsonObject {
  const object = (request['object'] ?? request['oldObject'] ?? aService()) as JsonObject
  const metadata = object['metadata'] as JsonObject
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'review-1',
      kind: { group: GROUP, version: VERSION, kind: object['kind'] },
      resource: { group: GROUP, version: VERSION, resource: `${String(object['kind']).toLowerCase()}s` },
      operation: 'CREATE',
      namespace: metadata['namespace'] ?? '',
      name: metadata['name'] ?? '',
      object,
      oldObject: null,
      dryRun: false,
      userInfo: { username: 'kubernetes-admin' },
      ...request
    }
  }
}
