import { own, ownObject, ownObjects, ownStrings } from '../src/platform/json.ts'
import type { ObjectStore } from '../src/core/ports.ts'
import type { Peer } from './probe-serving-cert.ts'
import type { RegisteredClient } from './trust.ts'

/**
 * Where every replica can be found that the API server may call: at the addresses that are registered, and at those
 * behind a Service that is. Undefined where the latter cannot be read.
 */
export async function discoverReplicas (store: ObjectStore, clients: readonly RegisteredClient[], port: number): Promise<Peer[] | undefined> {
  const targets = new Map(clients.map(({ target }) => [JSON.stringify(target), target]))
  const peers: Peer[] = []
  for (const target of targets.values()) {
    if (target?.kind === 'url') peers.push(...peerAt(target.url))
    if (target?.kind !== 'service') continue
    const endpoints = await endpointsOf(store, target, port)
    if (endpoints === undefined) return undefined
    peers.push(...endpoints)
  }
  return [...new Map(peers.map((peer) => [JSON.stringify(peer), peer])).values()]
}

function peerAt (text: string): Peer[] {
  const url = URL.parse(text)
  if (url === null) return []
  const host = url.hostname.replace(/^\[|\]$/g, '') // of an IPv6 address
  return [{ host, port: url.port === '' ? 443 : Number(url.port), serverName: host }]
}

type ServiceTarget = NonNullable<RegisteredClient['target']> & { readonly kind: 'service' }

/** Every replica listens on the same port. Source: discovery.k8s.io/v1, EndpointSlice. */
async function endpointsOf (store: ObjectStore, { namespace, name }: ServiceTarget, port: number): Promise<Peer[] | undefined> {
  const read = await store.read(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, {
    labelSelector: `kubernetes.io/service-name=${name}`
  })
  if (read.kind !== 'found') return undefined
  return ownObjects(read.object, 'items').flatMap((slice) => ownObjects(slice, 'endpoints'))
    .filter((endpoint) => own(ownObject(endpoint, 'conditions'), 'serving') !== false)
    .flatMap((endpoint) => ownStrings(endpoint, 'addresses').slice(0, 1)).map((host) => ({ host, port, serverName: `${name}.${namespace}.svc` }))
}
