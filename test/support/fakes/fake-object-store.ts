import jsonpatch from 'fast-json-patch'
import type { ObjectStore, ReadResult, WriteResult } from '../../../src/core/ports.ts'
import type { JsonObject } from '../../../src/platform/json.ts'

/** An in-memory object store with versions like those of the API server. */
export class FakeObjectStore implements ObjectStore {
  readonly objects = new Map<string, JsonObject>()
  /** Successful writes, as `method path`. */
  readonly writes: string[] = []
  /** Failures by path; `write PATH` fails writes only. */
  readonly failing = new Map<string, string>()
  #version = 0

  /** Stores an object, as another client does. */
  put (path: string, object: JsonObject): void {
    this.#store(path, object)
  }

  async read (path: string): Promise<ReadResult> {
    const reason = this.failing.get(path)
    if (reason !== undefined) return { kind: 'failed', reason }
    const object = this.objects.get(path)
    return object === undefined ? { kind: 'missing' } : { kind: 'found', object: structuredClone(object) }
  }

  async create (collection: string, object: JsonObject): Promise<WriteResult> {
    const path = `${collection}/${(object['metadata'] as { name: string }).name}`
    return this.objects.has(path) ? { kind: 'conflict' } : this.#write('create', path, object)
  }

  async replace (path: string, object: JsonObject): Promise<WriteResult> {
    const known = this.objects.get(path)
    if (known === undefined) return { kind: 'gone' }
    return versionOf(known) === versionOf(object) ? this.#write('replace', path, object) : { kind: 'conflict' }
  }

  async patch (path: string, operations: readonly object[]): Promise<WriteResult> {
    const known = this.objects.get(path)
    if (known === undefined) return { kind: 'gone' }
    try {
      const { newDocument } = jsonpatch.applyPatch(structuredClone(known), operations as jsonpatch.Operation[], true)
      return this.#write('patch', path, newDocument)
    } catch {
      return { kind: 'conflict' }
    }
  }

  #write (method: string, path: string, object: JsonObject): WriteResult {
    const reason = this.failing.get(`write ${path}`)
    if (reason !== undefined) return { kind: 'failed', reason }
    this.writes.push(`${method} ${path.slice(path.lastIndexOf('/', path.lastIndexOf('/') - 1) + 1)}`)
    return { kind: 'written', object: this.#store(path, object) }
  }

  #store (path: string, object: JsonObject): JsonObject {
    const stored = {
      ...structuredClone(object),
      metadata: { ...(object['metadata'] as object), resourceVersion: String(++this.#version) }
    }
    this.objects.set(path, stored)
    return stored
  }
}

function versionOf (object: JsonObject): unknown {
  return (object['metadata'] as JsonObject)['resourceVersion']
}
