import { API_VERSION } from '../../../src/api/meta.ts'
import { inNamespace } from '../cluster/cluster-client.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Ran } from '../processes.ts'

/** The parts of an object that a test sets; the rest is valid. */
export interface Parts {
  readonly kind?: 'AIMService' | 'AIMRuntimeConfig' | 'AIMClusterRuntimeConfig'
  readonly namespace?: string
  readonly name?: string
  readonly labels?: object
  readonly metadata?: object
  readonly spec?: object
}

/** A manifest as JSON, which is YAML. */
export function manifest ({ kind = 'AIMService', namespace, name, labels, metadata, spec }: Parts): string {
  const model = kind === 'AIMService' ? { model: { ref: 'meta-llama-3-8b' } } : {}
  return JSON.stringify({
    apiVersion: API_VERSION,
    kind,
    metadata: { namespace, name, labels, ...metadata },
    spec: { ...model, ...spec }
  })
}

export const GATEWAY = { name: 'kserve-gateway', namespace: 'kgateway-system' }

/** The template that most tests of labels use. */
export const BY_TEAM = "/{.metadata.namespace}/{.metadata.labels['team']}/{.metadata.name}"

/** A spec with routing enabled. */
export const routed = (pathTemplate?: string) => ({ routing: { enabled: true, gatewayRef: GATEWAY, pathTemplate } })

export const BLOCK = '.spec.resolvedRuntimeConfig'
export const PATH = `${BLOCK}.routing.path`

export function actionsOf ({ kubectl, client }: Pick<Cluster, 'kubectl' | 'client'>) {
  return {
    /** Applies manifests without kubectl; rejects if the API server refuses one. */
    store: client.apply,
    /** Applies several manifests as one file. */
    apply: async (...manifests: string[]): Promise<Ran> =>
      await kubectl(['apply', '-f', '-'], `{"apiVersion":"v1","kind":"List","items":[${manifests.join()}]}`),
    /** The result of a JSONPath on a stored service; empty if nothing matches. */
    get: async (namespace: string, name: string, path: string): Promise<string> =>
      await client.values(`${inNamespace(namespace).services}/${name}`, path),
    /** Merges a patch into a stored service. */
    patch: async (namespace: string, name: string, patch: object): Promise<Ran> =>
      await kubectl(['-n', namespace, 'patch', `aimservice/${name}`, '--type=merge', '-p', JSON.stringify(patch)]),
    aNamespace: async (name: string): Promise<string> => {
      await client.create('/api/v1/namespaces', { metadata: { name } })
      return name
    }
  }
}
