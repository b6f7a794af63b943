import { isIP } from 'node:net'
import { checkServerIdentity, connect } from 'node:tls'
import type { ObjectStore } from '../src/core/ports.ts'
import { errorMessage } from '../src/platform/error-message.ts'
import { own, ownObject, ownObjects, ownStrings } from '../src/platform/json.ts'
import type { RegisteredClient } from './trust.ts'

/** The address of a server; `serverName` is the DNS name or IP address for which its certificate must be valid. */
export interface ServerAddress { readonly host: string, readonly port: number, readonly serverName: string }

/** `unverified`: the certificate is expired, signed by another CA or, if names are checked, issued for another name. */
export type HandshakeResult =
  | { readonly kind: 'verified', readonly notAfter: Date }
  | { readonly kind: 'unverified', readonly reason: string }
  | { readonly kind: 'unreachable', readonly reason: string }

/** `checkName`: whether the certificate must contain the server name. */
interface ProbeOptions { readonly timeoutMs?: number, readonly checkName?: boolean }

/** Verifies the served certificate against CA certificates (PEM) by a TLS handshake. Never rejects. */
export async function probeServingCert (
  { host, port, serverName }: ServerAddress, caPem: string, { timeoutMs = 2_000, checkName = false }: ProbeOptions = {}
): Promise<HandshakeResult> {
  const { promise, resolve } = Promise.withResolvers<HandshakeResult>()
  const fail = (reason: string): void => { resolve({ kind: 'unreachable', reason }) }
  const socket = connect({
    host,
    port,
    ca: caPem,
    servername: isIP(serverName) === 0 ? serverName : '',
    rejectUnauthorized: false,
    checkServerIdentity: (_host, certificate) => checkName ? checkServerIdentity(serverName, certificate) : undefined
  })
  socket.setTimeout(timeoutMs, () => { fail(`no handshake within ${timeoutMs / 1_000} s`) })
  socket.on('error', (error) => { fail(errorMessage(error)) })
  socket.once('close', () => { fail('connection closed during the handshake') })
  socket.once('secureConnect', () => {
    resolve(socket.authorized
      ? { kind: 'verified', notAfter: new Date(socket.getPeerCertificate().valid_to) }
      : { kind: 'unverified', reason: String(socket.authorizationError) })
  })
  const result = await promise
  socket.destroy()
  return result
}

/** All replicas that the webhooks reach, directly or behind a Service; undefined if its endpoints cannot be read. */
export async function discoverReplicas (
  store: ObjectStore, clients: readonly RegisteredClient[], port: number
): Promise<ServerAddress[] | undefined> {
  const targets = new Map(clients.map(({ target }) => [JSON.stringify(target), target]))
  const replicas: ServerAddress[] = []
  for (const target of targets.values()) {
    if (target?.kind === 'url') replicas.push(...addressOf(target.url))
    if (target?.kind !== 'service') continue
    const endpoints = await endpointsOf(store, target, port)
    if (endpoints === undefined) return undefined
    replicas.push(...endpoints)
  }
  return [...new Map(replicas.map((replica) => [JSON.stringify(replica), replica])).values()]
}

function addressOf (text: string): ServerAddress[] {
  const url = URL.parse(text)
  if (url === null) return []
  const host = url.hostname.replace(/^\[|\]$/g, '') // brackets of an IPv6 address
  return [{ host, port: url.port === '' ? 443 : Number(url.port), serverName: host }]
}

type ServiceTarget = NonNullable<RegisteredClient['target']> & { readonly kind: 'service' }

/** All replicas listen on the same port. Source: discovery.k8s.io/v1, EndpointSlice. */
async function endpointsOf (
  store: ObjectStore, { namespace, name }: ServiceTarget, port: number
): Promise<ServerAddress[] | undefined> {
  const read = await store.read(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
    { labelSelector: `kubernetes.io/service-name=${name}` })
  if (read.kind !== 'found') return undefined
  return ownObjects(read.object, 'items').flatMap((slice) => ownObjects(slice, 'endpoints'))
    .filter((endpoint) => own(ownObject(endpoint, 'conditions'), 'serving') !== false)
    .flatMap((endpoint) => ownStrings(endpoint, 'addresses').slice(0, 1))
    .map((host) => ({ host, port, serverName: `${name}.${namespace}.svc` }))
}
