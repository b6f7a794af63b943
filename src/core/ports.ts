import type { Kind } from '../api/kinds.ts'
import type { ParentReference } from '../api/runtime-config.ts'
import type { ConfigRef } from './settings/resolve.ts'
import type { RuntimeConfig } from './settings/runtime-config.ts'
import type { Service } from './settings/service.ts'
import type { JsonObject } from '../platform/json.ts'

export interface ServiceKey { readonly namespace: string, readonly name: string }

/** Where configurations are looked up. Synchronous: answers come from a cache, never from the network. */
export interface ConfigLookup {
  namespaced (namespace: string, name: string): RuntimeConfig | undefined
  cluster (name: string): RuntimeConfig | undefined
}

/** A claim to a path: `gatewayRef.namespace` is already filled in. */
export interface PathClaim {
  readonly service: ServiceKey
  readonly gateway: ParentReference
  readonly path: string
}

/** A claim of a stored service. */
export interface HeldPath extends PathClaim {
  /** RFC 3339 creation time of the service; empty where unknown. */
  readonly since: string
}

/** Which paths the known services hold. */
export interface PathIndex {
  /** The other services that hold this very path on an overlapping gateway, the oldest first. */
  holders (claim: PathClaim): readonly HeldPath[]
  /** Another service below this path on an overlapping gateway (this one covers it). */
  covered (claim: PathClaim): PathClaim | undefined
  /** Another service above this path on an overlapping gateway (it covers this one). */
  covering (claim: PathClaim): PathClaim | undefined
}

/** Where an object lives: `namespace` is empty for a cluster-scoped one. */
export interface ObjectKey { readonly namespace: string, readonly name: string }

/**
 * What the objects of one kind are fed into as they come, change and go, from a cluster or from a folder of manifests.
 * Synchronous. A call that throws counts against that object alone. Objects come whole, in any order, and are not kept
 * by the caller: a sink keeps only what it reads. Whoever feeds it knows what is there, and removes what has gone.
 */
export interface ObjectSink {
  /** An object that is new or has changed. */
  upsert (object: JsonObject): void
  remove (key: ObjectKey): void
}

/** What became of a write. `outdated`: the object has changed since it was read. `failed`: one line that says why. */
export type WriteResult =
  | { readonly kind: 'written', readonly object: JsonObject }
  | { readonly kind: 'outdated' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed', readonly reason: string }

/** Whoever is asked cannot answer at the moment, whatever the object: no answer came, or one that says so. */
export interface Unavailable {
  readonly kind: 'unavailable'
  readonly reason: string
  /** How long it asks to wait, in milliseconds; 0 where it does not say. */
  readonly retryAfterMs: number
}

/** What became of reading an object. `failed`: one line that says why. */
export type ReadResult =
  | { readonly kind: 'found', readonly object: JsonObject }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed', readonly reason: string }

/**
 * Single objects of the API server, by their paths. A read sees every write that was answered before it. None rejects.
 */
export interface ObjectStore {
  read (path: string, query?: Readonly<Record<string, string>>): Promise<ReadResult>
  /** `outdated` where there is one of that name already. */
  create (collection: string, object: JsonObject): Promise<WriteResult>
  /** `outdated` where the object is no longer of the version that `metadata` names. */
  replace (path: string, object: JsonObject): Promise<WriteResult>
  /** A JSON Patch (RFC 6902); `outdated` where one of its tests does not hold. */
  patch (path: string, operations: readonly object[]): Promise<WriteResult>
}

/** One object as it was read. */
export interface WriteTarget {
  readonly kind: Kind
  readonly key: ObjectKey
  readonly uid: string
  readonly version: string
}

/** The writes of the reconciler. None rejects. */
export interface ObjectWriter {
  /**
   * Applies this program's part of an object's status, unless the object is another, or has changed since that version.
   */
  applyStatus (target: WriteTarget, status: object): Promise<WriteResult | Unavailable>
  /** Has the API server run admission for a service anew, by a change that changes nothing. */
  triggerAdmission (key: ServiceKey): Promise<WriteResult | Unavailable>
}

/** A transition of an object that its owner is to be told of. */
export interface TransitionEvent {
  readonly regarding: {
    readonly kind: Kind['kind']
    readonly namespace: string
    readonly name: string
    readonly uid: string
  }
  readonly type: 'Normal' | 'Warning'
  /** One word, as in a condition. */
  readonly reason: string
  /** What was done or found out, as one word. */
  readonly action: string
  readonly note: string
}

/** Tells of transitions, best effort. */
export interface EventSink {
  record (event: TransitionEvent): void
}

/** What is told to operators: a constant sentence and its keys. A pino logger is one. */
export interface Log {
  info (keys: object, sentence: string): void
  warn (keys: object, sentence: string): void
  error (keys: object, sentence: string): void
}

/** The known services. */
export interface ServiceLookup {
  /** Those that name this configuration, in one namespace or in all. */
  users (configName: string, namespace?: string): Iterable<Service>
}

/** Everything the rules ask about. */
export interface World {
  readonly configs: ConfigLookup
  readonly paths: PathIndex
  readonly services: ServiceLookup
  readonly pendingConfigs: PendingConfigs
}

/** Configurations that are on their way from the API server to the caches. */
export interface PendingConfigs {
  /** A configuration has been admitted, and will be stored unless another webhook refuses it. */
  announce (config: RuntimeConfig): void
  /** Whether the configuration was unknown a moment ago, so that another replica may not know it yet. */
  isRecent (config: RuntimeConfig): boolean
  /**
   * Resolves when what the reference waits for is there, or is waited for no longer; undefined where there is nothing
   * to wait for.
   */
  waitForConfig (ref: ConfigRef, signal: () => AbortSignal): Promise<void> | undefined
}
