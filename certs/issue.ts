import 'reflect-metadata' // @peculiar/x509 asks for it
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

export interface IssueOptions {
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
  /** How long both certificates are valid, in days. */
  readonly days: number
}

/** PEM throughout; the key is PKCS #8. */
export interface IssuedPair { readonly caPem: string, readonly certPem: string, readonly keyPem: string }

/** A CA made for this one pair, whose key is forgotten at once, and a serving pair of it. Source: RFC 5280; names stand in the SAN alone, as RFC 9525 wants. */
export async function issueThrowawayPair ({ dnsNames, ipAddresses, days }: IssueOptions): Promise<IssuedPair> {
  const validity = { notBefore: new Date(Date.now() - BACK_DATED_MS), notAfter: new Date(Date.now() + days * DAY_MS) }
  const caKeys = await newKeys()
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: 'CN=aim-admission throw-away CA',
    keys: caKeys,
    signingAlgorithm: ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)]
  })
  const keys = await newKeys()
  const leaf = await x509.X509CertificateGenerator.create({
    ...validity,
    subject: 'CN=aim-admission',
    issuer: ca.subject,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
        ...ipAddresses.map((value) => ({ type: 'ip' as const, value }))
      ])
    ]
  })
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { caPem: ca.toString('pem'), certPem: leaf.toString('pem'), keyPem: x509.PemConverter.encode(key, 'PRIVATE KEY') }
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const DAY_MS = 24 * 60 * 60 * 1_000
/** For clocks that are behind. */
const BACK_DATED_MS = 60 * 60 * 1_000

async function newKeys (): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}
