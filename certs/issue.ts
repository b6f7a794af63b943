import { randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import type { X509Certificate } from '@peculiar/x509'

export interface IssueOptions {
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
  /** How long both certificates are valid, in days. */
  readonly days: number
}

/** PEM throughout; the key is PKCS #8. */
export interface IssuedPair { readonly caPem: string, readonly certPem: string, readonly keyPem: string }

/** A certificate and its key. PEM; the key is PKCS #8. */
export interface KeyedCertificate { readonly certPem: string, readonly keyPem: string }

export interface Validity { readonly notBefore: Date, readonly notAfter: Date }

/** In milliseconds. */
export const DAY_MS = 24 * 60 * 60 * 1_000
/** For clocks that are behind. */
const BACK_DATED_MS = 60 * 60 * 1_000

/** From an hour ago, so that a clock that is behind accepts it, for so many days from now. */
export function validityFrom (now: Date, days: number): Validity {
  return { notBefore: new Date(now.getTime() - BACK_DATED_MS), notAfter: new Date(now.getTime() + days * DAY_MS) }
}

/** A CA made for this one pair, whose key is forgotten at once, and a serving pair of it. */
export async function issueEphemeralPair ({ dnsNames, ipAddresses, days }: IssueOptions): Promise<IssuedPair> {
  const validity = validityFrom(new Date(), days)
  const authority = await issueAuthority('aim-admission throw-away CA', validity)
  return {
    caPem: authority.certPem,
    ...(await issueServingPair(authority, { names: [...dnsNames, ...ipAddresses], ...validity }))
  }
}

/** A CA that signs serving certificates and no further CA. Source: RFC 5280. */
export async function issueAuthority (commonName: string, validity: Validity): Promise<KeyedCertificate> {
  const x509 = await loadX509()
  const keys = await newKeys()
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
  return await withKey(certificate, keys.privateKey)
}

export interface ServingOptions extends Validity {
  /** DNS names and IP addresses. */
  readonly names: readonly string[]
}

/** A serving pair of a CA. Names stand in the SAN alone, as RFC 9525 wants. */
export async function issueServingPair (authority: KeyedCertificate, { names, notBefore, notAfter }: ServingOptions): Promise<KeyedCertificate> {
  const x509 = await loadX509()
  const issuer = new x509.X509Certificate(authority.certPem)
  const keys = await newKeys()
  const certificate = await x509.X509CertificateGenerator.create({
    notBefore,
    notAfter,
    serialNumber: newSerialNumber(),
    subject: 'CN=aim-admission',
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey: await signingKeyOf(authority.keyPem),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }))
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey)
    ]
  })
  return await withKey(certificate, keys.privateKey)
}

/**
 * Only where a certificate is issued: it takes longer to load than any other part of the program, and whoever reads
 * certificates from files never needs it.
 */
async function loadX509 () {
  await import('reflect-metadata') // it asks for it
  return await import('@peculiar/x509')
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

async function newKeys (): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

async function signingKeyOf (keyPem: string): Promise<webcrypto.CryptoKey> {
  return await webcrypto.subtle.importKey(
    'pkcs8',
    (await loadX509()).PemConverter.decodeFirst(keyPem),
    ALGORITHM,
    false,
    ['sign']
  )
}

async function withKey (certificate: X509Certificate, key: webcrypto.CryptoKey): Promise<KeyedCertificate> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', key)
  return {
    certPem: `${certificate.toString('pem')}\n`,
    keyPem: `${(await loadX509()).PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`
  }
}

/**
 * 127 random bits, in hex. The first byte is neither 0 nor above 7f, so that the number is positive and as long as it
 * looks.
 */
function newSerialNumber (): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}
