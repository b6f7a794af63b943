import type { ParentReference } from '../api/runtime-config.ts'
import { SEGMENT_FORMS } from './path/segment.ts'
import type { ObjectKey, ServedFields } from './ports.ts'
import type { RuntimeConfig } from './settings/runtime-config.ts'
import type { StoredService } from './settings/service.ts'

/** Everything that the rules look up. Synchronous: results come from caches, never from the network. */
export interface World {
  readonly configs: ConfigLookup
  readonly paths: PathIndex
  readonly pathPolicy: PathPolicy
  readonly services: ServiceLookup
  readonly pendingConfigs: PendingConfigs
  /** Of AIMService. */
  readonly served: ServedFields
}

export interface ConfigLookup {
  namespaced (namespace: string, name: string): RuntimeConfig | undefined
  cluster (name: string): RuntimeConfig | undefined
  /** The name that a misspelled one probably means, of the configurations that the namespace can use. */
  similar (key: ObjectKey): string | undefined
}

export interface ServiceLookup {
  /** The services that use a configuration of this name, in one namespace or in all. */
  users (configName: string, namespace?: string): Iterable<StoredService>
}

/** A claim to a path. `gateway.namespace` is always set. */
export interface PathClaim { readonly service: ObjectKey, readonly gateway: ParentReference, readonly path: string }

/** The claim of a stored service. */
export interface HeldPath extends PathClaim {
  /**
   * Creation time of the service, RFC 3339; empty if unknown. Prefixed with `~`, which sorts after every time, if the
   * claim follows from the service's own routing and not from a block.
   */
  readonly since: string
}

/** Whether a look-up is for services of the claim's own namespace, or of all others. */
export type NamespaceScope = 'same namespace' | 'other namespaces'

/** The paths that stored services hold. Each look-up is lazy, on overlapping gateways, without the claiming service. */
export interface PathIndex {
  /** The path of a service. */
  heldBy (service: ObjectKey): HeldPath | undefined
  /** Services that hold the same path. */
  holders (claim: PathClaim): Iterable<HeldPath>
  /** Services whose path is a prefix of this one, from the root down. */
  above (claim: PathClaim, scope: NamespaceScope): Iterable<HeldPath>
  /** Services whose path lies below this one. */
  below (claim: PathClaim, scope: NamespaceScope): Iterable<HeldPath>
}

/** The operator's choices about what services get, above all about paths. Of each, the first value is the default. */
export const PATH_POLICIES = {
  /** Whether a path that covers, or lies below, a path of another namespace is refused or only reported. */
  crossNamespaceOverlap: ['refuse', 'warn'],
  /** `namespace`: the first segment of a path must be the namespace of the service. */
  pathScope: ['any', 'namespace'],
  /** `dns`: paths have the form in which operators serve them. */
  pathSegments: SEGMENT_FORMS,
  /** `hidden`: messages leave out the namespace and name of a holder in another namespace. */
  conflictDetails: ['shown', 'hidden'],
  /** `builtin`: a service without any configuration `default` gets built-in defaults, and is healthy. */
  missingDefault: ['degraded', 'builtin'],
  /** `record,fields`: admission also fills the unset fields of a service, for programs that read only those. */
  inject: ['record', 'record,fields']
} as const

export type PathPolicy = { readonly [K in keyof typeof PATH_POLICIES]: typeof PATH_POLICIES[K][number] }

export const DEFAULT_PATH_POLICY =
  Object.fromEntries(Object.entries(PATH_POLICIES).map(([choice, [first]]) => [choice, first])) as unknown as PathPolicy

/** Configurations that were admitted but have not reached every cache. */
export interface PendingConfigs {
  /** Records an admitted configuration, which the API server stores unless another webhook refuses it. */
  announce (config: RuntimeConfig): void
  /** Whether the configuration arrived so recently that another replica may not have it yet. */
  isRecent (config: RuntimeConfig): boolean
  /** Resolves when the configuration arrives or the wait ends; undefined if there is nothing to wait for. */
  waitForConfig (ref: ObjectKey, signal: () => AbortSignal): Promise<void> | undefined
}
