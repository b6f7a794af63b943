import { parseAllDocuments } from 'yaml'
import { CHART, helm } from '../binaries/helm.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

/** Valid values of a digest and of certificates. */
const DIGEST = `sha256:${'0'.repeat(64)}`
const CA_BUNDLE = Buffer.from('-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n').toString('base64')

/** Values that together cover everything in the chart. */
export const CHART_VARIANTS: Readonly<Record<string, JsonObject>> = {
  'with default values': {},
  'for kubectl': { namespace: { create: true } },
  'with a CA of cert-manager': { certificates: { mode: 'cert-manager' } },
  'with an issuer of cert-manager': {
    certificates: {
      mode: 'cert-manager',
      certManager: { issuerRef: { name: 'corporate', kind: 'ClusterIssuer', group: 'cert-manager.io' } }
    }
  },
  'with a pair from a Secret': { certificates: { mode: 'files', secretName: 'own-pair', caBundle: CA_BUNDLE } },
  'with client certificates': {
    certificates: { mode: 'files', secretName: 'own-pair', caBundle: CA_BUNDLE },
    clientCertificates: { caConfigMap: 'callers', names: ['kube-apiserver', 'kube apiserver'] }
  },
  'with client certificates of a CA in a Secret': { clientCertificates: { caSecret: 'callers' } },
  'failing open': {
    webhooks: { failurePolicy: 'Ignore', timeoutSeconds: 2, exemptNamespaces: ['sandbox', 'kube-system'] },
    serve: { missingConfig: 'refuse' }
  },
  'with monitoring': {
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
    prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
    dashboards: { enabled: true }
  },
  'scaled and placed': {
    image: { repository: 'registry.example/aim-admission', digest: DIGEST, pullPolicy: 'Always' },
    imagePullSecrets: [{ name: 'registry' }],
    serve: {
      autoscaling: { enabled: true },
      preStopSeconds: 0,
      spreadOverNodes: 'ScheduleAnyway',
      priorityClassName: 'system-cluster-critical',
      podAnnotations: { 'example.com/a': 'b' },
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [{ key: 'dedicated', operator: 'Exists' }],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }]
          }
        }
      }
    }
  },
  'beside an operator': { definitions: 'operator' },
  'as charts of this kind are set': {
    enabled: true,
    global: {
      imageRegistry: 'mirror.example:5000',
      imagePullSecrets: ['mirror', { name: 'registry' }],
      commonLabels: { team: 'global', cost: 'shared' },
      ofAnotherChart: { anything: [1] }
    },
    imagePullSecrets: [{ name: 'registry' }],
    commonLabels: { team: 'platform', 'app.kubernetes.io/component': 'other', 'app.kubernetes.io/name': 'other' },
    webhooks: { labels: { 'admissions.enforcer/disabled': 'true' } },
    podSecurityContext: { runAsUser: null, runAsGroup: null, fsGroup: null },
    serviceMonitor: { enabled: true, labels: { team: 'monitoring' } },
    serve: {
      podLabels: { sidecar: 'yes', 'app.kubernetes.io/instance': 'other' },
      podAnnotations: { 'kubectl.kubernetes.io/default-container': 'other' },
      extraEnv: [{ name: 'HTTPS_PROXY', value: 'http://proxy.example:3128' }],
      extraVolumes: [{ name: 'extra', emptyDir: {} }],
      extraVolumeMounts: [{ name: 'extra', mountPath: '/extra' }],
      topologySpreadConstraints: []
    },
    reconcile: {
      topologySpreadConstraints: [
        { maxSkew: 2, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' }
      ]
    }
  },
  'with the minimum': {
    crds: { install: false },
    rbac: { aggregate: false },
    networkPolicy: { enabled: false },
    serve: { replicas: 1 },
    reconcile: { replicas: 1 }
  },
  'with restricted network access': {
    networkPolicy: {
      apiServer: [{ ipBlock: { cidr: '10.0.0.0/28' } }],
      metrics: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
      apiServerPorts: [8443]
    },
    listenAddress: '::',
    reconcile: { metricNames: 'hidden' },
    logLevel: 'debug'
  }
}

/** Files of a chart that depends on this one, with a global value and a condition. */
export const DEPENDENT_CHART = {
  'Chart.yaml': 'apiVersion: v2\nname: platform\nversion: 1.0.0\ndependencies:\n' +
    `- {name: aim-admission, version: ">=0", repository: "file://${CHART}", condition: aim-admission.enabled}\n`,
  'values.yaml': 'global: {imageRegistry: mirror.example}\naim-admission: {enabled: true}\n',
  templates: { 'own.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\n' }
}

/** The chart rendered by Helm with these values; rejects with the error of Helm. */
export async function renderedChart (values: JsonObject = {}, namespace = 'aim-system'): Promise<string> {
  const { code, stdout, stderr } = await helm([
    'template',
    'aim-admission',
    CHART,
    '--namespace',
    namespace,
    ...asFlags(values)
  ])
  if (code !== 0) throw new Error(stderr)
  return stdout
}

/** Values as flags of Helm. */
export function asFlags (values: JsonObject): string[] {
  return Object.entries(values).flatMap(([key, value]) => ['--set-json', `${key}=${JSON.stringify(value)}`])
}

/** The objects of a manifest. */
export function objectsIn (manifest: string): JsonObject[] {
  return parseAllDocuments(manifest).map((document) => document.toJS({ maxAliasCount: 0 }) as JsonObject | null)
    .filter((object) => object !== null)
}

/** Kind and name: `Deployment aim-admission`. */
export function titleOf ({ kind, metadata }: JsonObject): string {
  return `${String(kind)} ${(metadata as { name: string }).name}`
}
