import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../src/platform/json.ts'
import { certificatesOf, type KnownCertificate } from './certificate-set.ts'

/** Whom one webhook of a configuration trusts, and where the API server reaches it. */
export interface RegisteredClient {
  /** Its place in the configuration. */
  readonly index: number
  readonly name: string
  readonly bundle: readonly KnownCertificate[]
  /** Whether the bundle holds what is no certificate, or the same one twice: to be written anew. */
  readonly unsound: boolean
  readonly target:
    | { readonly kind: 'url'; readonly url: string }
    | { readonly kind: 'service'; readonly namespace: string; readonly name: string }
    | undefined
}

/** A webhook configuration as it was read: the webhooks of this program in it, those of others left out. */
export interface Registration {
  readonly path: string
  readonly version: string
  readonly clients: readonly RegisteredClient[]
}

/** One operation of a JSON Patch (RFC 6902). */
export interface PatchOperation { readonly op: 'test' | 'add', readonly path: string, readonly value: string }

/**
 * Reads a MutatingWebhookConfiguration or ValidatingWebhookConfiguration; `names` are those of this program's webhooks.
 */
export function readRegistration (path: string, object: JsonObject, names: ReadonlySet<string>): Registration {
  const webhooks = own(object, 'webhooks')
  const clients = (Array.isArray(webhooks) ? webhooks : []).flatMap((webhook: unknown, index) =>
    isJsonObject(webhook) && names.has(ownString(webhook, 'name')) ? [readClient(webhook, index)] : [])
  return { path, version: ownString(ownObject(object, 'metadata'), 'resourceVersion'), clients }
}

function readClient (webhook: JsonObject, index: number): RegisteredClient {
  const config = ownObject(webhook, 'clientConfig')
  return {
    index,
    name: ownString(webhook, 'name'),
    ...readBundle(ownString(config, 'caBundle')),
    target: targetOf(config)
  }
}

function readBundle (base64: string): Pick<RegisteredClient, 'bundle' | 'unsound'> {
  const pem = Buffer.from(base64, 'base64').toString()
  try {
    const bundle = certificatesOf(pem)
    return { bundle, unsound: caBundleOf(bundle) !== base64 }
  } catch {
    return { bundle: [], unsound: true }
  }
}

function targetOf (config: JsonObject): RegisteredClient['target'] {
  const url = ownString(config, 'url')
  if (url !== '') return { kind: 'url', url }
  const service = ownObject(config, 'service')
  const name = ownString(service, 'name')
  return name === '' ? undefined : { kind: 'service', namespace: ownString(service, 'namespace'), name }
}

/** A `caBundle` of these certificates: base64 of PEM. */
export function caBundleOf (certificates: readonly KnownCertificate[]): string {
  return Buffer.from(certificates.map(({ certPem }) => certPem).join('')).toString('base64')
}

/** Whether the webhook trusts these certificates and no others. */
export function trustsExactly ({ bundle, unsound }: RegisteredClient, wanted: readonly KnownCertificate[]): boolean {
  const fingerprints = new Set(bundle.map(({ fingerprint }) => fingerprint))
  return (
    !unsound && fingerprints.size === wanted.length && wanted.every(({ fingerprint }) => fingerprints.has(fingerprint))
  )
}

/**
 * Gives the webhooks of this program the bundle that they lack, and touches nothing else. It fails where the
 * configuration has changed since it was read: so a replica that was stopped for a while cannot put an older bundle
 * over a newer one. Empty where nothing is to be done.
 */
export function bundlePatch ({ version, clients }: Registration, wanted: readonly KnownCertificate[]): PatchOperation[] {
  const wrong = clients.filter((client) => !trustsExactly(client, wanted))
  if (wrong.length === 0) return []
  const value = caBundleOf(wanted)
  return [
    { op: 'test', path: '/metadata/resourceVersion', value: version },
    ...wrong.flatMap(({ index, name }) => [
      { op: 'test' as const, path: `/webhooks/${index}/name`, value: name },
      { op: 'add' as const, path: `/webhooks/${index}/clientConfig/caBundle`, value }
    ])
  ]
}
