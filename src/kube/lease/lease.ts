import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../../platform/json.ts'

/** Times of an election, in milliseconds. */
export interface LeaseTimes {
  /** How long others wait after the last sign of the leader. */
  readonly duration: number
  /**
   * How long after its last renewal a leader may act. Shorter than the duration, so that it stops before anybody else
   * begins.
   */
  readonly renewDeadline: number
  readonly retryPeriod: number
}

/**
 * Bounds of a duration that can be chosen, in seconds: what an answer may take on a busy API server, and what a
 * failover may take at most.
 */
export const LEASE_SECONDS = { from: 3, to: 300 } as const

/**
 * In the proportions of client-go's defaults, which are 15 s, 10 s and 2 s. Source: client-go, tools/leaderelection.
 */
export function leaseTimes (seconds: number): LeaseTimes {
  return { duration: seconds * 1_000, renewDeadline: seconds * 2_000 / 3, retryPeriod: seconds * 2_000 / 15 }
}

/** A Lease of coordination.k8s.io/v1 as it is stored. */
export interface Lease {
  readonly version: string
  /** Empty where nobody holds it. */
  readonly holder: string
  /** RFC 3339 with six fractional digits; of the holder's present term. */
  readonly acquireTime: string
  /** Milliseconds; 0 where the record gives none. */
  readonly duration: number
  readonly transitions: number
  /** Whole, so that a write keeps what others have put there. */
  readonly object: JsonObject
}

export function readLease (value: unknown): Lease {
  const object = isJsonObject(value) ? value : {}
  const spec = ownObject(object, 'spec')
  return {
    version: ownString(ownObject(object, 'metadata'), 'resourceVersion'),
    holder: ownString(spec, 'holderIdentity'),
    acquireTime: ownString(spec, 'acquireTime'),
    duration: Math.min(numberOf(spec, 'leaseDurationSeconds'), LEASE_SECONDS.to) * 1_000,
    transitions: numberOf(spec, 'leaseTransitions'),
    object
  }
}

/**
 * Whether its holder gave it up, and not just anybody took the name out. Source: client-go, which releases in this form
 * too.
 */
export function isGivenUp ({ holder, duration }: Lease): boolean {
  return holder === '' && duration === GIVEN_UP.leaseDurationSeconds * 1_000
}

export const GIVEN_UP = { holderIdentity: '', leaseDurationSeconds: 1 } as const

export function leasesPath (namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
}

function numberOf (spec: JsonObject, field: string): number {
  const value = own(spec, field)
  return typeof value === 'number' ? value : 0
}
