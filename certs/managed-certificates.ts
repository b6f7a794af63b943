import type { Log, ObjectStore } from '../src/core/ports.ts'
import { pause, type Clock } from '../src/platform/clock.ts'
import { errorMessage } from '../src/platform/error-message.ts'
import { applyStep, type IssuePolicy, type StepResult } from './apply-step.ts'
import { trustedBy, type CertificateSet } from './certificate-set.ts'
import { readCluster, type CertificateObjects, type ClusterView } from './read-cluster.ts'
import { discoverReplicas, type HandshakeResult, type ServerAddress } from './replicas.ts'
import { isTrusted, mayServe, nextStep, type RotationState, type Step } from './rotate.ts'
import type { RegisteredClient } from './trust.ts'

export interface ManagedCertificatesOptions {
  readonly store: ObjectStore
  readonly objects: CertificateObjects
  /** `settle` in milliseconds. */
  readonly policy: IssuePolicy & { readonly settle: number }
  /** Serves the pair of this set from the next handshake on. Throws if the pair is unusable. */
  readonly serve: (set: CertificateSet) => void
  readonly probeServingCert: (address: ServerAddress, caPem: string) => Promise<HandshakeResult>
  /** The address of this replica; undefined until it listens. The other replicas listen on the same port. */
  readonly self: () => ServerAddress | undefined
  /** Called when a pair or a Secret is unusable and therefore skipped. */
  readonly onUnusable: () => void
  readonly clock: Clock
  readonly wallTime: () => Date
  /** From 0 to 1, as Math.random. */
  readonly random: () => number
  readonly log: Log
}

/** Reconcile intervals in milliseconds: after a write, during a CA rotation, and otherwise. */
const AFTER_WRITE_MS = 100
const ROTATING_MS = 1_000
const IDLE_MS = 3_000

/** Logged after each step. */
const MESSAGES: Readonly<Record<Exclude<Step['kind'], 'rest'>, string>> = {
  restore: 'restored lost certificates in their Secret',
  begin: 'issued CA and serving certificate',
  'keep-trust': 'Secret replaced, keeping trust in the served CA',
  trust: 'updated caBundle of the webhooks',
  renew: 'renewed serving certificate',
  announce: 'issued next CA, to be trusted beside the current one',
  promote: 'issued serving certificate of the new CA',
  retire: 'stopped trusting the old CA'
}

/** Keeps the certificates of all replicas in one Secret, and the webhooks trusting them. Runs in every replica. */
export class ManagedCertificates {
  readonly #options: ManagedCertificatesOptions
  readonly #jitter: number
  readonly #stopping = new AbortController()
  readonly #timer = new SteadyTimer()
  readonly #ready = Promise.withResolvers<undefined>()
  #running: Promise<void> = Promise.resolve()
  #remembered: CertificateSet | undefined
  #served: CertificateSet | undefined
  /** The pair or Secret that was last reported as unusable. */
  #reportedUnusable = ''
  #problem: string | undefined

  constructor (options: ManagedCertificatesOptions) {
    this.#options = options
    this.#jitter = options.random()
  }

  /** Resolves when the first pair is served, or on stop. */
  get ready (): Promise<void> { return this.#ready.promise }

  notReadyReason (): string | undefined {
    if (this.#served !== undefined) return undefined
    return `no serving certificate yet${this.#problem === undefined ? '' : `: ${this.#problem}`}`
  }

  start (): void {
    this.#running = this.#run()
  }

  async stop (): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#ready.resolve(undefined)
  }

  async #run (): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      let wait = IDLE_MS
      try {
        wait = await this.#reconcile()
      } catch (error) {
        this.#report(`internal error: ${errorMessage(error)}`)
      }
      await pause(this.#options.clock, wait, this.#stopping.signal)
    }
  }

  /** Observes, serves the pair that may be served, and takes one step. Returns the milliseconds until the next run. */
  async #reconcile (): Promise<number> {
    const view = await readCluster(this.#options.store, this.#options.objects)
    if (this.#stopping.signal.aborted) return 0
    const state = await this.#observe(view)
    this.#use(view, state)
    const { step, result } = await this.#step(view, { ...state, remembered: this.#remembered, served: this.#served })
    const failure = result?.kind === 'failed' ? result.reason : undefined
    this.#report(view.problem ?? failure)
    if (result !== undefined && failure === undefined) return AFTER_WRITE_MS
    return step.kind !== 'rest' || isRotating(view) ? ROTATING_MS : IDLE_MS
  }

  async #observe ({ registrations, stored }: ClusterView): Promise<RotationState> {
    const { clock, wallTime } = this.#options
    const clients = registrations?.flatMap((registration) => registration.clients)
    if (stored.kind === 'found') {
      for (const ca of trustedBy(stored.set, 0)) {
        this.#timer.note(`trusted ${ca.fingerprint}`, isTrusted(ca, { clients }), clock.now())
      }
      await this.#probeReplicas(stored.set, clients ?? [])
    }
    const ca = stored.kind === 'found' ? stored.set.ca.fingerprint : ''
    const at = clock.now()
    return {
      stored,
      clients,
      remembered: this.#remembered,
      served: this.#served,
      trustedFor: (fingerprint) => this.#timer.for(`trusted ${fingerprint}`, at),
      confirmedFor: this.#timer.for(`confirmed ${ca}`, at),
      unrefutedFor: this.#timer.for(`unrefuted ${ca}`, at),
      now: wallTime().getTime()
    }
  }

  /** While an old CA is still trusted: checks whether all replicas serve a certificate of the current one. */
  async #probeReplicas ({ ca, old }: CertificateSet, clients: readonly RegisteredClient[]): Promise<void> {
    const { store, probeServingCert, self, clock } = this.#options
    const own = old.length > 0 ? self() : undefined
    const others = own && await discoverReplicas(store, clients, own.port)
    const results = own === undefined
      ? []
      : await Promise.all([own, ...(others ?? [])].map(async (address) => await probeServingCert(address, ca.certPem)))
    const confirmed = others !== undefined && results.every(({ kind }) => kind === 'verified')
    const unrefuted = own !== undefined && results.every(({ kind }) => kind !== 'unverified')
    this.#timer.note(`confirmed ${ca.fingerprint}`, confirmed, clock.now())
    this.#timer.note(`unrefuted ${ca.fingerprint}`, unrefuted, clock.now())
  }

  /** Remembers a usable set, and serves it if allowed. */
  #use ({ stored, unusable, secret }: ClusterView, state: RotationState): void {
    if (unusable !== undefined) this.#skip(JSON.stringify(secret?.['metadata']), unusable)
    if (stored.kind !== 'found') return
    const { set } = stored
    this.#remembered = set
    if (this.#served?.serving.fingerprint === set.serving.fingerprint) this.#served = set
    else if (mayServe(set, state, this.#options.policy)) this.#serve(set)
  }

  #serve (set: CertificateSet): void {
    try {
      this.#options.serve(set)
    } catch (error) {
      this.#skip(set.serving.fingerprint, errorMessage(error))
      return
    }
    this.#served = set
    this.#options.log.info(logKeys(set), 'loaded serving certificate')
    this.#ready.resolve(undefined)
  }

  /** Reports an unusable pair or Secret once. */
  #skip (id: string, reason: string): void {
    if (this.#reportedUnusable === id) return
    this.#reportedUnusable = id
    const { onUnusable, log, objects: { secret } } = this.#options
    onUnusable()
    log.error({ secret, reason }, 'failed to load certificates of the Secret, keeping the last good ones')
  }

  /** If bundles cannot be written, at least a due serving certificate is renewed. */
  async #step (view: ClusterView, state: RotationState): Promise<{ step: Step, result: StepResult | undefined }> {
    const policy = { ...this.#options.policy, jitter: this.#jitter }
    const step = nextStep(state, policy)
    const result = await this.#apply(step, view)
    if (step.kind !== 'trust' || result?.kind !== 'failed') return { step, result }
    const other = nextStep({ ...state, clients: undefined }, policy)
    return other.kind === 'renew' ? { step: other, result: await this.#apply(other, view) } : { step, result }
  }

  async #apply (step: Step, view: ClusterView): Promise<StepResult | undefined> {
    if (step.kind === 'rest') return undefined
    const { store, objects, policy, wallTime, log } = this.#options
    const result = await applyStep(step, view, { store, objects, policy, now: wallTime() })
    if (result.kind !== 'written') return result
    if (result.set !== undefined) this.#remembered = result.set
    const keys = { ...(result.set && logKeys(result.set)), ...(step.kind === 'retire' && { basis: step.basis }) }
    log.info({ secret: objects.secret, ...keys }, MESSAGES[step.kind])
    return result
  }

  /** Logs a problem once, until it changes. */
  #report (problem: string | undefined): void {
    if (problem !== undefined && problem !== this.#problem && !this.#stopping.signal.aborted) {
      this.#options.log.warn({ reason: problem }, 'failed to reconcile certificates')
    }
    this.#problem = problem
  }
}

/** Measures how long conditions have held continuously. Times in milliseconds. */
class SteadyTimer {
  readonly #since = new Map<string, number>()

  note (condition: string, holds: boolean, now: number): void {
    if (!holds) this.#since.delete(condition)
    else if (!this.#since.has(condition)) this.#since.set(condition, now)
  }

  /** 0 if the condition does not hold. */
  for (condition: string, now: number): number {
    return now - (this.#since.get(condition) ?? now)
  }
}

function isRotating ({ stored }: ClusterView): boolean {
  return stored.kind === 'found' && (stored.set.next !== undefined || stored.set.old.length > 0)
}

function logKeys ({ serving, ca, next, old }: CertificateSet): object {
  const short = (fingerprint: string): string => fingerprint.slice(0, 16)
  return {
    certificate: short(serving.fingerprint),
    expires: new Date(serving.notAfter).toISOString(),
    ca: short(ca.fingerprint),
    caExpires: new Date(ca.notAfter).toISOString(),
    ...(next !== undefined && { nextCa: short(next.fingerprint) }),
    ...(old.length > 0 && { oldCas: old.map(({ fingerprint }) => short(fingerprint)) })
  }
}
