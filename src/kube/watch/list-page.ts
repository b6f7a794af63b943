import { own, ownObject, ownString } from '../../platform/json.ts'
import { ListWatchError } from './list-watch-error.ts'
import { parseObject, versionedObject, type VersionedObject } from './versioned-object.ts'

/** One page of a list. */
export interface ListPage {
  readonly items: readonly VersionedObject[]
  /** Of the list as a whole: every change up to it is in. */
  readonly version: string
  /** The token of the next page; empty on the last one. */
  readonly next: string
}

/**
 * Throws a Trouble where the text is not a list. Source: Kubernetes API concepts, "Retrieving large results sets in
 * chunks".
 */
export function readListPage (text: string): ListPage {
  const list = parseObject(text)
  const metadata = ownObject(list, 'metadata')
  const version = ownString(metadata, 'resourceVersion')
  const items = own(list, 'items') ?? []
  if (version === '' || !Array.isArray(items)) { throw new ListWatchError('unreadable', 'an answer is not a list with a resourceVersion') }
  return { items: items.map(listedObject), version, next: ownString(metadata, 'continue') }
}

function listedObject (value: unknown): VersionedObject {
  const item = versionedObject(value)
  if (item === undefined) {
    throw new ListWatchError(
      'unreadable',
      'a list holds something that is not an object with a name and a resourceVersion'
    )
  }
  return item
}
