import { trustedBy, type CertificateSet, type KnownCertificate } from './certificate-set.ts'
import { DAY_MS } from './issue.ts'
import { trustsExactly, type RegisteredClient } from './trust.ts'

/**
 * What is to be done next. Each step is one write, after which everything is looked at anew: all state is in the
 * cluster, so that a replica may end after any of them.
 */
export type Step =
  | { readonly kind: 'rest' }
  /** The Secret is lost: put back what is remembered of it. */
  | { readonly kind: 'restore', readonly set: CertificateSet }
  /**
   * There is no Secret that anybody remembers: make a CA and a serving pair. What is trusted at present stays trusted
   * for the time being.
   */
  | { readonly kind: 'begin', readonly old: readonly KnownCertificate[] }
  /** The Secret was replaced by one that does not know the CA that is served: keep that one trusted. */
  | { readonly kind: 'keep-trust', readonly set: CertificateSet, readonly ca: KnownCertificate }
  /** Some caBundle is not what it should be. */
  | { readonly kind: 'trust', readonly wanted: readonly KnownCertificate[] }
  | { readonly kind: 'renew', readonly set: CertificateSet }
  /** A CA change begins: make the CA that takes over, to be trusted beside the present one. */
  | { readonly kind: 'announce', readonly set: CertificateSet }
  /** It is trusted everywhere: sign with it. */
  | { readonly kind: 'promote', readonly set: CertificateSet, readonly next: NonNullable<CertificateSet['next']> }
  /** Everybody serves a certificate of it: trust the old one no longer. */
  | { readonly kind: 'retire', readonly set: CertificateSet }

/** What an operator asks for, by an annotation. */
export type RotationRequest = 'ca' | 'leaf' | undefined

export type StoredSet =
  | { readonly kind: 'found', readonly set: CertificateSet, readonly request: RotationRequest }
  /** Missing, or not usable. */
  | { readonly kind: 'lost' }
  /**
   * It holds something that this program did not write: not to be overwritten, unless it took the place of what is
   * remembered.
   */
  | { readonly kind: 'foreign' }
  /** It could not be read. */
  | { readonly kind: 'unknown' }

/**
 * Everything that a replica knows when it decides. Times in milliseconds; how long something has been so is by this
 * replica's own observation, which begins anew with it.
 */
export interface Seen {
  readonly stored: StoredSet
  /** The last set that could be used. */
  readonly remembered: CertificateSet | undefined
  /** The set whose pair this replica serves. */
  readonly served: CertificateSet | undefined
  /** The webhooks of this program that are registered; undefined where that could not be read. */
  readonly clients: readonly RegisteredClient[] | undefined
  /** How long every registered webhook has trusted a CA without a break; 0 where one does not. */
  readonly trustedFor: (fingerprint: string) => number
  /**
   * How long every handshake with every replica in reach has shown a certificate of the present CA; 0 where one could
   * not be made.
   */
  readonly confirmedFor: number
  /** How long no handshake has shown a certificate of another CA. */
  readonly unrefutedFor: number
  readonly now: number
}

export interface RotationPolicy {
  /** What a serving certificate must be good for. */
  readonly names: readonly string[]
  /** How long each step of a CA change rests, in milliseconds: longer than any API server lags behind. */
  readonly settle: number
  /** From 0 to 1, this replica's own: replicas do not all renew in the same moment. */
  readonly jitter: number
}

/**
 * How many times the settling time an old CA is kept where not every replica can be reached, nor any be seen to serve a
 * certificate of it.
 */
const PATIENCE = 20

/**
 * Of a certificate's life, as a fraction: how much is left when it is renewed, and by how much replicas differ in that.
 */
const LEFT_AT_RENEWAL = 1 / 3
const JITTER = 1 / 50

const REST: Step = { kind: 'rest' }

/** Decides what to do next. Pure. */
export function nextStep (seen: Seen, policy: RotationPolicy): Step {
  const { stored, remembered, clients, now } = seen
  if (stored.kind === 'unknown') return REST
  if (stored.kind !== 'found') {
    if (remembered !== undefined) return { kind: 'restore', set: remembered }
    return stored.kind === 'lost' ? begin(seen) : REST
  }
  const { set } = stored
  const forgotten = forgottenCa(set, seen, policy)
  if (forgotten !== undefined) return { kind: 'keep-trust', set, ca: forgotten }
  const wanted = trustedBy(set, now)
  if (clients?.some((client) => !trustsExactly(client, wanted)) === true) return { kind: 'trust', wanted }
  return (
    changeOf(stored.set, seen, policy) ??
    (mustRenew(stored, now, policy) ? { kind: 'renew', set } : beginChange(stored, seen, policy))
  )
}

/**
 * Whether the stored pair may be served from now on: whoever serves a trusted one already waits until its successor is
 * trusted everywhere, too.
 */
export function mayServe (set: CertificateSet, seen: Seen, { settle }: Pick<RotationPolicy, 'settle'>): boolean {
  const { served, now, trustedFor } = seen
  if (set.serving.notAfter <= now) return false
  if (served === undefined) return isTrusted(set.ca, seen)
  if (served.ca.fingerprint === set.ca.fingerprint || served.serving.notAfter <= now) return true
  return isTrusted(set.ca, seen) && (!isTrusted(served.ca, seen) || trustedFor(set.ca.fingerprint) >= settle)
}

function begin ({ clients, now }: Seen): Step {
  if (clients === undefined) return REST
  const trusted = clients.flatMap(({ bundle }) => bundle).filter(({ notAfter }) => notAfter > now)
  return {
    kind: 'begin',
    old: [...new Map(trusted.map((certificate) => [certificate.fingerprint, certificate])).values()].slice(0, MAX_KEPT)
  }
}

/** Of CAs that were trusted before this program came. */
const MAX_KEPT = 8

/** The CA of the pair that this replica has to go on serving, where the Secret does not know it. */
function forgottenCa (set: CertificateSet, seen: Seen, policy: RotationPolicy): KnownCertificate | undefined {
  const { served, now } = seen
  if (served === undefined || served.ca.notAfter <= now || mayServe(set, seen, policy)) return undefined
  return trustedBy(set, now).some(({ fingerprint }) => fingerprint === served.ca.fingerprint) ? undefined : served.ca
}

/** The next step of a CA change that is under way, where it can be taken. */
function changeOf (set: CertificateSet, seen: Seen, { settle }: RotationPolicy): Step | undefined {
  const { now, trustedFor } = seen
  if (set.next !== undefined) {
    const isReady =
      isTrusted(set.next, seen) && (trustedFor(set.next.fingerprint) >= settle || set.serving.notAfter <= now)
    return isReady ? { kind: 'promote', set, next: set.next } : undefined
  }
  return set.old.length > 0 && mayRetire(set, seen, settle) ? { kind: 'retire', set } : undefined
}

function mayRetire ({ ca, old }: CertificateSet, seen: Seen, settle: number): boolean {
  const { served, now, confirmedFor, unrefutedFor } = seen
  if (old.every(({ notAfter }) => notAfter <= now)) return true
  const servesIt = served?.ca.fingerprint === ca.fingerprint && isTrusted(ca, seen)
  return servesIt && (confirmedFor >= settle || unrefutedFor >= PATIENCE * settle)
}

function beginChange ({ set, request }: StoredSet & { kind: 'found' }, { clients, now }: Seen, { jitter }: RotationPolicy): Step {
  if (clients === undefined || set.next !== undefined || set.old.length > 0) return REST
  return request === 'ca' || isDue(set.ca, now, jitter) ? { kind: 'announce', set } : REST
}

/** No certificate outlives its CA: where it would not last longer than the present one, there is no use in another. */
function mustRenew ({ set: { serving, ca }, request }: StoredSet & { kind: 'found' }, now: number, { names, jitter }: RotationPolicy): boolean {
  if (ca.notAfter <= now) return false
  if (request === 'leaf' || names.some((name) => !serving.names.includes(name))) return true
  return isDue(serving, now, jitter) && serving.notAfter < ca.notAfter - DAY_MS / 24
}

function isDue ({ notBefore, notAfter }: KnownCertificate, now: number, jitter: number): boolean {
  return now >= notAfter - (notAfter - notBefore) * (LEFT_AT_RENEWAL + JITTER * jitter)
}

function isTrusted ({ fingerprint }: KnownCertificate, { clients }: Seen): boolean {
  return clients?.every(({ bundle }) => bundle.some((certificate) => certificate.fingerprint === fingerprint)) === true
}
