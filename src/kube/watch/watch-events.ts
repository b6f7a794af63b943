import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import { annotationOf, versionOf } from '../../api/object-meta.ts'
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
    case 'BOOKMARK': return bookmark(object)
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

function bookmark (object: JsonObject): WatchEvent {
  const version = versionOf(object)
  return version === ''
    ? { kind: 'unreadable' }
    : { kind: 'bookmark', version, complete: annotationOf(object, COMPLETE) === 'true' }
}

const NEWLINE = 0x0a

/**
 * How long lines may follow each other, in milliseconds. One chunk may hold hundreds, and reviews must not wait for
 * all.
 */
const TURN_MS = 1

/**
 * The lines of a stream in UTF-8 as they arrive, including a last one without its newline. Takes time linear in the
 * bytes, whatever the chunks, and yields to the event loop regularly.
 */
export async function * splitLines (stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let partial: Uint8Array[] = []
  let since = performance.now()
  for await (const chunk of stream) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      partial.push(chunk.subarray(start, end))
      yield textOf(partial)
      partial = []
      start = end + 1
      if (performance.now() - since > TURN_MS) {
        await yieldToEventLoop()
        since = performance.now()
      }
    }
    if (start < chunk.length) partial.push(chunk.subarray(start))
  }
  if (partial.length > 0) yield textOf(partial)
}

/** Decodes a line as a whole, because a chunk may end within a character. */
function textOf (pieces: readonly Uint8Array[]): string {
  return Buffer.concat(pieces).toString('utf8')
}
