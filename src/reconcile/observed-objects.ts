import { ownObject, ownString, type JsonObject } from '../platform/json.ts'
import { uidOf } from '../api/object-meta.ts'
import type { ObjectKey, ObjectSink } from '../core/ports.ts'
import { isNewerVersion } from '../api/object-meta.ts'

/** What is known of a stored object beside what the rules read of it. */
export interface Observed<T> {
  readonly uid: string
  /** A write with this `metadata.resourceVersion` is refused where the object has changed since. */
  readonly version: string
  readonly status: T
}

/**
 * The status of every object of a kind, as far as this program writes it: what a write has to be compared with, and
 * what makes it safe.
 */
export class ObservedObjects<T> implements ObjectSink {
  readonly #read: (object: JsonObject) => T
  readonly #observed = new Map<string, Observed<T>>()

  /** `read` takes the own part of an object's status. */
  constructor (read: (object: JsonObject) => T) {
    this.#read = read
  }

  get ({ namespace, name }: ObjectKey): Observed<T> | undefined {
    return this.#observed.get(`${namespace}/${name}`)
  }

  /** Also fed with the answers to writes, which a watch repeats later: what is not newer is passed over. */
  upsert (object: JsonObject): void {
    const metadata = ownObject(object, 'metadata')
    const key = `${ownString(metadata, 'namespace')}/${ownString(metadata, 'name')}`
    const version = ownString(metadata, 'resourceVersion')
    const known = this.#observed.get(key)
    if (known === undefined || isNewerVersion(version, known.version)) {
      this.#observed.set(key, { uid: uidOf(object), version, status: this.#read(object) })
    }
  }

  remove ({ namespace, name }: ObjectKey): void {
    this.#observed.delete(`${namespace}/${name}`)
  }
}
