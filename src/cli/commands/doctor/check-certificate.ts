import { probeServingCert, type ServerAddress } from '../../../../certs/replicas.ts'
import { isJsonObject, own, ownObject, ownObjects, ownString, type JsonObject } from '../../../platform/json.ts'
import type { LiveConfiguration } from './check-objects.ts'
import type { CheckResult } from './format.ts'

const HANDSHAKE_TIMEOUT_MS = 5_000
const DAY_MS = 24 * 60 * 60 * 1_000
const HTTPS_PORT = 443

export interface CertificateOptions {
  /** `host:port` to connect to instead of the registered address. */
  readonly server: string | undefined
  /** A certificate that expires sooner, in days, is a problem. */
  readonly days: number
  /** The commands that renew the certificate, and the caBundle, if there are such. */
  readonly fixes: { readonly expiry: string | undefined, readonly trust: string | undefined }
}

/** The address of a webhook, and the CA certificates that verify it (PEM; can be empty). */
interface Endpoint extends ServerAddress { readonly caBundle: string }

/** Whether the caBundle of each webhook verifies the served certificate, and how long. One handshake per endpoint. */
export async function checkCertificate (
  configurations: readonly LiveConfiguration[], options: CertificateOptions
): Promise<CheckResult[]> {
  const webhooks = configurations.flatMap(({ live }) =>
    live.kind === 'found' ? ownObjects(live.object, 'webhooks') : [])
  const endpoints = Map.groupBy(webhooks, (webhook) => JSON.stringify(endpointOf(webhook, options.server)))
  return await Promise.all(Array.from(endpoints.values(), async (sameEndpoint) => {
    const endpoint = endpointOf(sameEndpoint[0] ?? {}, options.server)
    const names = sameEndpoint.map((webhook) => ownString(webhook, 'name')).join(', ')
    return await endpointResult(endpoint, `${endpoint.serverName}:${endpoint.port}, for ${names}`, options)
  }))
}

export function endpointOf (webhook: JsonObject, server = ''): Endpoint {
  const client = ownObject(webhook, 'clientConfig')
  const { serverName, port } = addressOf(client)
  const [, host = serverName, otherPort = port] = /^(.+):(\d+)$/.exec(server) ?? []
  const caBundle = Buffer.from(ownString(client, 'caBundle'), 'base64').toString()
  return { serverName, host, port: Number(otherPort), caBundle }
}

/** Source: admissionregistration.k8s.io/v1, WebhookClientConfig; for the name, apiserver, pkg/util/webhook. */
function addressOf (client: JsonObject): { readonly serverName: string, readonly port: unknown } {
  const service = own(client, 'service')
  if (isJsonObject(service)) {
    const serverName = `${ownString(service, 'name')}.${ownString(service, 'namespace')}.svc`
    return { serverName, port: own(service, 'port') ?? HTTPS_PORT }
  }
  const url = URL.parse(ownString(client, 'url'))
  return { serverName: url?.hostname ?? '', port: url?.port || HTTPS_PORT }
}

async function endpointResult (
  endpoint: Endpoint, subject: string, { days, fixes }: CertificateOptions
): Promise<CheckResult> {
  const about = { check: 'certificate', subject } as const
  const problem = (what: string, fix: string | undefined): CheckResult =>
    ({ ...about, kind: 'problem', what, fix, details: fix === undefined ? [what, ELSEWHERE] : undefined })
  if (endpoint.caBundle === '') {
    return problem('the caBundle is empty, so the API server cannot verify the server', fixes.trust)
  }
  const timeout = { timeoutMs: HANDSHAKE_TIMEOUT_MS, checkName: true }
  const result = await probeServingCert(endpoint, endpoint.caBundle, timeout)
  if (result.kind === 'unreachable') {
    return { ...about, kind: 'unknown', what: `is not reachable from here: ${result.reason}${forwardHint(endpoint)}` }
  }
  if (result.kind === 'unverified') {
    return problem(`the caBundle does not verify the served certificate: ${result.reason}`, fixes.trust)
  }
  const left = (result.notAfter.getTime() - Date.now()) / DAY_MS
  const expiry = result.notAfter.toISOString()
  if (left < days) {
    return problem(`the served certificate expires on ${expiry}, in ${left.toFixed(1)} days`, fixes.expiry)
  }
  return { ...about, kind: 'ok', what: `the caBundle verifies the served certificate, which expires on ${expiry}` }
}

const ELSEWHERE = 'renew it where this certificate comes from'

/** How to reach a Service from outside its cluster. */
function forwardHint ({ serverName }: Endpoint): string {
  const [, service, namespace] = /^([^.]+)\.([^.]+)\.svc$/.exec(serverName) ?? []
  if (service === undefined || namespace === undefined) return ''
  return '; from outside the cluster run: ' +
    `kubectl -n ${namespace} port-forward service/${service} 8443:443, and add --server 127.0.0.1:8443`
}
