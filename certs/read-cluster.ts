import { GROUP } from '../src/api/meta.ts'
import { ownObject, ownString, type JsonObject } from '../src/platform/json.ts'
import type { ObjectStore } from '../src/core/ports.ts'
import { readCertificateSet } from './certificate-set.ts'
import type { RotationRequest, StoredSet } from './rotate.ts'
import { readRegistration, type Registration } from './trust.ts'

/** On the Secret: `ca` or `leaf` has that one changed now. Taken away once it is under way. */
export const ROTATE_ANNOTATION = `${GROUP}/rotate`

/** Which objects the certificates of one installation are kept in. */
export interface CertificateObjects {
  readonly secret: { readonly namespace: string, readonly name: string }
  /** Name of the MutatingWebhookConfiguration and of the ValidatingWebhookConfiguration. */
  readonly configuration: string
  /** Names of this program's webhooks in them. */
  readonly webhookNames: ReadonlySet<string>
}

export interface ClusterView {
  /** Undefined where one of them could not be read. */
  readonly registrations: readonly Registration[] | undefined
  readonly stored: StoredSet
  /** The Secret as it was read, usable or not. */
  readonly secret: JsonObject | undefined
  /** Why the Secret that is there cannot be used. */
  readonly unusable: string | undefined
  /** What could not be read. One line. */
  readonly trouble: string | undefined
}

export function secretsPath ({ namespace }: CertificateObjects['secret']): string {
  return `/api/v1/namespaces/${namespace}/secrets`
}

/**
 * Reads the webhook configurations, and the Secret after them. In this order: a bundle that is computed from the
 * Secret, and written on condition that its configuration is still the one that was read, can then never be older than
 * the bundle that it replaces.
 */
export async function readCluster (store: ObjectStore, { secret, configuration, webhookNames }: CertificateObjects): Promise<ClusterView> {
  const registrations: Registration[] = []
  const troubles: string[] = []
  for (const kind of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']) {
    const path = `/apis/admissionregistration.k8s.io/v1/${kind}/${configuration}`
    const read = await store.read(path)
    if (read.kind === 'found') registrations.push(readRegistration(path, read.object, webhookNames))
    if (read.kind === 'failed') troubles.push(`${kind}/${configuration}: ${read.reason}`)
  }
  const known = troubles.length === 0 ? registrations : undefined
  const read = await store.read(`${secretsPath(secret)}/${secret.name}`)
  const view = storedIn(read)
  if (read.kind === 'failed') troubles.push(`secrets/${secret.name}: ${read.reason}`)
  if (view.stored.kind === 'foreign') { troubles.push(`secrets/${secret.name} holds something else; name another by --cert-secret, or delete it`) }
  return { registrations: known, ...view, trouble: troubles.length === 0 ? undefined : troubles.join('; ') }
}

function storedIn (read: Awaited<ReturnType<ObjectStore['read']>>): Pick<ClusterView, 'stored' | 'secret' | 'unusable'> {
  if (read.kind !== 'found') { return { stored: { kind: read.kind === 'missing' ? 'lost' : 'unknown' }, secret: undefined, unusable: undefined } }
  const set = readCertificateSet(ownObject(read.object, 'data'))
  if (typeof set === 'string') { return { stored: { kind: isForeign(read.object) ? 'foreign' : 'lost' }, secret: read.object, unusable: set } }
  return { stored: { kind: 'found', set, request: requestOf(read.object) }, secret: read.object, unusable: undefined }
}

/** The label of the Secrets that this program makes. */
export const MANAGED_BY = { 'app.kubernetes.io/managed-by': GROUP }

function isForeign (secret: JsonObject): boolean {
  const labels = ownObject(ownObject(secret, 'metadata'), 'labels')
  const values = Object.values(ownObject(secret, 'data'))
  return ownString(labels, 'app.kubernetes.io/managed-by') !== GROUP && values.some((value) => value !== '')
}

function requestOf (secret: JsonObject): RotationRequest {
  const request = ownString(ownObject(ownObject(secret, 'metadata'), 'annotations'), ROTATE_ANNOTATION)
  return request === 'ca' || request === 'leaf' ? request : undefined
}
