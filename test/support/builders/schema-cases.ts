import { API_VERSION } from '../../../src/api/meta.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

export interface SchemaCase {
  readonly object: JsonObject
  /** The expected errors, by field; empty if the object is allowed. */
  readonly faults: Readonly<Record<string, string>>
}

const NAME = 'the-one'

const service = (spec: JsonObject, metadata: JsonObject = {}): JsonObject =>
  ({
    apiVersion: API_VERSION,
    kind: 'AIMService',
    metadata: { name: NAME, namespace: 'default', ...metadata },
    spec: { model: { ref: 'a-model' }, ...spec }
  })
const config = (spec: unknown): JsonObject =>
  ({ apiVersion: API_VERSION, kind: 'AIMRuntimeConfig', metadata: { name: NAME, namespace: 'default' }, spec })
const clusterConfig = (spec: unknown): JsonObject =>
  ({ apiVersion: API_VERSION, kind: 'AIMClusterRuntimeConfig', metadata: { name: NAME }, spec })

const wrongType = (given: string, wanted: string) => `Invalid value: "${given}": must be of type ${wanted}`
const SUBDOMAIN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
const MODEL =
  'Invalid value: exactly one of ref and image must be set: ' +
  'ref names an AIMModel or AIMClusterModel, image a container image'
const credentials = (field: string) =>
  'Forbidden: credentials belong in an AIMRuntimeConfig of the namespace that needs them: ' +
  `remove ${field} here and set it there`

/** Objects and their schema errors, on which the validator and the real API server must agree. */
export const SCHEMA_CASES: Readonly<Record<string, SchemaCase>> = {
  'a service with nothing but a model is allowed': { object: service({}), faults: {} },
  'a service may name a model image': {
    object: service({ model: { image: 'ghcr.io/silogen/aim:1@sha256:0a' } }),
    faults: {}
  },
  'a model needs one of ref and image': { object: service({ model: {} }), faults: { 'spec.model': MODEL } },
  'a model cannot have both ref and image': {
    object: service({ model: { ref: 'a', image: 'b' } }),
    faults: { 'spec.model': MODEL }
  },
  'a null counts as unset': {
    object: service({ model: { ref: 'a', image: null }, replicas: null, routing: null, cacheModel: null }),
    faults: {}
  },
  'a null in a list does not count as unset': {
    object: service({ imagePullSecrets: [null] }),
    faults: { 'spec.imagePullSecrets[0]': wrongType('null', 'object') }
  },
  'a service needs a model': { object: service({ model: undefined }), faults: { 'spec.model': 'Required value' } },
  'a service needs a spec': { object: { ...service({}), spec: undefined }, faults: { spec: 'Required value' } },
  'an empty model name is refused': {
    object: service({ model: { ref: '' } }),
    faults: { 'spec.model.ref': 'Invalid value: "": should be at least 1 chars long' }
  },
  'a model name is a DNS name': {
    object: service({ model: { ref: 'Llama_3' } }),
    faults: { 'spec.model.ref': `Invalid value: "Llama_3": should match '${SUBDOMAIN}'` }
  },
  'a name of 253 characters is allowed': { object: service({ runtimeConfigName: 'a'.repeat(253) }), faults: {} },
  'a name of 254 characters is refused': {
    object: service({ runtimeConfigName: 'a'.repeat(254) }),
    faults: { 'spec.runtimeConfigName': 'Too long: may not be more than 253 bytes' }
  },
  'an empty service account counts as unset, as charts write it': {
    object: service({ serviceAccountName: '' }),
    faults: {}
  },
  'an empty storage class counts as unset': { object: config({ defaultStorageClassName: '' }), faults: {} },
  'zero replicas are allowed': { object: service({ replicas: 0 }), faults: {} },
  'a negative number of replicas is refused': {
    object: service({ replicas: -1 }),
    faults: { 'spec.replicas': 'Invalid value: -1: should be greater than or equal to 0' }
  },
  'more replicas than an int32 holds are refused': {
    object: service({ replicas: 2 ** 31 }),
    faults: { 'spec.replicas': 'Invalid value: 2147483648: should be less than or equal to 2147483647' }
  },
  'half a replica is refused': {
    object: service({ replicas: 1.5 }),
    faults: { 'spec.replicas': wrongType('number', 'integer') }
  },
  'a quoted boolean is refused': {
    object: service({ cacheModel: 'true' }),
    faults: { 'spec.cacheModel': wrongType('string', 'boolean') }
  },
  'all errors are reported together': {
    object: service({ cacheModel: 1, replicas: 'two', routing: { enabled: 'yes' } }),
    faults: {
      'spec.cacheModel': wrongType('integer', 'boolean'),
      'spec.replicas': wrongType('string', 'integer'),
      'spec.routing.enabled': wrongType('string', 'boolean')
    }
  },
  'an unknown field is reported': {
    object: service({ runtimeConfigNam: 'a' }),
    faults: { 'spec.runtimeConfigNam': 'unknown field (did you mean "runtimeConfigName"?)' }
  },
  'an unknown field beside the one that it resembles is reported': {
    object: service({ modle: 'a' }), faults: { 'spec.modle': 'unknown field' }
  },
  'a nested unknown field is reported': {
    object: service({ routing: { gatewayRef: { name: 'g', namespaces: 'x' } } }),
    faults: { 'spec.routing.gatewayRef.namespaces': 'unknown field (did you mean "namespace"?)' }
  },
  'an unknown field of the metadata is reported': {
    object: service({}, { label: {} }),
    faults: { 'metadata.label': 'unknown field (did you mean "labels"?)' }
  },
  'an unknown field beside the spec is reported': {
    object: { ...service({}), specs: {} },
    faults: { specs: 'unknown field' }
  },
  'an unknown field that resembles none is reported without a suggestion': {
    object: service({ whatever: 'a' }), faults: { 'spec.whatever': 'unknown field' }
  },
  'a duplicate pull secret is refused': {
    object: service({ imagePullSecrets: [{ name: 'a' }, { name: 'b' }, { name: 'a' }] }),
    faults: { 'spec.imagePullSecrets[2]': 'Duplicate value: {"name":"a"}' }
  },
  'a pull secret without a name, or with an empty one, refers to none': {
    object: service({ imagePullSecrets: [{}, { name: 'a' }] }),
    faults: {}
  },
  'two pull secrets without a name are duplicates': {
    object: service({ imagePullSecrets: [{}, { name: '' }] }),
    faults: { 'spec.imagePullSecrets[1]': 'Duplicate value: {"name":""}' }
  },
  'a key reference may have an empty name': {
    object: service({ env: [{ name: 'A', valueFrom: { secretKeyRef: { key: 'k' } } }] }),
    faults: {}
  },
  'the overrides of an operator are allowed': {
    object: service({
      overrides: {
        metric: 'throughput', precision: 'bf16', gpuSelector: { count: 8, model: 'MI300X', resourceName: 'amd.com/gpu' }
      },
      resources: { claims: [{ name: 'gpu', request: 'large' }] }
    }),
    faults: {}
  },
  'an unknown metric or precision is refused': {
    object: service({ overrides: { metric: 'speed', precision: 'fp17' } }),
    faults: {
      'spec.overrides.metric': 'Unsupported value: "speed": supported values: "latency", "throughput"',
      'spec.overrides.precision': 'Unsupported value: "fp17": supported values: ' +
        '"auto", "fp4", "fp8", "fp16", "fp32", "bf16", "int4", "int8"'
    }
  },
  'a GPU selector needs a count and a model': {
    object: service({ overrides: { gpuSelector: {} } }),
    faults: {
      'spec.overrides.gpuSelector.count': 'Required value', 'spec.overrides.gpuSelector.model': 'Required value'
    }
  },
  'a duplicate environment variable is refused': {
    object: service({ env: [{ name: 'A', value: '1' }, { name: 'A', value: '2' }] }),
    faults: { 'spec.env[1]': 'Duplicate value: {"name":"A"}' }
  },
  'an environment variable is a string': {
    object: service({ env: [{ name: 'A', value: 1 }] }),
    faults: { 'spec.env[0].value': wrongType('integer', 'string') }
  },
  'an environment variable name need not be valid in a shell': {
    object: service({ env: [{ name: 'my.var-1', value: '1' }] }),
    faults: {}
  },
  'an environment variable name with = is refused': {
    object: service({ env: [{ name: 'A=B' }] }),
    faults: { 'spec.env[0].name': 'Invalid value: "A=B": should match \'^[ -<>-~]+$\'' }
  },
  'a quantity may be a number or a string': {
    object: service({
      resources: { limits: { cpu: 4, memory: '64Gi', 'amd.com/gpu': '1' }, requests: { cpu: '500m', memory: '1e9' } }
    }),
    faults: {}
  },
  'an unquoted fraction is not a quantity': {
    object: service({ resources: { limits: { cpu: 0.5 } } }),
    faults: { 'spec.resources.limits.cpu': wrongType('number', 'integer,string') }
  },
  'a word is not a quantity': {
    object: service({ resources: { requests: { memory: 'lots' } } }),
    faults: {
      'spec.resources.requests.memory':
        'Invalid value: "lots": should match ' +
        '\'^[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$\''
    }
  },
  'an annotation of the route is a string': {
    object: service({ routing: { annotations: { timeout: 60 } } }),
    faults: { 'spec.routing.annotations.timeout': wrongType('integer', 'string') }
  },
  'a gateway needs a name': {
    object: service({ routing: { gatewayRef: { namespace: 'gateways' } } }),
    faults: { 'spec.routing.gatewayRef.name': 'Required value' }
  },
  'a gateway of the core group is allowed': {
    object: service({ routing: { gatewayRef: { group: '', kind: 'Service', name: 'g' } } }),
    faults: {}
  },
  'the last port is allowed': { object: service({ routing: { gatewayRef: { name: 'g', port: 65535 } } }), faults: {} },
  'port 0 is refused': {
    object: service({ routing: { gatewayRef: { name: 'g', port: 0 } } }),
    faults: { 'spec.routing.gatewayRef.port': 'Invalid value: 0: should be greater than or equal to 1' }
  },
  'port 65536 is refused': {
    object: service({ routing: { gatewayRef: { name: 'g', port: 65536 } } }),
    faults: { 'spec.routing.gatewayRef.port': 'Invalid value: 65536: should be less than or equal to 65535' }
  },
  'a path template of any length passes the schema, because the webhook reports how to fix it': {
    object: service({ routing: { pathTemplate: '/'.repeat(1000) } }),
    faults: {}
  },
  'a service without a name is refused': {
    object: service({}, { name: undefined }),
    faults: { 'metadata.name': 'Required value: name or generateName is required' }
  },
  'a name that is empty as in a chart is unset': {
    object: service({ runtimeConfigName: '', templateRef: '', routing: { pathTemplate: '' } }, {
      name: '', generateName: 'llama-'
    }),
    faults: {}
  },
  'generateName is enough': { object: service({}, { name: undefined, generateName: 'llama-' }), faults: {} },
  'a name is a DNS name': {
    object: service({}, { name: 'Llama' }),
    faults: { 'metadata.name': `Invalid value: "Llama": should match '^$|${SUBDOMAIN}'` }
  },
  'a label value with a space is refused': {
    object: service({}, { labels: { team: 'A B' } }),
    faults: {
      'metadata.labels.team': 'Invalid value: "A B": should match \'^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$\''
    }
  },
  'labels with a prefix or a name of JavaScript are allowed': {
    object: service({}, { labels: { 'app.kubernetes.io/name': 'a', constructor: '', toString: 'x' } }),
    faults: {}
  },
  'a status is not validated': { object: { ...service({}), status: { observedGeneration: 'new' } }, faults: {} },
  'a config without a spec is allowed': { object: config(undefined), faults: {} },
  'a config may have every field': {
    object: config({
      defaultStorageClassName: 'fast-nvme',
      serviceAccountName: 'aim-runtime',
      imagePullSecrets: [{ name: 'registry-credentials' }],
      model: { creationScope: 'Namespace', autoDiscovery: false },
      routing: {
        enabled: true,
        gatewayRef: { name: 'kserve-gateway', namespace: 'kgateway-system' },
        pathTemplate: '/{.metadata.name}'
      }
    }),
    faults: {}
  },
  'an unknown creation scope is refused': {
    object: config({ model: { creationScope: 'cluster' } }),
    faults: { 'spec.model.creationScope': 'Unsupported value: "cluster": supported values: "Cluster", "Namespace"' }
  },
  'a cluster config without credentials is allowed': {
    object: clusterConfig({ defaultStorageClassName: 'standard-ssd' }),
    faults: {}
  },
  'a cluster config with a service account is refused': {
    object: clusterConfig({ serviceAccountName: 'a' }),
    faults: { 'spec.serviceAccountName': credentials('serviceAccountName') }
  },
  'a cluster config with an empty list of pull secrets is refused': {
    object: clusterConfig({ imagePullSecrets: [] }),
    faults: { 'spec.imagePullSecrets': credentials('imagePullSecrets') }
  },
  'a cluster config with both credentials gets both errors': {
    object: clusterConfig({ serviceAccountName: '', imagePullSecrets: [{ name: 'a' }] }),
    faults: {
      'spec.serviceAccountName': credentials('serviceAccountName'),
      'spec.imagePullSecrets': credentials('imagePullSecrets')
    }
  },
  'null credentials count as unset': {
    object: clusterConfig({ serviceAccountName: null, imagePullSecrets: null }),
    faults: {}
  }
}
