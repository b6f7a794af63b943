import { authority, servingCertificate, type Authority, type CertificateSet } from '../../../certs/certificate-set.ts'
import { issueAuthority, issueServingPair, validityFrom } from '../../../certs/issue.ts'
import type { RegisteredClient } from '../../../certs/trust.ts'

export const NAME = 'aim-admission.aim-system.svc'
export const DAY = 24 * 60 * 60 * 1_000

/** A CA that is valid from now on. */
export async function aCa (name: string, days = 365): Promise<Authority> {
  return authority(await issueAuthority(name, validityFrom(new Date(), days)))
}

/** A set with a serving pair of this CA, valid for 30 days. */
export async function aSet (ca: Authority, fields: Partial<CertificateSet> = {}): Promise<CertificateSet> {
  const pair = await issueServingPair(ca, { names: [NAME], ...validityFrom(new Date(), 30) })
  return { serving: servingCertificate(pair), ca, next: undefined, old: [], ...fields }
}

/** A registered webhook that trusts these CAs. */
export function aClient (...bundle: Authority[]): RegisteredClient {
  return {
    index: 0,
    name: 'mutate',
    bundle,
    unsound: false,
    target: { kind: 'url', url: 'https://127.0.0.1:8443/mutate' }
  }
}
