import { distinct, trustedBy, type CertificateSet, type KnownCertificate } from './certificate-set.ts'
import { DAY_MS } from './issue.ts'
import { trusts, trustsExactly, type RegisteredClient } from './trust.ts'

/** The next write; then observe again. All state is in the cluster, so a replica may stop after any step. */
export type Step =
  | { readonly kind: 'rest' }
  /** The Secret is lost: write the remembered set. */
  | { readonly kind: 'restore', readonly set: CertificateSet }
  /** No Secret and no remembered set exist: issue a CA and a serving pair. Currently trusted CAs stay trusted. */
  | { readonly kind: 'begin', readonly old: readonly KnownCertificate[] }
  /** The Secret was replaced by one without the served CA: keep that CA trusted. */
  | { readonly kind: 'keep-trust', readonly set: CertificateSet, readonly ca: KnownCertificate }
  /** A caBundle differs from the target. */
  | { readonly kind: 'trust', readonly target: readonly KnownCertificate[] }
  | { readonly kind: 'renew', readonly set: CertificateSet }
  /** Start a CA rotation: issue the next CA, to be trusted beside the current one. */
  | { readonly kind: 'announce', readonly set: CertificateSet }
  /** Every webhook trusts the next CA: sign with it. */
  | { readonly kind: 'promote', readonly set: CertificateSet, readonly next: NonNullable<CertificateSet['next']> }
  /** Stop trusting the old CAs. */
  | { readonly kind: 'retire', readonly set: CertificateSet, readonly basis: RetireBasis }

/** `unreachable`: some replicas have long been unreachable, and no other one serves an old certificate. */
type RetireBasis = 'expired' | 'confirmed' | 'unreachable'

/** `request`: the rotation that an operator requested by annotation. */
export type StoredSet =
  | { readonly kind: 'found', readonly set: CertificateSet, readonly request: 'ca' | 'leaf' | undefined }
  /** Missing or unusable. */
  | { readonly kind: 'lost' }
  /** Contains data of another program: must not be overwritten, except to restore a remembered set. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'unknown' }

/** What one replica observes. Durations are in milliseconds and start at 0 with each process. */
export interface RotationState {
  readonly stored: StoredSet
  /** The last usable set. */
  readonly remembered: CertificateSet | undefined
  /** The set whose pair this replica serves. */
  readonly served: CertificateSet | undefined
  /** The registered webhooks of this program; undefined if they could not be read. */
  readonly clients: readonly RegisteredClient[] | undefined
  /** How long every registered webhook has continuously trusted a CA; 0 if one does not. */
  readonly trustedFor: (fingerprint: string) => number
  /** How long every probe of every replica has verified a certificate of the current CA; 0 if one failed. */
  readonly confirmedFor: number
  /** How long no probe has found a certificate of another CA. Unreachable replicas do not count. */
  readonly unrefutedFor: number
  readonly now: number
}

export interface RotationPolicy {
  /** The names that a serving certificate must contain. */
  readonly names: readonly string[]
  /** How long each step of a CA rotation waits, in milliseconds; must exceed the propagation delay of API servers. */
  readonly settle: number
  /** From 0 to 1, random per replica, so that replicas do not renew at the same time. */
  readonly jitter: number
}

/** Settle times after which an old CA is retired although some replicas are unreachable. */
const UNREACHABLE_FACTOR = 20
/** The fraction of a certificate's lifetime that is left at renewal, and the jitter in it. */
const LEFT_AT_RENEWAL = 1 / 3
const JITTER = 1 / 50
/** Limit of CAs that a new set takes over from the bundles. */
const MAX_KEPT = 8

const REST: Step = { kind: 'rest' }

/** Decides the next step. Pure. */
export function nextStep (state: RotationState, policy: RotationPolicy): Step {
  const { stored, remembered, clients, now } = state
  if (stored.kind === 'unknown') return REST
  if (stored.kind !== 'found') {
    if (remembered !== undefined) return { kind: 'restore', set: remembered }
    return stored.kind === 'lost' ? begin(state) : REST
  }
  const { set } = stored
  const ca = droppedCa(set, state, policy)
  if (ca !== undefined) return { kind: 'keep-trust', set, ca }
  const target = trustedBy(set, now)
  if (clients?.some((client) => !trustsExactly(client, target)) === true) return { kind: 'trust', target }
  const next = continueRotation(set, state, policy)
  if (next !== undefined) return next
  return mustRenew(stored, now, policy) ? { kind: 'renew', set } : startRotation(stored, state, policy)
}

/** Whether to serve the stored pair now. A trusted pair is kept until its successor is trusted everywhere. */
export function mayServe (
  set: CertificateSet, state: RotationState, { settle }: Pick<RotationPolicy, 'settle'>
): boolean {
  const { served, now, trustedFor } = state
  if (set.serving.notAfter <= now) return false
  if (served === undefined) return isTrusted(set.ca, state)
  if (served.ca.fingerprint === set.ca.fingerprint || served.serving.notAfter <= now) return true
  return isTrusted(set.ca, state) && (!isTrusted(served.ca, state) || trustedFor(set.ca.fingerprint) >= settle)
}

export function isTrusted (ca: KnownCertificate, { clients }: Pick<RotationState, 'clients'>): boolean {
  return clients?.every((client) => trusts(client, ca)) === true
}

function begin ({ clients, now }: RotationState): Step {
  if (clients === undefined) return REST
  const trusted = distinct(clients.flatMap(({ bundle }) => bundle).filter(({ notAfter }) => notAfter > now))
  return { kind: 'begin', old: trusted.slice(0, MAX_KEPT) }
}

/** The CA of the served pair if this replica must keep serving it and the Secret does not contain it. */
function droppedCa (set: CertificateSet, state: RotationState, policy: RotationPolicy): KnownCertificate | undefined {
  const { served, now } = state
  if (served === undefined || served.ca.notAfter <= now || mayServe(set, state, policy)) return undefined
  return trustedBy(set, now).some(({ fingerprint }) => fingerprint === served.ca.fingerprint) ? undefined : served.ca
}

function continueRotation (set: CertificateSet, state: RotationState, { settle }: RotationPolicy): Step | undefined {
  const { now, trustedFor } = state
  if (set.next !== undefined) {
    const settled = trustedFor(set.next.fingerprint) >= settle || set.serving.notAfter <= now
    return settled && isTrusted(set.next, state) ? { kind: 'promote', set, next: set.next } : undefined
  }
  const basis = set.old.length > 0 ? retireBasis(set, state, settle) : undefined
  return basis && { kind: 'retire', set, basis }
}

function retireBasis ({ ca, old }: CertificateSet, state: RotationState, settle: number): RetireBasis | undefined {
  const { served, now, confirmedFor, unrefutedFor } = state
  if (old.every(({ notAfter }) => notAfter <= now)) return 'expired'
  if (served?.ca.fingerprint !== ca.fingerprint || !isTrusted(ca, state)) return undefined
  if (confirmedFor >= settle) return 'confirmed'
  return unrefutedFor >= UNREACHABLE_FACTOR * settle ? 'unreachable' : undefined
}

function startRotation (
  { set, request }: StoredSet & { kind: 'found' }, { clients, now }: RotationState, { jitter }: RotationPolicy
): Step {
  if (clients === undefined || set.next !== undefined || set.old.length > 0) return REST
  return request === 'ca' || isDue(set.ca, now, jitter) ? { kind: 'announce', set } : REST
}

/** A certificate never outlives its CA, so renewal is pointless if the new one would not last longer. */
function mustRenew (
  { set: { serving, ca }, request }: StoredSet & { kind: 'found' }, now: number, { names, jitter }: RotationPolicy
): boolean {
  if (ca.notAfter <= now) return false
  if (request === 'leaf' || names.some((name) => !serving.names.includes(name))) return true
  return isDue(serving, now, jitter) && serving.notAfter < ca.notAfter - DAY_MS / 24
}

function isDue ({ notBefore, notAfter }: KnownCertificate, now: number, jitter: number): boolean {
  return now >= notAfter - (notAfter - notBefore) * (LEFT_AT_RENEWAL + JITTER * jitter)
}
