import type { JsonObject } from '../api/meta.ts'
import { isJsonObject, own, ownObject, ownString } from '../core/json.ts'
import type { Clock, Log } from '../core/ports.ts'
import { reasonOf } from '../core/reason-of.ts'
import type { ApiRequest, SendRequest } from './api-connection.ts'
import { microTime } from './micro-time.ts'
import { statusOf } from './status.ts'

/** Times in milliseconds. Source of the defaults: client-go, tools/leaderelection. */
export interface LeaseTimes {
  /** How long others wait after the last sign of the leader. */
  readonly duration: number
  /** How long after its last renewal a leader may act. Shorter than the duration, so that it stops before anybody else begins. */
  readonly renewDeadline: number
  readonly retryPeriod: number
}

export const LEASE_TIMES: LeaseTimes = { duration: 15_000, renewDeadline: 10_000, retryPeriod: 2_000 }

export interface LeaderElectionOptions {
  readonly lease: { readonly namespace: string, readonly name: string }
  /** Of this very process: no other has it, before or after. */
  readonly identity: string
  readonly request: SendRequest
  /** Monotonic: deadlines are judged by it alone, so that no clock that is set or differs from another's matters. */
  readonly clock: Clock
  /** For the times that the Lease shows to people. */
  readonly wallTime: () => Date
  /** From 0 to 1, as Math.random. */
  readonly random: () => number
  readonly log: Log
  /** This replica leads from now on. */
  readonly onLead: () => void
  /** It does not any more. The next term begins only when this has settled: by then nothing of this one is written any more. */
  readonly onLose: () => Promise<void>
  readonly times?: LeaseTimes
}

interface Lease { readonly version: string, readonly spec: JsonObject }

/**
 * Leads while it holds a Lease of coordination.k8s.io/v1. A holder is displaced only after its record was watched unchanged for the whole duration, by this
 * process's own clock; and a leader may write only until its deadline, which counts from before the request that last renewed the Lease.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions
  readonly #times: LeaseTimes
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  /** As last read or written, and when that was first seen. */
  #seen: { readonly lease: Lease, readonly at: number } | undefined
  /** Until when this replica leads; undefined while it does not. */
  #deadline: number | undefined
  #transitions = 0
  #acquiredAt = ''
  #troubled = false

  constructor (options: LeaderElectionOptions) {
    this.#options = options
    this.#times = options.times ?? LEASE_TIMES
  }

  /** To be asked right before each write. A process that was stopped for a while gets its answer right the moment it goes on. */
  readonly mayWrite = (): boolean => this.#deadline !== undefined && this.#options.clock.now() < this.#deadline

  /** Who leads, as far as is known; empty where nobody does. */
  get leader (): string {
    return this.#seen === undefined ? '' : holderOf(this.#seen.lease)
  }

  start (): void {
    this.#running = this.#run()
  }

  /** Steps down, and gives the Lease up so that another replica need not wait for it to run out. */
  async stop (): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run (): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#attempt()
      if (this.#deadline !== undefined && !this.mayWrite()) await this.#stepDown('the lease could not be renewed in time')
      await this.#sleep(this.#times.retryPeriod * (0.8 + this.#options.random() * 0.2))
    }
    if (this.#deadline === undefined) return
    await this.#stepDown('the program ends')
    await this.#release()
  }

  /** One try to take or renew the lease. Whatever goes wrong is tried again. */
  async #attempt (): Promise<void> {
    try {
      if (this.#deadline === undefined) await this.#acquire()
      else await this.#renew()
      this.#troubled = false
    } catch (error) {
      if (!this.#troubled && !this.#stopping.signal.aborted) this.#options.log.warn({ reason: reasonOf(error) }, 'the lease cannot be had at the moment')
      this.#troubled = true
    }
  }

  async #acquire (): Promise<void> {
    const { clock, identity, wallTime, onLead, log } = this.#options
    const lease = await this.#read()
    if (lease !== undefined && !this.#isFree(lease)) return
    const started = clock.now()
    this.#transitions = lease === undefined ? 0 : transitionsOf(lease) + (holderOf(lease) === identity ? 0 : 1)
    this.#acquiredAt = microTime(wallTime())
    if (!await this.#write(lease)) return
    this.#deadline = started + this.#times.renewDeadline
    if (!this.mayWrite()) { // the answer came too late to be of use
      this.#deadline = undefined
      return
    }
    log.info({ identity }, 'this replica leads')
    onLead()
  }

  async #renew (): Promise<void> {
    const { clock, identity } = this.#options
    const started = clock.now()
    const known = this.#seen?.lease
    if (known !== undefined && await this.#write(known)) {
      if (this.mayWrite()) this.#deadline = started + this.#times.renewDeadline
      return
    }
    const lease = await this.#read()
    if (lease === undefined) await this.#stepDown('the lease was deleted')
    else if (holderOf(lease) !== identity) await this.#stepDown(`the lease is held by ${holderOf(lease) || 'nobody'}`)
  }

  async #stepDown (why: string): Promise<void> {
    const { identity, log, onLose } = this.#options
    this.#deadline = undefined
    log.warn({ identity, why }, 'this replica no longer leads')
    await onLose()
  }

  /** Best effort: where it fails, the lease runs out. */
  async #release (): Promise<void> {
    const { identity, log } = this.#options
    const known = this.#seen?.lease
    if (known === undefined || holderOf(known) !== identity) return
    try {
      await this.#write(known, { holderIdentity: '', leaseDurationSeconds: 1 })
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'the lease could not be given up, and runs out by itself')
    }
  }

  /** Whether nobody else holds it, or its holder has given no sign of life for as long as it promised to. */
  #isFree (lease: Lease): boolean {
    if (holderOf(lease) === '' || holderOf(lease) === this.#options.identity) return true
    const seconds = own(lease.spec, 'leaseDurationSeconds')
    const duration = typeof seconds === 'number' ? seconds * 1_000 : this.#times.duration
    return this.#seen !== undefined && this.#options.clock.now() - this.#seen.at > duration
  }

  /** The lease; undefined where there is none. */
  async #read (): Promise<Lease | undefined> {
    const { lease: { namespace, name } } = this.#options
    const lease = await this.#send(`${pathOf(namespace)}/${name}`, { method: 'GET' })
    if (lease === 'missing') this.#seen = undefined
    return typeof lease === 'string' ? undefined : lease
  }

  /** Puts this replica, or what is given, into the lease as it was read, or makes one. False: somebody else was faster. */
  async #write (lease: Lease | undefined, given: JsonObject = {}): Promise<boolean> {
    const { lease: { namespace, name }, identity, wallTime } = this.#options
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: this.#times.duration / 1_000,
      acquireTime: this.#acquiredAt,
      renewTime: microTime(wallTime()),
      leaseTransitions: this.#transitions,
      ...given
    }
    const metadata = { namespace, name, ...(lease !== undefined && { resourceVersion: lease.version }) }
    const body = JSON.stringify({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec })
    const path = lease === undefined ? pathOf(namespace) : `${pathOf(namespace)}/${name}`
    return typeof await this.#send(path, { method: lease === undefined ? 'POST' : 'PUT', body, headers: { 'content-type': 'application/json' } }) !== 'string'
  }

  /** Throws one line where there is no useful answer in half the time that a renewal may take. */
  async #send (path: string, options: ApiRequest): Promise<Lease | 'missing' | 'conflict'> {
    const { clock, request } = this.#options
    const limit = this.#times.renewDeadline / 2
    const attempt = new AbortController()
    const callOff = clock.after(limit, () => { attempt.abort(new Error(`the API server did not answer within ${limit / 1_000} s`)) })
    try {
      const response = await request(path, { ...options, signal: attempt.signal })
      if (response.statusCode === 200 || response.statusCode === 201) return this.#note(readLease(await response.body.json()))
      const { code, message } = await statusOf(response)
      if (code === 404 && options.method !== 'POST') return 'missing'
      if (code === 409) return 'conflict'
      throw new Error(`the API server answered ${code}: ${message}`)
    } finally {
      callOff()
    }
  }

  #note (lease: Lease): Lease {
    if (lease.version !== this.#seen?.lease.version) this.#seen = { lease, at: this.#options.clock.now() }
    return lease
  }

  async #sleep (ms: number): Promise<void> {
    const { signal } = this.#stopping
    if (signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const callOff = this.#options.clock.after(ms, () => { resolve(undefined) })
    signal.addEventListener('abort', resolve)
    await promise
    signal.removeEventListener('abort', resolve)
    callOff()
  }
}

function pathOf (namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
}

function readLease (value: unknown): Lease {
  const lease = isJsonObject(value) ? value : {}
  return { version: ownString(ownObject(lease, 'metadata'), 'resourceVersion'), spec: ownObject(lease, 'spec') }
}

function holderOf ({ spec }: Lease): string {
  return ownString(spec, 'holderIdentity')
}

function transitionsOf ({ spec }: Lease): number {
  const transitions = own(spec, 'leaseTransitions')
  return typeof transitions === 'number' ? transitions : 0
}
