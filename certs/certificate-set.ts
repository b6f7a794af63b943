import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { ownString, type JsonObject } from '../src/platform/json.ts'
import { errorMessage } from '../src/platform/error-message.ts'
import type { KeyedCertificate } from './issue.ts'

/** A certificate that was read and found sound. Times in milliseconds since 1970. */
export interface KnownCertificate {
  readonly certPem: string
  /** SHA-256 of the certificate, in hex: which one it is. */
  readonly fingerprint: string
  readonly notBefore: number
  readonly notAfter: number
}

export interface Authority extends KnownCertificate, KeyedCertificate {}

export interface ServingCertificate extends KnownCertificate, KeyedCertificate {
  /** DNS names and IP addresses of its SAN. */
  readonly names: readonly string[]
}

/** All that the replicas share: what they serve, and whom they ask the API server to trust. */
export interface CertificateSet {
  readonly serving: ServingCertificate
  /** The CA that signed it. */
  readonly ca: Authority
  /** The CA that takes over, once it is trusted everywhere. */
  readonly next: Authority | undefined
  /** CAs that replicas may still serve certificates of. Their keys are gone. */
  readonly old: readonly KnownCertificate[]
}

/** Every CA that is to be trusted: those that have expired are not. */
export function trustedBy ({ ca, next, old }: CertificateSet, now: number): KnownCertificate[] {
  return [ca, ...(next === undefined ? [] : [next]), ...old.filter(({ notAfter }) => notAfter > now)]
}

/** Reads the data of a Secret. A string says why it cannot be used; it never holds any of it. */
export function readCertificateSet (data: JsonObject): CertificateSet | string {
  const text = (key: string): string => Buffer.from(ownString(data, key), 'base64').toString()
  try {
    const ca = authority({ certPem: text('ca.crt'), keyPem: text('ca.key') })
    const serving = servingCertificate({ certPem: text('tls.crt'), keyPem: text('tls.key') })
    if (!new X509Certificate(serving.certPem).verify(new X509Certificate(ca.certPem).publicKey)) { throw new Error('tls.crt is not signed by ca.crt') }
    const next =
      text('next-ca.crt') === '' ? undefined : authority({ certPem: text('next-ca.crt'), keyPem: text('next-ca.key') })
    return { serving, ca, next, old: certificatesOf(text('old-ca.crt')) }
  } catch (error) {
    return errorMessage(error)
  }
}

/** The data of a Secret. */
export function writeCertificateSet ({ serving, ca, next, old }: CertificateSet): Record<string, string> {
  const texts = {
    'tls.crt': serving.certPem,
    'tls.key': serving.keyPem,
    'ca.crt': ca.certPem,
    'ca.key': ca.keyPem,
    ...(next !== undefined && { 'next-ca.crt': next.certPem, 'next-ca.key': next.keyPem }),
    ...(old.length > 0 && { 'old-ca.crt': old.map(({ certPem }) => certPem).join('') })
  }
  return Object.fromEntries(Object.entries(texts).map(([key, value]) => [key, Buffer.from(value).toString('base64')]))
}

/** Throws where the certificate is no CA, or the key is not its own. */
export function authority (pair: KeyedCertificate): Authority {
  const certificate = keyed(pair)
  if (!certificate.ca) throw new Error('the certificate is not one of a CA')
  return { ...known(certificate), keyPem: pair.keyPem }
}

/** Throws where the key is not the certificate's. */
export function servingCertificate (pair: KeyedCertificate): ServingCertificate {
  const certificate = keyed(pair)
  return { ...known(certificate), keyPem: pair.keyPem, names: namesOf(certificate) }
}

/** The certificates of a PEM text, each once. Throws where one of them cannot be read. */
export function certificatesOf (pem: string): KnownCertificate[] {
  const certificates = (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((each) =>
    known(new X509Certificate(each))
  )
  return [...new Map(certificates.map((certificate) => [certificate.fingerprint, certificate])).values()]
}

function keyed ({ certPem, keyPem }: KeyedCertificate): X509Certificate {
  const certificate = new X509Certificate(certPem)
  if (!certificate.checkPrivateKey(createPrivateKey(keyPem))) throw new Error('a key is not its certificate\'s')
  return certificate
}

function known (certificate: X509Certificate): KnownCertificate {
  return {
    certPem: certificate.toString(),
    fingerprint: createHash('sha256').update(certificate.raw).digest('hex'),
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime()
  }
}

/** Of certificates that this program issued: their names hold nothing that would be quoted. */
function namesOf ({ subjectAltName = '' }: X509Certificate): string[] {
  return subjectAltName.split(', ').flatMap((name) => /^(?:DNS|IP Address):(.+)$/.exec(name)?.slice(1) ?? [])
}
