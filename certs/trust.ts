import { versionOf } from '../src/api/object-meta.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../src/platform/json.ts'
import { certificatesOf, type KnownCertificate } from './certificate-set.ts'

/** One webhook of a configuration: the CAs that it trusts and the address that the API server calls. */
export interface RegisteredClient {
  /** Its index in the configuration. */
  readonly index: number
  readonly name: string
  readonly bundle: readonly KnownCertificate[]
  /** The bundle is not what `caBundleOf` writes, for example because of a duplicate or other content. */
  readonly unsound: boolean
  readonly target:
    | { readonly kind: 'url'; readonly url: string }
    | { readonly kind: 'service'; readonly namespace: string; readonly name: string }
    | undefined
}

/** A webhook configuration, reduced to the webhooks of this program. */
export interface Registration {
  readonly path: string
  readonly version: string
  readonly clients: readonly RegisteredClient[]
}

/** One operation of a JSON Patch (RFC 6902). */
interface BundleOperation { readonly op: 'test' | 'add', readonly path: string, readonly value: string }

/** Reads a MutatingWebhookConfiguration or ValidatingWebhookConfiguration; `names` are this program's webhooks. */
export function readRegistration (path: string, object: JsonObject, names: ReadonlySet<string>): Registration {
  const webhooks = own(object, 'webhooks')
  const clients = (Array.isArray(webhooks) ? webhooks : []).flatMap((webhook: unknown, index) =>
    isJsonObject(webhook) && names.has(ownString(webhook, 'name')) ? [readClient(webhook, index)] : [])
  return { path, version: versionOf(object), clients }
}

/** Base64 of PEM. */
export function caBundleOf (certificates: readonly KnownCertificate[]): string {
  return Buffer.from(certificates.map(({ certPem }) => certPem).join('')).toString('base64')
}

export function trusts ({ bundle }: RegisteredClient, { fingerprint }: KnownCertificate): boolean {
  return bundle.some((certificate) => certificate.fingerprint === fingerprint)
}

/** Whether the webhook trusts these certificates and no others. */
export function trustsExactly (client: RegisteredClient, target: readonly KnownCertificate[]): boolean {
  const { bundle, unsound } = client
  return !unsound && bundle.length === target.length && target.every((certificate) => trusts(client, certificate))
}

/** Sets each bundle that differs; empty if none does. Fails if the configuration has changed since it was read. */
export function bundlePatch (
  { version, clients }: Registration, target: readonly KnownCertificate[]
): BundleOperation[] {
  const outdated = clients.filter((client) => !trustsExactly(client, target))
  if (outdated.length === 0) return []
  const value = caBundleOf(target)
  return [
    { op: 'test', path: '/metadata/resourceVersion', value: version },
    ...outdated.flatMap(({ index, name }): BundleOperation[] => [
      { op: 'test', path: `/webhooks/${index}/name`, value: name },
      { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value }
    ])
  ]
}

function readClient (webhook: JsonObject, index: number): RegisteredClient {
  const config = ownObject(webhook, 'clientConfig')
  const bundle = readBundle(ownString(config, 'caBundle'))
  return { index, name: ownString(webhook, 'name'), ...bundle, target: targetOf(config) }
}

function readBundle (base64: string): Pick<RegisteredClient, 'bundle' | 'unsound'> {
  try {
    const bundle = certificatesOf(Buffer.from(base64, 'base64').toString())
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
