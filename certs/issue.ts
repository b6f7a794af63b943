import { createPrivateKey, KeyObject, randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import type { X509Certificate } from '@peculiar/x509'
import type { KeyedCertificate } from './certificate-set.ts'

/** `days`: the validity of both certificates. */
interface IssueOptions { dnsNames: readonly string[], ipAddresses: readonly string[], days: number }

export interface IssuedPair extends KeyedCertificate { readonly caPem: string }

export interface Validity { readonly notBefore: Date, readonly notAfter: Date }

export const DAY_MS = 24 * 60 * 60 * 1_000
/** Tolerance for verifiers whose clock is behind. */
const BACK_DATED_MS = 60 * 60 * 1_000

/** Starts one hour in the past, so that a clock that is behind accepts the certificate. */
export function validityFrom (now: Date, days: number): Validity {
  return { notBefore: new Date(now.getTime() - BACK_DATED_MS), notAfter: new Date(now.getTime() + days * DAY_MS) }
}

/** Issues a serving pair from a single-use CA, whose key is discarded. */
export async function issueEphemeralPair ({ dnsNames, ipAddresses, days }: IssueOptions): Promise<IssuedPair> {
  const validity = validityFrom(new Date(), days)
  const authority = await issueAuthority('aim-admission ephemeral CA', validity)
  return {
    caPem: authority.certPem,
    ...(await issueServingPair(authority, { names: [...dnsNames, ...ipAddresses], ...validity }))
  }
}

/** Issues a CA that can sign serving certificates but no intermediate CA. Source: RFC 5280. */
export async function issueAuthority (commonName: string, validity: Validity): Promise<KeyedCertificate> {
  const x509 = await loadX509()
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    serialNumber: newSerialNumber(),
    name: [{ CN: [commonName] }],
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)
    ]
  })
  return pairOf(certificate, keys.privateKey)
}

/** `names`: DNS names and IP addresses. */
interface ServingOptions extends Validity { readonly names: readonly string[] }

/** Issues a serving pair signed by a CA. Names are only in the SAN, as RFC 9525 requires. */
export async function issueServingPair (
  authority: KeyedCertificate, { names, notBefore, notAfter }: ServingOptions
): Promise<KeyedCertificate> {
  const x509 = await loadX509()
  const issuer = new x509.X509Certificate(authority.certPem)
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.create({
    notBefore,
    notAfter,
    serialNumber: newSerialNumber(),
    subject: 'CN=aim-admission',
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey: createPrivateKey(authority.keyPem).toCryptoKey(ALGORITHM, false, ['sign']),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map((value) =>
        ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }))),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey)
    ]
  })
  return pairOf(certificate, keys.privateKey)
}

/** Loaded on demand: it is the slowest module to load, and only issuing a certificate needs it. */
async function loadX509 () {
  await import('reflect-metadata') // required by @peculiar/x509
  return await import('@peculiar/x509')
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

function pairOf (certificate: X509Certificate, key: webcrypto.CryptoKey): KeyedCertificate {
  const keyPem = String(KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }))
  return { certPem: `${certificate.toString('pem')}\n`, keyPem }
}

/** 16 random bytes in hex. The first is 40 to 7f, so that the DER integer is positive and has no leading zero. */
function newSerialNumber (): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}
