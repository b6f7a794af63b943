import { own, ownObject, ownString, type JsonObject } from '../platform/json.ts'

/** `metadata.generation`, which the API server increments with every change of the spec; 0 if unset. */
export function generationOf (object: JsonObject): number {
  const generation = own(ownObject(object, 'metadata'), 'generation')
  return typeof generation === 'number' ? generation : 0
}

/** Whether the object waits for its finalizers. */
export function isDeleting (object: JsonObject): boolean {
  return own(ownObject(object, 'metadata'), 'deletionTimestamp') !== undefined
}

/** RFC 3339 in whole seconds; empty before the API server sets it. */
export function createdAt (object: JsonObject): string {
  return ownString(ownObject(object, 'metadata'), 'creationTimestamp')
}

/** Empty if unset. */
export function uidOf (object: JsonObject): string {
  return ownString(ownObject(object, 'metadata'), 'uid')
}

/** `metadata.resourceVersion`, of an object or a list. Empty if unset. */
export function versionOf (object: JsonObject): string {
  return ownString(ownObject(object, 'metadata'), 'resourceVersion')
}

export function labelsOf (object: JsonObject): JsonObject {
  return ownObject(ownObject(object, 'metadata'), 'labels')
}

export function annotationsOf (object: JsonObject): JsonObject {
  return ownObject(ownObject(object, 'metadata'), 'annotations')
}

/** Empty if unset. */
export function annotationOf (object: JsonObject, key: string): string {
  return ownString(annotationsOf(object), key)
}

/** The object with an annotation; undefined removes it. */
export function withAnnotation (object: JsonObject, key: string, value: string | undefined): JsonObject {
  const { [key]: _, ...others } = annotationsOf(object)
  const annotations = value === undefined ? others : { ...others, [key]: value }
  return { ...object, metadata: { ...ownObject(object, 'metadata'), annotations } }
}

/** Source: apimachinery, TotalAnnotationSizeLimitB. */
export const MAX_ANNOTATION_BYTES = 256 * 1_024
const ENCODER = new TextEncoder()

/** What the API server limits: keys and values together. */
export function annotationBytes (annotations: JsonObject): number {
  return Object.entries(annotations).reduce((size, entry) => size + ENCODER.encode(entry.join('')).length, 0)
}

/**
 * Whether a `metadata.resourceVersion` is newer than another one of the same kind; also true if the two cannot be
 * compared, so that no change is lost. Source: KEP-5504, k8s.io/apimachinery/pkg/util/resourceversion.
 */
export function isNewerVersion (version: string, than: string): boolean {
  if (version === than) return false
  if (!COMPARABLE_VERSION.test(version) || !COMPARABLE_VERSION.test(than)) return true
  return version.length === than.length ? version > than : version.length > than.length
}

/** A decimal number of any size without leading zeros. */
const COMPARABLE_VERSION = /^[1-9]\d*$/

/** Empty if unset. */
export function keyOf (object: JsonObject): { readonly namespace: string, readonly name: string } {
  const metadata = ownObject(object, 'metadata')
  return { namespace: ownString(metadata, 'namespace'), name: ownString(metadata, 'name') }
}

/** In messages: `namespace/name`, or the name of a cluster-scoped object. */
export function fullName ({ namespace, name }: { readonly namespace: string, readonly name: string }): string {
  return namespace === '' ? name : `${namespace}/${name}`
}

/** `namespace/name`, in messages and as the key of maps and queues. */
export function keyText ({ namespace, name }: { readonly namespace: string, readonly name: string }): string {
  return [namespace, name].join('/') // V8 keeps the parts of a sum in memory beside the text
}

/** The inverse of `keyText`. */
export function parseKey (key: string): { readonly namespace: string, readonly name: string } {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** An instant as metav1.MicroTime; the API server requires the six fractional digits. */
export function microTime (date: Date): string {
  return date.toISOString().replace('Z', '000Z')
}
