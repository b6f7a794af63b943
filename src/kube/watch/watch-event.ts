import { ownObject, ownString, type JsonObject } from '../../platform/json.ts'
import { parseObject, readStatus, versionedObject, type Status, type VersionedObject } from '../client/responses.ts'

/** One line of a watch. Source: Kubernetes API concepts, "Efficient detection of changes". */
export type WatchEvent =
  | { readonly kind: 'upsert' | 'remove', readonly item: VersionedObject }
  /** `complete`: marks the end of the initial objects. */
  | { readonly kind: 'bookmark', readonly version: string, readonly complete: boolean }
  | { readonly kind: 'error', readonly status: Status }
  | { readonly kind: 'unreadable' }

/** Never throws: a malformed line is unreadable. */
export function readWatchEvent (line: string): WatchEvent {
  const event = parseObject(line)
  const object = ownObject(event, 'object')
  switch (ownString(event, 'type')) {
    case 'ADDED':
    case 'MODIFIED': return itemEvent('upsert', object)
    case 'DELETED': return itemEvent('remove', object)
    case 'BOOKMARK': return bookmark(ownObject(object, 'metadata'))
    case 'ERROR': return { kind: 'error', status: readStatus(object) }
    default: return { kind: 'unreadable' }
  }
}

function itemEvent (kind: 'upsert' | 'remove', object: JsonObject): WatchEvent {
  const item = versionedObject(object)
  return item === undefined ? { kind: 'unreadable' } : { kind, item }
}

/** Source: metav1.InitialEventsAnnotationKey. */
const COMPLETE = 'k8s.io/initial-events-end'

function bookmark (metadata: JsonObject): WatchEvent {
  const version = ownString(metadata, 'resourceVersion')
  return version === ''
    ? { kind: 'unreadable' }
    : { kind: 'bookmark', version, complete: ownString(ownObject(metadata, 'annotations'), COMPLETE) === 'true' }
}
