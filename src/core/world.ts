import type { ParentReference } from '../api/runtime-config.ts'
import type { ObjectKey } from './ports.ts'
import type { RuntimeConfig } from './settings/runtime-config.ts'
import type { StoredService } from './settings/service.ts'

/** Everything that the rules look up. Synchronous: results come from caches, never from the network. */
export interface World {
  readonly configs: ConfigLookup
  readonly paths: PathIndex
  readonly services: ServiceLookup
  readonly pendingConfigs: PendingConfigs
}

export interface ConfigLookup {
  namespaced (namespace: string, name: string): RuntimeConfig | undefined
  cluster (name: string): RuntimeConfig | undefined
}

export interface ServiceLookup {
  /** The services that use a configuration of this name, in one namespace or in all. */
  users (configName: string, namespace?: string): Iterable<StoredService>
}

/** A claim to a path. `gateway.namespace` is always set. */
export interface PathClaim {
  readonly service: ObjectKey
  readonly gateway: ParentReference
  readonly path: string
}

/** The claim of a stored service. */
export interface HeldPath extends PathClaim {
  /** Creation time of the service, RFC 3339; empty if unknown. */
  readonly since: string
}

/** The paths of the stored services. Each method disregards the claiming service itself. */
export interface PathIndex {
  /** Services with the same path on an overlapping gateway, oldest first. */
  holders (claim: PathClaim): readonly HeldPath[]
  /** A service whose path lies below the claimed path, on an overlapping gateway. */
  covered (claim: PathClaim): PathClaim | undefined
  /** A service whose path is a prefix of the claimed path, on an overlapping gateway. */
  covering (claim: PathClaim): PathClaim | undefined
}

/** Configurations that were admitted but have not reached every cache. */
export interface PendingConfigs {
  /** Records an admitted configuration, which the API server stores unless another webhook refuses it. */
  announce (config: RuntimeConfig): void
  /** Whether the configuration arrived so recently that another replica may not have it yet. */
  isRecent (config: RuntimeConfig): boolean
  /** Resolves when the configuration arrives or the wait ends; undefined if there is nothing to wait for. */
  waitForConfig (ref: ObjectKey, signal: () => AbortSignal): Promise<void> | undefined
}
