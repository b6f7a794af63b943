import { probeServingCert, type ServerAddress } from '../../../../certs/replicas.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../../../platform/json.ts'
import { patchCommand, registrationPath, webhooksOf } from './check-registration.ts'
import type { ClusterReader } from './cluster-reader.ts'
import type { CheckResult } from './check-result.ts'

const CHECK = 'certificate'
const HANDSHAKE_TIMEOUT_MS = 5_000
const DAY_MS = 24 * 60 * 60 * 1_000

export interface CertificateOptions {
  readonly cluster: ClusterReader
  /** `host:port` to connect to in place of the registered address, as behind `kubectl port-forward`. */
  readonly server: string | undefined
  /** A certificate that ends sooner is a problem, in days. */
  readonly days: number
  /** The command that has a certificate or caBundle made anew. */
  readonly mend: string
  readonly now: () => Date
}

/** The address of a webhook, and the CA certificates that verify it (PEM; empty if there are none). */
interface Endpoint extends ServerAddress { readonly caBundle: string }

/**
 * Whether what is really served is verified by the caBundle of each webhook, as the API server does it, and for how
 * long. One handshake an endpoint.
 */
export async function checkCertificate (wanted: readonly JsonObject[], options: CertificateOptions): Promise<CheckResult[]> {
  const live = await Promise.all(
    wanted.map(async (configuration) => await options.cluster.get(registrationPath(configuration)))
  )
  const endpoints = new Map<string, { endpoint: Endpoint, webhooks: string[] }>()
  for (const webhook of live.flatMap((answer) => answer.kind === 'found' ? webhooksOf(answer.object) : [])) {
    const endpoint = endpointOf(webhook, options.server)
    const key = JSON.stringify(endpoint)
    const known = endpoints.get(key) ?? { endpoint, webhooks: [] }
    known.webhooks.push(ownString(webhook, 'name'))
    endpoints.set(key, known)
  }
  return await Promise.all(
    Array.from(endpoints.values(), async ({ endpoint, webhooks }) => await endpointFinding(endpoint, webhooks, options))
  )
}

function endpointOf (webhook: JsonObject, server: string | undefined): Endpoint {
  const client = ownObject(webhook, 'clientConfig')
  const { serverName, port } = addressOf(client)
  const [, host = serverName, otherPort = port] = /^(.+):(\d+)$/.exec(server ?? '') ?? []
  return {
    serverName,
    host,
    port: Number(otherPort),
    caBundle: Buffer.from(ownString(client, 'caBundle'), 'base64').toString()
  }
}

/**
 * Source: admissionregistration.k8s.io/v1, WebhookClientConfig; the name that the certificate is to have is that of
 * apiserver, pkg/util/webhook.
 */
function addressOf (client: JsonObject): { serverName: string, port: unknown } {
  const service = own(client, 'service')
  if (isJsonObject(service)) {
    return {
      serverName: `${ownString(service, 'name')}.${ownString(service, 'namespace')}.svc`,
      port: own(service, 'port') ?? HTTPS_PORT
    }
  }
  const url = URL.parse(ownString(client, 'url'))
  return { serverName: url?.hostname ?? '', port: url?.port || HTTPS_PORT }
}

const HTTPS_PORT = 443

async function endpointFinding (endpoint: Endpoint, webhooks: readonly string[], { days, mend, now }: CertificateOptions): Promise<CheckResult> {
  const subject = `${endpoint.serverName}:${endpoint.port}, for ${webhooks.join(', ')}`
  const problem = (what: string): CheckResult => ({ check: CHECK, kind: 'problem', subject, what, mend })
  if (endpoint.caBundle === '') return problem('the caBundle is empty, so the API server cannot verify the server')
  const result = await probeServingCert(endpoint, endpoint.caBundle, {
    timeoutMs: HANDSHAKE_TIMEOUT_MS, checkName: true
  })
  if (result.kind === 'unreachable') {
    return {
      check: CHECK,
      kind: 'unknown',
      subject,
      what: `cannot be reached from here: ${result.reason}${forwardHint(endpoint)}`
    }
  }
  if (result.kind === 'unverified') { return problem(`the certificate that is served is not verified by the caBundle: ${result.reason}`) }
  const left = (result.notAfter.getTime() - now().getTime()) / DAY_MS
  return left < days
    ? problem(`the certificate that is served ends on ${result.notAfter.toISOString()}, in ${left.toFixed(1)} days`)
    : { check: CHECK, kind: 'well', subject, what: `is verified by the caBundle, and valid until ${result.notAfter.toISOString()}` }
}

/** How a Service of a cluster is reached from outside. */
function forwardHint ({ serverName }: Endpoint): string {
  const [, service, namespace] = /^([^.]+)\.([^.]+)\.svc$/.exec(serverName) ?? []
  if (service === undefined || namespace === undefined) return ''
  return `; from outside the cluster run: kubectl -n ${namespace} port-forward service/${service} 8443:443, and add --server 127.0.0.1:8443`
}

/** The patch that puts the certificates of a PEM text into every webhook of the configurations. */
export function caBundleCommand (wanted: readonly JsonObject[], caBundle: string): string {
  return wanted.map((configuration) => {
    const operations = webhooksOf(configuration).map((_, at) => ({
      op: 'add',
      path: `/webhooks/${at}/clientConfig/caBundle`,
      value: caBundle
    }))
    return patchCommand(configuration, operations)
  }).join(' && ')
}
