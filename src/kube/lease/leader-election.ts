import { ownObject, type JsonObject } from '../../platform/json.ts'
import { pause } from '../../platform/pause.ts'
import type { Log } from '../../core/ports.ts'
import { errorMessage } from '../../platform/error-message.ts'
import type { ApiRequest, SendRequest } from '../client/api-connection.ts'
import { GIVEN_UP, isGivenUp, leasesPath, readLease, type Lease, type LeaseTimes } from './lease.ts'
import { microTime } from './micro-time.ts'
import { statusOf } from '../client/status.ts'
import type { Clock } from '../../platform/clock.ts'

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
  /**
   * It does not any more. The next term begins only when this has settled: by then nothing of this one is written any
   * more.
   */
  readonly onLose: () => Promise<void>
  readonly times: LeaseTimes
}

/** The Lease as it is known; undefined where it is gone. */
interface LeaseObservation {
  readonly lease: Lease | undefined
  /** When this state of it was first seen. */
  readonly since: number
  /** How long from then on this replica must leave it alone, since somebody else may be acting on an earlier one. */
  readonly wait: number
}

/**
 * Leads while it holds a Lease of coordination.k8s.io/v1. Whoever may still believe that the Lease is theirs is given
 * the whole duration to find out, by this process's own clock; and a leader may write only until its deadline, which
 * counts from before the request that last renewed the Lease.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #sight: LeaseObservation | undefined
  /** Until when this replica holds the Lease; undefined while it does not. */
  #deadline: number | undefined
  /** Whether it has been told that it leads. */
  #leads = false
  #transitions = 0
  #acquiredAt = ''
  #troubled = false

  constructor (options: LeaderElectionOptions) {
    this.#options = options
  }

  /**
   * To be asked right before each write. A process that was stopped for a while gets its answer right the moment it
   * goes on.
   */
  readonly mayWrite = (): boolean => this.#deadline !== undefined && this.#options.clock.now() < this.#deadline

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
      const lost = await this.#attempt()
      if (this.#deadline !== undefined) {
        if (lost !== undefined || !this.mayWrite()) await this.#stepDown(lost ?? 'the lease was not renewed in time')
        else if (!this.#leads) this.#lead()
      }
      await pause(this.#options.clock, this.#untilNextAttempt(), this.#stopping.signal)
    }
    if (this.#deadline === undefined) return
    await this.#stepDown('the program ends')
    await this.#giveUp()
  }

  /**
   * One try to take or renew the lease; answers why it is lost, where it is. Whatever else goes wrong is tried again.
   */
  async #attempt (): Promise<string | undefined> {
    try {
      let lost: string | undefined
      if (this.#deadline === undefined) await this.#acquire()
      else lost = await this.#renew()
      this.#troubled = false
      return lost
    } catch (error) {
      if (!this.#troubled && !this.#stopping.signal.aborted) { this.#options.log.warn({ reason: errorMessage(error) }, 'the lease cannot be had at the moment') }
      this.#troubled = true
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
    if (!this.mayWrite()) this.#deadline = undefined // the answer came too late to be of use
  }

  async #renew (): Promise<string | undefined> {
    const known = this.#sight?.lease
    if (known !== undefined && await this.#prolong(known)) return undefined
    const lease = await this.#read()
    if (lease === undefined) return 'the lease was deleted'
    if (!this.#isMine(lease)) return `the lease is held by ${lease.holder || 'nobody'}`
    await this.#prolong(lease) // it was touched, or an earlier answer did not arrive
    return undefined
  }

  /** An answer that comes after the deadline does not bring the term back. */
  async #prolong (lease: Lease): Promise<boolean> {
    const { clock, times } = this.#options
    const started = clock.now()
    const written = await this.#write(lease)
    if (written && this.mayWrite()) this.#deadline = started + times.renewDeadline
    return written
  }

  #lead (): void {
    const { identity, log, onLead } = this.#options
    if (this.#stopping.signal.aborted) return
    log.info({ identity }, 'this replica leads')
    this.#leads = true
    onLead()
  }

  async #stepDown (why: string): Promise<void> {
    const { identity, log, onLose } = this.#options
    this.#deadline = undefined
    if (!this.#leads) return
    this.#leads = false
    log.warn({ identity, why }, 'this replica no longer leads')
    await onLose()
  }

  /** Best effort: where it fails, the lease runs out. */
  async #giveUp (): Promise<void> {
    const { log } = this.#options
    const known = this.#sight?.lease
    if (known === undefined || !this.#isMine(known)) return
    try {
      await this.#write(known, GIVEN_UP)
    } catch (error) {
      log.warn({ reason: errorMessage(error) }, 'the lease could not be given up, and runs out by itself')
    }
  }

  /**
   * Milliseconds until the next attempt. Who waits looks more often, and right when the wait is over, so that a lease
   * does not lie about.
   */
  #untilNextAttempt (): number {
    const { clock, times: { retryPeriod }, random } = this.#options
    const now = clock.now()
    const usual = retryPeriod * (0.8 + random() * 0.2)
    if (this.#deadline !== undefined) return Math.min(usual, this.#deadline - now)
    const left = this.#leftToWait(now)
    return left > 0 ? Math.min(usual / 2, left) : usual / 2
  }

  #leftToWait (now: number): number {
    const { since, wait } = this.#sight ?? { since: now, wait: 0 }
    return since + wait - now
  }

  /** Nobody has taken it since: everybody who takes it writes a time of their own. */
  #isMine ({ holder, acquireTime }: Lease): boolean {
    return holder === this.#options.identity && acquireTime === this.#acquiredAt
  }

  #note (lease: Lease | undefined): Lease | undefined {
    if (this.#sight === undefined || this.#sight.lease?.version !== lease?.version) {
      this.#sight = { lease, since: this.#options.clock.now(), wait: this.#waitFor(lease) }
    }
    return lease
  }

  /**
   * Of what is seen for the first time. A Lease that goes, or loses its holder's name, does so behind the holder's
   * back.
   */
  #waitFor (lease: Lease | undefined): number {
    const { times } = this.#options
    if (lease === undefined) return this.#isAlone() ? 0 : Math.max(times.duration, this.#sight?.lease?.duration ?? 0)
    if (this.#isMine(lease) || isGivenUp(lease)) return 0
    return lease.holder === '' && this.#isAlone() ? 0 : Math.max(times.duration, lease.duration)
  }

  /** Whether nobody but this replica can have held it up to now, as far as it has seen. */
  #isAlone (): boolean {
    return this.#sight === undefined || this.mayWrite()
  }

  /** The lease; undefined where there is none. */
  async #read (): Promise<Lease | undefined> {
    const { lease: { namespace, name } } = this.#options
    const lease = await this.#send(`${leasesPath(namespace)}/${name}`, { method: 'GET' })
    return typeof lease === 'string' ? this.#note(undefined) : lease
  }

  /**
   * Puts this replica, or what is given, into the lease as it was read, or makes one. False: it has changed meanwhile.
   */
  async #write (lease: Lease | undefined, given: JsonObject = {}): Promise<boolean> {
    const { lease: { namespace, name }, identity, wallTime, times } = this.#options
    const spec = {
      ...ownObject(lease?.object ?? {}, 'spec'),
      holderIdentity: identity,
      leaseDurationSeconds: times.duration / 1_000,
      acquireTime: this.#acquiredAt,
      renewTime: microTime(wallTime()),
      leaseTransitions: this.#transitions,
      ...given
    }
    const body = JSON.stringify({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace, name },
      ...lease?.object,
      spec
    })
    const collection = leasesPath(namespace)
    const headers = { 'content-type': 'application/json' }
    const answer = lease === undefined
      ? await this.#send(collection, { method: 'POST', body, headers })
      : await this.#send(`${collection}/${name}`, { method: 'PUT', body, headers })
    return typeof answer !== 'string'
  }

  /** Throws one line where there is no useful answer in half the time that a renewal may take, or by the deadline. */
  async #send (path: string, options: ApiRequest): Promise<Lease | 'missing' | 'conflict'> {
    const { clock, request, times } = this.#options
    const limit = Math.min(
      times.renewDeadline / 2,
      this.#deadline === undefined ? Infinity : this.#deadline - clock.now()
    )
    const attempt = new AbortController()
    const cancel = clock.setTimeout(limit, () => {
      attempt.abort(new Error(`the API server did not answer within ${Math.ceil(limit)} ms`))
    })
    try {
      const response = await request(path, { ...options, reserved: true, signal: attempt.signal })
      if (response.statusCode === 200 || response.statusCode === 201) {
        const lease = readLease(await response.body.json())
        this.#note(lease)
        return lease
      }
      const { code, message } = await statusOf(response)
      if (code === 404 && options.method !== 'POST') return 'missing'
      if (code === 409) return 'conflict'
      throw new Error(`the API server answered ${code}: ${message}`)
    } finally {
      cancel()
    }
  }
}
