import type { Kind } from '../api/kinds.ts'
import type { JsonObject } from '../platform/json.ts'

/** Where an object lives: `namespace` is empty for a cluster-scoped object. */
export interface ObjectKey { readonly namespace: string, readonly name: string }

/**
 * Receives the objects of one kind, from a cluster or a folder of manifests, whole and in any order. Synchronous.
 * A call that throws counts against that object alone. The caller keeps no object; it reports each removal.
 */
export interface ObjectSink {
  /** Adds or replaces an object. */
  upsert (object: JsonObject): void
  remove (key: ObjectKey): void
}

/** The fields of a kind that its served definition has. */
export interface ServedFields {
  /** `path`: property names from the root of an object. A list stands for its items. */
  has (...path: readonly string[]): boolean
  /** What values an AIMService can have at a path. A number in it stands for the items of a list. */
  shapeOf (path: ReadonlyArray<string | number>): FieldShape
}

/** `unknown`: the definition allows values of several kinds. `names`: the fields of an object that it lists. */
export interface FieldShape {
  readonly kind: 'missing' | 'unknown' | 'object' | 'list' | 'scalar'
  readonly names: readonly string[]
}

/** The definitions of the three kinds, as the API server serves them. Those of AIMService change at any time. */
export interface Definitions {
  fieldsOf (kind: Kind['kind']): ServedFields
  /** Milliseconds since the last change; Infinity without one. */
  sinceChange (): number
  /** Reads the definitions now. Never rejects. */
  refresh (): Promise<void>
}

/** `conflict`: the object has changed since it was read. `reason` is one line. */
export type WriteResult =
  | { readonly kind: 'written', readonly object: JsonObject }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'gone' }
  /** `invalid`: the definition of the kind does not allow the object, so the same write fails again. */
  | { readonly kind: 'failed', readonly reason: string, readonly invalid?: boolean }

/** The API server did not process the request (no response, 429 or 5xx). */
export interface Unavailable {
  readonly kind: 'unavailable'
  /** `server`: no connection, 429, or 503 with Retry-After. `object`: others may succeed (another 5xx, a timeout). */
  readonly scope: 'object' | 'server'
  readonly reason: string
  /** From the response, in milliseconds; 0 if absent. */
  readonly retryAfterMs: number
}

/** `reason` is one line. */
export type ReadResult =
  | { readonly kind: 'found', readonly object: JsonObject }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed', readonly reason: string }

/** Single objects of the API server, by path. A read sees every earlier acknowledged write. No method rejects. */
export interface ObjectStore {
  read (path: string, query?: Readonly<Record<string, string>>): Promise<ReadResult>
  /** `conflict` if an object of that name exists. */
  create (collection: string, object: JsonObject): Promise<WriteResult>
  /** `conflict` if `metadata.resourceVersion` is no longer current. */
  replace (path: string, object: JsonObject): Promise<WriteResult>
  /** A JSON Patch (RFC 6902); `conflict` if one of its tests fails. */
  patch (path: string, operations: readonly object[]): Promise<WriteResult>
}

/** One object, in the version that was read. */
interface WriteTarget { readonly kind: Kind, readonly key: ObjectKey, readonly uid: string, readonly version: string }

/** The writes of the reconciler. No method rejects. */
export interface ObjectWriter {
  /** Applies this program's part of a status, unless uid or version differ from the target's. */
  applyStatus (target: WriteTarget, status: object): Promise<WriteResult | Unavailable>
  /** Runs admission for a stored service again, by a patch without changes. */
  triggerAdmission (key: ObjectKey): Promise<WriteResult | Unavailable>
}

/** A transition of an object, to be recorded as a Kubernetes Event. */
export interface TransitionEvent {
  readonly regarding: ObjectKey & { readonly kind: Kind['kind'], readonly uid: string }
  readonly type: 'Normal' | 'Warning'
  /** One CamelCase word, as in a condition. */
  readonly reason: string
  /** One CamelCase word: what was done or found. */
  readonly action: string
  readonly note: string
}

/** Best effort. */
export interface EventSink { record (event: TransitionEvent): void }

/** A constant sentence and its keys. A pino logger implements it. */
export interface Log {
  info (keys: object, sentence: string): void
  warn (keys: object, sentence: string): void
  error (keys: object, sentence: string): void
}
