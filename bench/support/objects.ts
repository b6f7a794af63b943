import { requestOf } from './load.ts'
import { API_VERSION, GROUP, VERSION } from '../../src/api/meta.ts'
import type { JsonObject } from '../../src/platform/json.ts'
import { aConfig } from '../../test/support/builders/objects.ts'

/** Namespaces that the objects of a benchmark are spread over. */
const NAMESPACES = 2_000
const NAMES = 5

const GATEWAY = { name: 'kserve-gateway', namespace: 'kgateway-system' }
const TEMPLATE = "/{.metadata.namespace}/{.metadata.labels['team']}/{.metadata.name}"

const KIB = 1_024
/** Different requests of 3 KB, so that no cache of one review is measured. */
const VARIETY = 500
/** First number of a service of the load: none of these is stored. */
const FRESH = 1_000_000

export interface RequestShape {
  readonly path: string
  readonly bytes: number
  readonly operation?: 'CREATE' | 'UPDATE'
  readonly configs: number
}

/** Requests that differ in namespace, configuration and name; fewer of large ones. */
export function requestsOf ({ path, bytes, operation = 'CREATE', configs }: RequestShape): Buffer[] {
  const count = Math.max(4, Math.min(VARIETY, Math.round(3 * KIB * VARIETY / bytes)))
  const withBlock = path.startsWith('/validate') || operation === 'UPDATE'
  return Array.from({ length: count }, (_, at) =>
    requestOf(path, reviewOfSize(bytes, { at: FRESH + at * 7, configs, withBlock }, operation)))
}

/** The n-th runtime configuration: five in each namespace. */
export function aBenchConfig (at: number, changed = 0): JsonObject {
  return aConfig({
    defaultStorageClassName: `fast-nvme-${changed}`,
    serviceAccountName: 'aim-runtime',
    imagePullSecrets: [{ name: 'registry-credentials' }],
    model: { creationScope: 'Cluster', autoDiscovery: true },
    routing: { enabled: true, gatewayRef: GATEWAY, pathTemplate: TEMPLATE }
  }, {
    namespace: namespaceAt(at),
    name: configNameAt(at),
    uid: `c-${at}`,
    generation: 1 + changed,
    creationTimestamp: '2026-11-24T10:00:00Z'
  })
}

/** Parameters of a service. */
export interface ServiceShape {
  readonly at: number
  /** Number of runtime configurations to choose from. */
  readonly configs: number
  /** Entries of `spec.env`: about 300 bytes each, including managed fields and the last applied manifest. */
  readonly variables: number
  readonly withBlock: boolean
}

/** A service as the API server stores it, including managed fields and the last applied manifest. */
export function aBenchService ({ at, configs, variables, withBlock }: ServiceShape): JsonObject {
  const config = at % Math.max(1, configs)
  const [namespace, name, team] = [namespaceAt(config), `llama-chat-${at}`, `team-${at % 50}`]
  const labels = { team, 'app.kubernetes.io/name': name, 'app.kubernetes.io/part-of': 'chat' }
  const spec = {
    model: { ref: 'meta-llama-3-8b' },
    runtimeConfigName: configNameAt(config),
    replicas: 2,
    overrides: { metric: 'latency', precision: 'fp8', gpuSelector: { count: 1, model: 'MI300X' } },
    env: Array.from({ length: variables }, (_, variable) => ({
      name: `AIM_VARIABLE_${variable}`,
      value: `a value of ordinary length ${variable}`
    }))
  }
  const applied = {
    apiVersion: API_VERSION,
    kind: 'AIMService',
    metadata: { annotations: {}, labels, name, namespace },
    spec
  }
  return {
    apiVersion: API_VERSION,
    kind: 'AIMService',
    metadata: {
      name,
      namespace,
      labels,
      uid: `5f1c2b9e-0000-4000-8000-${String(at).padStart(12, '0')}`,
      generation: 1,
      creationTimestamp: '2026-11-24T10:00:00Z',
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(applied) + '\n' },
      managedFields: [managedFields(variables)]
    },
    spec: withBlock ? { ...spec, resolvedRuntimeConfig: aBlock(at, config) } : spec
  }
}

/** AdmissionReview of a CREATE of the service, or of an UPDATE that changes nothing. */
function aBenchReview (service: JsonObject, operation: 'CREATE' | 'UPDATE'): string {
  const { name, namespace } = service['metadata'] as { name: string, namespace: string } // set by aBenchService
  const kind = { group: GROUP, version: VERSION, kind: 'AIMService' }
  const resource = { group: GROUP, version: VERSION, resource: 'aimservices' }
  return JSON.stringify({
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: crypto.randomUUID(),
      kind,
      resource,
      requestKind: kind,
      requestResource: resource,
      name,
      namespace,
      operation,
      userInfo: { username: 'kubernetes-admin', groups: ['kubeadm:cluster-admins', 'system:authenticated'] },
      object: service,
      oldObject: operation === 'UPDATE' ? service : null,
      dryRun: false,
      options: {
        kind: `${operation === 'CREATE' ? 'Create' : 'Update'}Options`,
        apiVersion: 'meta.k8s.io/v1',
        fieldManager: 'kubectl-client-side-apply'
      }
    }
  })
}

/** A review of slightly fewer than `bytes` bytes. */
function reviewOfSize (bytes: number, shape: Omit<ServiceShape, 'variables'>, operation: 'CREATE' | 'UPDATE'): string {
  const review = (variables: number): string => aBenchReview(aBenchService({ ...shape, variables }), operation)
  let [low, high] = [0, Math.ceil(bytes / 100)]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (Buffer.byteLength(review(middle)) <= bytes) low = middle
    else high = middle
  }
  return review(low)
}

function namespaceAt (config: number): string {
  return `tenant-${config % NAMESPACES}`
}

function configNameAt (config: number): string {
  return `config-${Math.floor(config / NAMESPACES) % NAMES}`
}

function aBlock (at: number, config: number): JsonObject {
  const namespace = namespaceAt(config)
  return {
    kind: 'AIMRuntimeConfig',
    scope: 'Namespace',
    namespace,
    name: configNameAt(config),
    hash: `sha256:${'4f'.repeat(32)}`,
    defaultStorageClassName: 'fast-nvme-0',
    serviceAccountName: 'aim-runtime',
    imagePullSecrets: [{ name: 'registry-credentials' }],
    model: { creationScope: 'Cluster', autoDiscovery: true },
    routing: {
      enabled: true,
      gatewayRef: GATEWAY,
      pathTemplate: TEMPLATE,
      path: `/${namespace}/team-${at % 50}/llama-chat-${at}`
    }
  }
}

function managedFields (variables: number): JsonObject {
  const fields = Array.from(
    { length: variables },
    (_, variable) => [`k:{"name":"AIM_VARIABLE_${variable}"}`, { '.': {}, 'f:name': {}, 'f:value': {} }] as const
  )
  return {
    manager: 'kubectl-client-side-apply',
    operation: 'Update',
    apiVersion: API_VERSION,
    time: '2026-11-24T10:00:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: {
      'f:metadata': {
        'f:annotations': { '.': {}, 'f:kubectl.kubernetes.io/last-applied-configuration': {} },
        'f:labels': { '.': {}, 'f:team': {}, 'f:app.kubernetes.io/name': {} }
      },
      'f:spec': {
        '.': {},
        'f:env': { '.': {}, ...Object.fromEntries<JsonObject>(fields) },
        'f:model': { '.': {}, 'f:ref': {} },
        'f:replicas': {},
        'f:runtimeConfigName': {}
      }
    }
  }
}
