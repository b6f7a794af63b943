import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../../platform/json.ts'

/** Times of an election, in milliseconds. */
export interface LeaseTimes {
  /** How long other replicas wait after the holder's last renewal. */
  readonly duration: number
  /** How long a leader may write after its last renewal. Shorter than the duration, so that terms never overlap. */
  readonly renewDeadline: number
  readonly retryPeriod: number
}

/** Limits of the lease duration, in seconds: the lower for a busy API server, the upper bounds a failover. */
export const LEASE_SECONDS = { from: 3, to: 300 } as const

/** In the proportions of client-go's defaults: 15 s, 10 s and 2 s. Source: client-go, tools/leaderelection. */
export function leaseTimes (seconds: number): LeaseTimes {
  return { duration: seconds * 1_000, renewDeadline: seconds * 2_000 / 3, retryPeriod: seconds * 2_000 / 15 }
}

/** A stored Lease of coordination.k8s.io/v1. */
export interface Lease {
  readonly version: string
  /** Empty if the Lease has no holder. */
  readonly holder: string
  /** When the holder's current term began: RFC 3339 with six fractional digits. */
  readonly acquireTime: string
  /** Milliseconds; 0 if absent. */
  readonly duration: number
  readonly transitions: number
  /** The whole object, so that a write keeps the fields of others. */
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

/** The spec fields of a Lease released by its holder. Source: client-go, which releases in this form. */
export const RELEASED = { holderIdentity: '', leaseDurationSeconds: 1 } as const

/** Whether the holder released the Lease; false if only its name was removed. */
export function isReleased ({ holder, duration }: Lease): boolean {
  return holder === '' && duration === RELEASED.leaseDurationSeconds * 1_000
}

/** An instant as metav1.MicroTime; the API server requires the six fractional digits. */
export function microTime (date: Date): string {
  return date.toISOString().replace('Z', '000Z')
}

function numberOf (spec: JsonObject, field: string): number {
  const value = own(spec, field)
  return typeof value === 'number' ? value : 0
}
