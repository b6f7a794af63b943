import { microTime, versionOf } from '../api/object-meta.ts'
import type { Log, ObjectKey, Unavailable, WriteResult } from '../core/ports.ts'
import { pause, type Clock } from '../platform/clock.ts'
import { errorMessage } from '../platform/error-message.ts'
import { isJsonObject, own, ownObject, ownString, type JsonObject } from '../platform/json.ts'
import type { ApiRequest, SendRequest } from './client/api-connection.ts'
import type { Fencing } from './client/fencing.ts'
import { requestObject } from './client/responses.ts'

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

export interface LeaderElectionOptions {
  readonly lease: ObjectKey
  /** Unique to this process, across restarts. */
  readonly identity: string
  readonly request: SendRequest
  /** Monotonic. Deadlines depend on it alone, so clock changes and clock skew do not matter. */
  readonly clock: Clock
  /** For the times in the Lease, which only people read. */
  readonly wallTime: () => Date
  /** From 0 to 1, as Math.random. */
  readonly random: () => number
  readonly log: Log
  /** This replica became the leader. */
  readonly onLead: () => void
  /**
   * It is no longer the leader. The next term begins once this has settled: then no write of this term is in flight.
   */
  readonly onLose: () => Promise<void>
  readonly times: LeaseTimes
}

/** The last known state of the Lease. */
interface LeaseObservation {
  /** Undefined if the Lease does not exist. */
  readonly lease: Lease | undefined
  /** When this state was first observed. */
  readonly since: number
  /** How long from then on this replica must not take it: a previous holder may still act on an earlier state. */
  readonly wait: number
}

/**
 * Leads while it holds a Lease of coordination.k8s.io/v1. A previous holder gets the full lease duration, by this
 * process's own clock, before another replica takes the Lease. A leader may write only until its deadline, which
 * counts from before the request that last renewed the Lease.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions
  readonly #collection: string
  readonly #path: string
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #observation: LeaseObservation | undefined
  /** Until when this replica holds the Lease; undefined while it does not. */
  #deadline: number | undefined
  /** Whether `onLead` was called for this term. */
  #leads = false
  #transitions = 0
  #acquiredAt = ''
  #failing = false
  #problem: string | undefined

  constructor (options: LeaderElectionOptions) {
    this.#options = options
    this.#collection = `/apis/coordination.k8s.io/v1/namespaces/${options.lease.namespace}/leases`
    this.#path = `${this.#collection}/${options.lease.name}`
  }

  /** Fencing: to be checked right before each write. Correct even in the first moment after a suspension. */
  readonly isLeader: Fencing = () => this.#deadline !== undefined && this.#options.clock.now() < this.#deadline

  /** Why no replica can become the leader before an operator acts, and how; undefined otherwise. One line. */
  get problem (): string | undefined { return this.#problem }

  start (): void {
    this.#running = this.#run()
  }

  /** Steps down and releases the Lease, so that another replica need not wait for its expiry. */
  async stop (): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run (): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const lost = await this.#attempt()
      if (this.#deadline !== undefined) {
        if (lost !== undefined || !this.isLeader()) await this.#stepDown(lost ?? 'the lease was not renewed in time')
        else if (!this.#leads) this.#lead()
      }
      await pause(this.#options.clock, this.#untilNextAttempt(), this.#stopping.signal)
    }
    if (this.#deadline === undefined) return
    await this.#stepDown('the process is stopping')
    await this.#release()
  }

  /** Tries once to take or renew the Lease. Returns why the Lease is lost, if it is; other failures are retried. */
  async #attempt (): Promise<string | undefined> {
    try {
      let lost: string | undefined
      if (this.#deadline === undefined) await this.#acquire()
      else lost = await this.#renew()
      this.#failing = false
      return lost
    } catch (error) {
      if (!this.#failing && !this.#stopping.signal.aborted) {
        this.#options.log.warn({ reason: errorMessage(error) }, 'failed to take or renew lease, retrying')
      }
      this.#failing = true
      return undefined
    }
  }

  async #acquire (): Promise<void> {
    const { clock, identity, wallTime } = this.#options
    const lease = await this.#read()
    const started = clock.now()
    if (this.#leftToWait(started) > 0) return
    this.#transitions = lease === undefined ? 0 : lease.transitions + (lease.holder === identity ? 0 : 1)
    this.#acquiredAt = microTime(wallTime())
    if (!await this.#write(lease)) {
      this.#acquiredAt = '' // another replica may have written the same time
      return
    }
    this.#deadline = started + this.#options.times.renewDeadline
    if (!this.isLeader()) this.#deadline = undefined // the response came too late
  }

  async #renew (): Promise<string | undefined> {
    const known = this.#observation?.lease
    if (known !== undefined && await this.#prolong(known)) return undefined
    const lease = await this.#read()
    if (lease === undefined) return 'the lease was deleted'
    if (!this.#isMine(lease)) {
      return lease.holder === '' ? 'the lease has no holder' : `the lease is held by ${lease.holder}`
    }
    await this.#prolong(lease) // it was edited, or the response to an earlier renewal was lost
    return undefined
  }

  /** A response after the deadline does not revive the term. */
  async #prolong (lease: Lease): Promise<boolean> {
    const { clock, times } = this.#options
    const started = clock.now()
    const written = await this.#write(lease)
    if (written && this.isLeader()) this.#deadline = started + times.renewDeadline
    return written
  }

  #lead (): void {
    const { identity, log, onLead } = this.#options
    if (this.#stopping.signal.aborted) return
    log.info({ identity }, 'became leader')
    this.#leads = true
    onLead()
  }

  async #stepDown (why: string): Promise<void> {
    const { identity, log, onLose } = this.#options
    this.#deadline = undefined
    if (!this.#leads) return
    this.#leads = false
    log.warn({ identity, why }, 'stepped down as leader')
    await onLose()
  }

  /** Best effort: otherwise the Lease expires. */
  async #release (): Promise<void> {
    const known = this.#observation?.lease
    if (known === undefined || !this.#isMine(known)) return
    try {
      await this.#write(known, RELEASED)
    } catch (error) {
      this.#options.log.warn({ reason: errorMessage(error) }, 'failed to release lease, leaving it to expire')
    }
  }

  /** In milliseconds. A candidate tries twice as often, and right at the end of its wait, so that no time is lost. */
  #untilNextAttempt (): number {
    const { clock, times: { retryPeriod }, random } = this.#options
    const now = clock.now()
    const usual = retryPeriod * (0.8 + random() * 0.2)
    if (this.#deadline !== undefined) return Math.min(usual, this.#deadline - now)
    const left = this.#leftToWait(now)
    return left > 0 ? Math.min(usual / 2, left) : usual / 2
  }

  #leftToWait (now: number): number {
    const { since, wait } = this.#observation ?? { since: now, wait: 0 }
    return since + wait - now
  }

  /** Whether no other replica took the Lease since: each one writes its own time. */
  #isMine ({ holder, acquireTime }: Lease): boolean {
    return holder === this.#options.identity && acquireTime === this.#acquiredAt
  }

  #observe (lease: Lease | undefined): Lease | undefined {
    if (lease !== undefined) this.#problem = undefined
    if (this.#observation === undefined || this.#observation.lease?.version !== lease?.version) {
      this.#observation = { lease, since: this.#options.clock.now(), wait: this.#waitFor(lease) }
    }
    return lease
  }

  /** For a new state. A holder does not notice at once that its Lease was deleted, or its name removed. */
  #waitFor (lease: Lease | undefined): number {
    const { times } = this.#options
    if (lease === undefined) {
      return this.#isAlone() ? 0 : Math.max(times.duration, this.#observation?.lease?.duration ?? 0)
    }
    if (this.#isMine(lease) || isReleased(lease)) return 0
    return lease.holder === '' && this.#isAlone() ? 0 : Math.max(times.duration, lease.duration)
  }

  /** Whether no other replica can have held the Lease so far, as far as this one observed. */
  #isAlone (): boolean {
    return this.#observation === undefined || this.isLeader()
  }

  /** Undefined if there is no Lease. */
  async #read (): Promise<Lease | undefined> {
    const result = await this.#send(this.#path, { method: 'GET' })
    if (result.kind === 'written') return this.#observe(readLease(result.object))
    if (result.kind === 'gone') return this.#observe(undefined)
    throw new Error('reason' in result ? result.reason : result.kind)
  }

  /** Writes this replica, or `fields`, into the Lease as read, or creates one. False if it has changed since. */
  async #write (lease: Lease | undefined, fields: JsonObject = {}): Promise<boolean> {
    const { lease: { namespace, name }, identity, wallTime, times } = this.#options
    const spec = {
      ...ownObject(lease?.object ?? {}, 'spec'),
      holderIdentity: identity,
      leaseDurationSeconds: times.duration / 1_000,
      acquireTime: this.#acquiredAt,
      renewTime: microTime(wallTime()),
      leaseTransitions: this.#transitions,
      ...fields
    }
    const metadata = { namespace, name }
    const object = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, ...lease?.object, spec }
    const result = lease === undefined
      ? await this.#send(this.#collection, { method: 'POST', body: JSON.stringify(object) })
      : await this.#send(this.#path, { method: 'PUT', body: JSON.stringify(object) })
    if (result.kind === 'gone' && lease === undefined) await this.#createNamespace()
    if ('reason' in result) throw new Error(result.reason)
    if (result.kind !== 'written') return false
    this.#observe(readLease(result.object))
    return true
  }

  /** Once: if that is refused, an operator has to create it. */
  async #createNamespace (): Promise<void> {
    if (this.#problem !== undefined) return
    const { lease: { namespace }, log } = this.#options
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
    const result = await this.#send('/api/v1/namespaces', { method: 'POST', body: JSON.stringify(object) })
    if (result.kind === 'written') log.info({ namespace }, 'created namespace for lease')
    if (result.kind === 'unavailable') throw new Error(result.reason)
    if (result.kind !== 'failed') return
    const command = `kubectl create namespace ${namespace}`
    this.#problem = `namespace ${namespace} for the Lease does not exist; run: ${command}`
    log.error({ namespace, reason: result.reason, command }, 'failed to create namespace for lease, waiting for it')
  }

  /** Within half the time that a renewal may take, and before the deadline. */
  async #send (path: string, options: ApiRequest): Promise<WriteResult | Unavailable> {
    const { clock, request, times } = this.#options
    const left = this.#deadline === undefined ? Infinity : this.#deadline - clock.now()
    const timeoutMs = Math.min(times.renewDeadline / 2, left)
    return await requestObject(request, path, {
      ...options, headers: { 'content-type': 'application/json' }, reserved: true, timeoutMs
    })
  }
}

/** A stored Lease of coordination.k8s.io/v1. */
interface Lease {
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

function readLease (value: unknown): Lease {
  const object = isJsonObject(value) ? value : {}
  const spec = ownObject(object, 'spec')
  return {
    version: versionOf(object),
    holder: ownString(spec, 'holderIdentity'),
    acquireTime: ownString(spec, 'acquireTime'),
    duration: Math.min(numberOf(spec, 'leaseDurationSeconds'), LEASE_SECONDS.to) * 1_000,
    transitions: numberOf(spec, 'leaseTransitions'),
    object
  }
}

/** The spec fields of a Lease released by its holder. Source: client-go, which releases in this form. */
const RELEASED = { holderIdentity: '', leaseDurationSeconds: 1 } as const

/** Whether the holder released the Lease; false if only its name was removed. */
function isReleased ({ holder, duration }: Lease): boolean {
  return holder === '' && duration === RELEASED.leaseDurationSeconds * 1_000
}

function numberOf (spec: JsonObject, field: string): number {
  const value = own(spec, field)
  return typeof value === 'number' ? value : 0
}
