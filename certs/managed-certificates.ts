import { pause } from '../src/platform/pause.ts'
import type { Log, ObjectStore } from '../src/core/ports.ts'
import { errorMessage } from '../src/platform/error-message.ts'
import { applyStep, type IssuePolicy, type StepResult } from './apply-step.ts'
import { trustedBy, type CertificateSet } from './certificate-set.ts'
import { discoverReplicas } from './discover-replicas.ts'
import { SteadyTimer } from './steady-timer.ts'
import { readCluster, type CertificateObjects, type ClusterView } from './read-cluster.ts'
import { mayServe, nextStep, type Seen, type Step } from './rotate.ts'
import type { HandshakeResult, Peer } from './probe-serving-cert.ts'
import type { RegisteredClient } from './trust.ts'
import type { Clock } from '../src/platform/clock.ts'

export interface ManagedCertificatesOptions {
  readonly store: ObjectStore
  readonly objects: CertificateObjects
  /** `settle` in milliseconds. */
  readonly policy: IssuePolicy & { readonly settle: number }
  /** Serves this set's pair from the next handshake on. Throws where it cannot be served. */
  readonly serve: (set: CertificateSet) => void
  readonly probeServingCert: (peer: Peer, caPem: string) => Promise<HandshakeResult>
  /** Where this replica listens; undefined as long as it does not. The others listen on the same port. */
  readonly self: () => Peer | undefined
  /** A pair or a Secret was passed over because it cannot be used. */
  readonly onUnusable: () => void
  readonly clock: Clock
  readonly wallTime: () => Date
  /** From 0 to 1, as Math.random. */
  readonly random: () => number
  readonly log: Log
}

/**
 * Times between two looks, in milliseconds: after a write, while a CA change is under way, and otherwise. What was lost
 * is healed within the last.
 */
const AFTER_WRITE_MS = 100
const CHANGING_MS = 1_000
const LOOK_MS = 3_000

/** What is told of each step once it is done. */
const MESSAGES: Readonly<Record<Exclude<Step['kind'], 'rest'>, string>> = {
  restore: 'the certificates were lost from their Secret and are put back',
  begin: 'a CA and a serving certificate were made',
  'keep-trust': 'the certificates in their Secret are others, the CA that is still served stays trusted for now',
  trust: 'the caBundle of the webhooks was put right',
  renew: 'the serving certificate was renewed',
  announce: 'a new CA was made, to be trusted beside the present one',
  promote: 'the serving certificate is of the new CA from now on',
  retire: 'the old CA is trusted no longer'
}

/**
 * Keeps the certificates of all replicas in one Secret, and the webhook configurations trusting them. Every replica
 * does so: the version of each object decides who is first, and whoever is not looks again.
 */
export class ManagedCertificates {
  readonly #options: ManagedCertificatesOptions
  readonly #jitter: number
  readonly #stopping = new AbortController()
  readonly #lasting = new SteadyTimer()
  readonly #ready = Promise.withResolvers<undefined>()
  #running: Promise<void> = Promise.resolve()
  #remembered: CertificateSet | undefined
  #served: CertificateSet | undefined
  /** Fingerprint of a pair, or version of a Secret, that was told of already. */
  #unusable = ''
  #trouble: string | undefined

  constructor (options: ManagedCertificatesOptions) {
    this.#options = options
    this.#jitter = options.random()
  }

  /** Resolves when the first pair is served, or this has been stopped. */
  get ready (): Promise<void> { return this.#ready.promise }

  /** Why no pair is served yet; undefined where one is. */
  unready (): string | undefined {
    return this.#served === undefined
      ? `there is no serving certificate yet${this.#trouble === undefined ? '' : `: ${this.#trouble}`}`
      : undefined
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
      let wait = LOOK_MS
      try {
        wait = await this.#look()
      } catch (error) {
        this.#tell(`a defect: ${errorMessage(error)}`)
      }
      await pause(this.#options.clock, wait, this.#stopping.signal)
    }
  }

  /** Reads, serves what may be served, takes one step. Milliseconds until the next look. */
  async #look (): Promise<number> {
    const view = await readCluster(this.#options.store, this.#options.objects)
    if (this.#stopping.signal.aborted) return 0
    const seen = await this.#observe(view)
    this.#take(view, seen)
    const now = { ...seen, remembered: this.#remembered, served: this.#served }
    const { step, outcome } = await this.#step(view, now)
    this.#tell(view.trouble ?? (outcome?.kind === 'failed' ? outcome.reason : undefined))
    return waitAfter(view, step, outcome)
  }

  async #observe ({ registrations, stored }: ClusterView): Promise<Seen> {
    const { clock, wallTime } = this.#options
    const clients = registrations?.flatMap(({ clients }) => clients)
    if (stored.kind === 'found') {
      for (const { fingerprint } of trustedBy(stored.set, 0)) {
        const trusted =
          clients?.every(({ bundle }) => bundle.some((certificate) => certificate.fingerprint === fingerprint)) === true
        this.#lasting.note(`${fingerprint} is trusted`, trusted, clock.now())
      }
      await this.#confirm(stored.set, clients ?? [])
    }
    const ca = stored.kind === 'found' ? stored.set.ca.fingerprint : ''
    const at = clock.now()
    return {
      stored,
      clients,
      remembered: this.#remembered,
      served: this.#served,
      trustedFor: (fingerprint) => this.#lasting.for(`${fingerprint} is trusted`, at),
      confirmedFor: this.#lasting.for(`${ca} is confirmed`, at),
      unrefutedFor: this.#lasting.for(`${ca} is not refuted`, at),
      now: wallTime().getTime()
    }
  }

  /** While an old CA is still trusted: whether everybody serves a certificate of the present one. */
  async #confirm ({ ca, old }: CertificateSet, clients: readonly RegisteredClient[]): Promise<void> {
    const { store, probeServingCert, self, clock } = this.#options
    const own = old.length > 0 ? self() : undefined
    const others = own === undefined ? [] : await discoverReplicas(store, clients, own.port)
    const changing = own !== undefined
    const results = changing
      ? await Promise.all([own, ...(others ?? [])].map(async (peer) => await probeServingCert(peer, ca.certPem)))
      : []
    const all = changing && others !== undefined && results.every((result) => result === 'confirmed')
    this.#lasting.note(`${ca.fingerprint} is confirmed`, all, clock.now())
    this.#lasting.note(`${ca.fingerprint} is not refuted`, changing && !results.includes('refuted'), clock.now())
  }

  /** Remembers what can be used, and serves it where it may be served. */
  #take ({ stored, unusable, secret }: ClusterView, seen: Seen): void {
    if (unusable !== undefined) this.#passOver(JSON.stringify(secret?.['metadata']), unusable)
    if (stored.kind !== 'found') return
    const { set } = stored
    this.#remembered = set
    if (this.#served?.serving.fingerprint !== set.serving.fingerprint && mayServe(set, seen, this.#options.policy)) this.#serve(set)
    else if (this.#served?.serving.fingerprint === set.serving.fingerprint) this.#served = set
  }

  #serve (set: CertificateSet): void {
    try {
      this.#options.serve(set)
    } catch (error) {
      this.#passOver(set.serving.fingerprint, errorMessage(error))
      return
    }
    this.#served = set
    this.#options.log.info({ ...keysOf(set) }, 'a serving certificate is in use')
    this.#ready.resolve(undefined)
  }

  #passOver (what: string, reason: string): void {
    if (this.#unusable === what) return
    this.#unusable = what
    this.#options.onUnusable()
    this.#options.log.error(
      { secret: this.#options.objects.secret, reason },
      'the certificates of the Secret cannot be used, the last good ones stay in use'
    )
  }

  /** Where the bundles cannot be written, at least the certificates in the Secret are kept fresh. */
  async #step (view: ClusterView, seen: Seen): Promise<{ step: Step, outcome: StepResult | undefined }> {
    const policy = { ...this.#options.policy, jitter: this.#jitter }
    const step = nextStep(seen, policy)
    const outcome = await this.#carryOut(step, view)
    if (step.kind !== 'trust' || outcome?.kind !== 'failed') return { step, outcome }
    const other = nextStep({ ...seen, clients: undefined }, policy)
    return other.kind === 'renew' ? { step: other, outcome: await this.#carryOut(other, view) } : { step, outcome }
  }

  async #carryOut (step: Step, view: ClusterView): Promise<StepResult | undefined> {
    if (step.kind === 'rest') return undefined
    const { store, objects, policy, wallTime, log } = this.#options
    const outcome = await applyStep(step, view, { store, objects, policy, now: wallTime() })
    if (outcome.kind !== 'written') return outcome
    if (outcome.set !== undefined) this.#remembered = outcome.set
    log.info({ secret: objects.secret, ...(outcome.set !== undefined && keysOf(outcome.set)) }, MESSAGES[step.kind])
    return outcome
  }

  /** Of the same trouble once. */
  #tell (trouble: string | undefined): void {
    if (trouble !== undefined && trouble !== this.#trouble && !this.#stopping.signal.aborted) {
      this.#options.log.warn({ reason: trouble }, 'the certificates cannot be looked after at the moment')
    }
    this.#trouble = trouble
  }
}

function waitAfter (view: ClusterView, step: Step, outcome: StepResult | undefined): number {
  if (outcome?.kind === 'written' || outcome?.kind === 'outdated') return AFTER_WRITE_MS
  return step.kind === 'rest' && !isChanging(view) ? LOOK_MS : CHANGING_MS
}

function isChanging ({ stored }: ClusterView): boolean {
  return stored.kind === 'found' && (stored.set.next !== undefined || stored.set.old.length > 0)
}

/** What a log says of a set: which certificates, and until when. */
function keysOf ({ serving, ca, next, old }: CertificateSet): object {
  const brief = (fingerprint: string): string => fingerprint.slice(0, 16)
  return {
    certificate: brief(serving.fingerprint),
    expires: new Date(serving.notAfter).toISOString(),
    ca: brief(ca.fingerprint),
    caExpires: new Date(ca.notAfter).toISOString(),
    ...(next !== undefined && { nextCa: brief(next.fingerprint) }),
    ...(old.length > 0 && { oldCas: old.map(({ fingerprint }) => brief(fingerprint)) })
  }
}
