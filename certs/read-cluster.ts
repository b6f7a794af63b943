import { PREFIX } from '../src/api/meta.ts'
import { annotationOf, labelsOf } from '../src/api/object-meta.ts'
import type { ObjectKey, ObjectStore, ReadResult } from '../src/core/ports.ts'
import { ownObject, ownString, type JsonObject } from '../src/platform/json.ts'
import { readCertificateSet } from './certificate-set.ts'
import type { StoredSet } from './rotate.ts'
import { readRegistration, type Registration } from './trust.ts'

/** Annotation of the Secret: `ca` or `leaf` requests a rotation. Removed when the rotation starts. */
export const ROTATE_ANNOTATION = `${PREFIX}/rotate`

/** Label of the Secrets that this program creates. */
export const MANAGED_BY = { 'app.kubernetes.io/managed-by': PREFIX }

/** The objects that hold the certificates of one installation. */
export interface CertificateObjects {
  readonly secret: ObjectKey
  /** Name of both the MutatingWebhookConfiguration and the ValidatingWebhookConfiguration. */
  readonly configuration: string
  /** Names of this program's webhooks in them. */
  readonly webhookNames: ReadonlySet<string>
}

export interface ClusterView {
  /** Undefined if one of them could not be read. */
  readonly registrations: readonly Registration[] | undefined
  readonly stored: StoredSet
  /** The Secret as read, usable or not. */
  readonly secret: JsonObject | undefined
  /** Why the existing Secret is unusable. */
  readonly unusable: string | undefined
  /** What could not be read. One line. */
  readonly problem: string | undefined
}

export function secretsPath ({ namespace }: CertificateObjects['secret']): string {
  return `/api/v1/namespaces/${namespace}/secrets`
}

/** Reads the configurations before the Secret: then no bundle is older than the one that it replaces. */
export async function readCluster (
  store: ObjectStore, { secret, configuration, webhookNames }: CertificateObjects
): Promise<ClusterView> {
  const registrations: Registration[] = []
  const problems: string[] = []
  for (const kind of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']) {
    const path = `/apis/admissionregistration.k8s.io/v1/${kind}/${configuration}`
    const result = await store.read(path)
    if (result.kind === 'found') registrations.push(readRegistration(path, result.object, webhookNames))
    if (result.kind === 'failed') problems.push(`${kind}/${configuration}: ${result.reason}`)
  }
  const known = problems.length === 0 ? registrations : undefined
  const result = await store.read(`${secretsPath(secret)}/${secret.name}`)
  const view = storedIn(result)
  if (result.kind === 'failed') problems.push(`secrets/${secret.name}: ${result.reason}`)
  if (view.stored.kind === 'foreign') {
    problems.push(`secrets/${secret.name} contains other data; set another name with --cert-secret, or delete it`)
  }
  return { registrations: known, ...view, problem: problems.length === 0 ? undefined : problems.join('; ') }
}

function storedIn (result: ReadResult): Pick<ClusterView, 'stored' | 'secret' | 'unusable'> {
  if (result.kind !== 'found') {
    const kind = result.kind === 'missing' ? 'lost' : 'unknown'
    return { stored: { kind }, secret: undefined, unusable: undefined }
  }
  const { object } = result
  const set = readCertificateSet(ownObject(object, 'data'))
  if (typeof set === 'string') {
    return { stored: { kind: isForeign(object) ? 'foreign' : 'lost' }, secret: object, unusable: set }
  }
  const asked = annotationOf(object, ROTATE_ANNOTATION)
  const request = asked === 'ca' || asked === 'leaf' ? asked : undefined
  return { stored: { kind: 'found', set, request }, secret: object, unusable: undefined }
}

function isForeign (secret: JsonObject): boolean {
  const values = Object.values(ownObject(secret, 'data'))
  return ownString(labelsOf(secret), 'app.kubernetes.io/managed-by') !== PREFIX && values.some((value) => value !== '')
}
