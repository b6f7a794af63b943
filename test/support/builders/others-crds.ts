import type { JsonObject } from '../../../src/platform/json.ts'

/**
 * Definitions of other projects' kinds that the chart can create, with the fields that it uses only, so that the API
 * server rejects a misspelled field. Source: the API references of cert-manager.io/v1 and monitoring.coreos.com/v1.
 */
export const OTHERS_CRDS: readonly JsonObject[] = [
  definition('cert-manager.io/Issuer', { selfSigned: object({}), ca: object({ secretName: text() }) }),
  definition('cert-manager.io/Certificate', {
    secretName: text(),
    commonName: text(),
    isCA: { type: 'boolean' },
    dnsNames: list(text()),
    duration: text(),
    renewBefore: text(),
    usages: list(text(['digital signature', 'key encipherment', 'server auth', 'client auth', 'cert sign'])),
    privateKey: object({
      algorithm: text(['RSA', 'ECDSA', 'Ed25519']),
      size: { type: 'integer' },
      rotationPolicy: text(['Never', 'Always'])
    }),
    issuerRef: object({ name: text(), kind: text(), group: text() }, ['name'])
  }, ['secretName', 'issuerRef']),
  definition('monitoring.coreos.com/ServiceMonitor', {
    selector: object({ matchLabels: { type: 'object', additionalProperties: text() } }),
    endpoints: list(object({ port: text(), interval: text(), honorLabels: { type: 'boolean' } }))
  }, ['selector', 'endpoints']),
  definition('monitoring.coreos.com/PrometheusRule', {
    groups: list(object({
      name: text(),
      rules: list(object({
        alert: text(),
        expr: text(),
        for: text(),
        labels: { type: 'object', additionalProperties: text() },
        annotations: { type: 'object', additionalProperties: text() }
      }, ['alert', 'expr']))
    }, ['name']))
  })
]

function definition (
  groupAndKind: `${string}/${string}`, spec: Readonly<Record<string, JsonObject>>, required: readonly string[] = []
): JsonObject {
  const [group = '', kind = ''] = groupAndKind.split('/')
  const plural = `${kind.toLowerCase()}s`
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      scope: 'Namespaced',
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: object({ spec: object(spec, required) }) }
        }
      ]
    }
  }
}

function object (properties: Readonly<Record<string, JsonObject>>, required: readonly string[] = []): JsonObject {
  return { type: 'object', properties, ...(required.length > 0 && { required }) }
}

function list (items: JsonObject): JsonObject {
  return { type: 'array', items }
}

function text (choices?: readonly string[]): JsonObject {
  return { type: 'string', ...(choices && { enum: choices }) }
}
