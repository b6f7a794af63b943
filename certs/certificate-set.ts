import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { errorMessage } from '../src/platform/error-message.ts'
import { ownString, type JsonObject } from '../src/platform/json.ts'
import { createSecureContext } from 'node:tls'

/** A parsed certificate. Times in milliseconds since 1970. */
export interface KnownCertificate {
  readonly certPem: string
  /** SHA-256 of the certificate, in hex. */
  readonly fingerprint: string
  readonly notBefore: number
  readonly notAfter: number
}

export interface Authority extends KnownCertificate, KeyedCertificate {}

export interface ServingCertificate extends KnownCertificate, KeyedCertificate {
  /** DNS names and IP addresses of its SAN. */
  readonly names: readonly string[]
}

/** The certificates that all replicas share through one Secret. */
export interface CertificateSet {
  readonly serving: ServingCertificate
  /** The CA that signed the serving certificate. */
  readonly ca: Authority
  /** The CA that takes over once every webhook trusts it. */
  readonly next: Authority | undefined
  /** Previous CAs, without keys: replicas may still serve certificates that they signed. */
  readonly old: readonly KnownCertificate[]
}

/** The CAs that every webhook must trust: all except expired old ones. */
export function trustedBy ({ ca, next, old }: CertificateSet, now: number): KnownCertificate[] {
  return [ca, ...(next === undefined ? [] : [next]), ...old.filter(({ notAfter }) => notAfter > now)]
}

/** Reads the data of a Secret, or returns why it is unusable. The reason contains no data of the Secret. */
export function readCertificateSet (data: JsonObject): CertificateSet | string {
  const text = (key: string): string => Buffer.from(ownString(data, key), 'base64').toString()
  try {
    const ca = authority({ certPem: text('ca.crt'), keyPem: text('ca.key') })
    const serving = servingCertificate({ certPem: text('tls.crt'), keyPem: text('tls.key') })
    if (!new X509Certificate(serving.certPem).verify(new X509Certificate(ca.certPem).publicKey)) {
      throw new Error('tls.crt is not signed by ca.crt')
    }
    const nextPem = text('next-ca.crt')
    const next = nextPem === '' ? undefined : authority({ certPem: nextPem, keyPem: text('next-ca.key') })
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

/** Throws if the certificate is not a CA certificate or the key does not match it. */
export function authority (pair: KeyedCertificate): Authority {
  const certificate = parsePair(pair)
  if (!certificate.ca) throw new Error('the certificate is not a CA certificate')
  return { ...known(certificate), keyPem: pair.keyPem }
}

/** Throws if the key does not match the certificate. */
export function servingCertificate (pair: KeyedCertificate): ServingCertificate {
  const certificate = parsePair(pair)
  // this program issued the certificate, so no name contains quoted characters
  const names = (certificate.subjectAltName ?? '').split(', ').flatMap((name) =>
    /^(?:DNS|IP Address):(.+)$/.exec(name)?.slice(1) ?? [])
  return { ...known(certificate), keyPem: pair.keyPem, names }
}

/** The distinct certificates of a PEM text. Throws if one cannot be parsed. */
export function certificatesOf (pem: string): KnownCertificate[] {
  return distinct(parseCertificates(pem).map(known))
}

export function distinct (certificates: readonly KnownCertificate[]): KnownCertificate[] {
  return [...new Map(certificates.map((certificate) => [certificate.fingerprint, certificate])).values()]
}

function known (certificate: X509Certificate): KnownCertificate {
  return {
    certPem: certificate.toString(),
    fingerprint: createHash('sha256').update(certificate.raw).digest('hex'),
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime()
  }
}

/** A certificate and its private key. PEM; the key is PKCS #8. */
export interface KeyedCertificate { readonly certPem: string, readonly keyPem: string }

/** The certificates of a PEM text; any other content is ignored. Throws if a certificate cannot be parsed. */
export function parseCertificates (pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
}

export function toPem (certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => certificate.toString()).join('')
}

/** The first certificate of the pair. Throws if it cannot be parsed or the key does not match it. */
function parsePair ({ certPem, keyPem }: KeyedCertificate): X509Certificate {
  const certificate = new X509Certificate(certPem)
  if (!certificate.checkPrivateKey(createPrivateKey(keyPem))) throw new Error('the key does not match the certificate')
  return certificate
}

/** Returns when a serving pair expires. Throws if it cannot be served; `title` names the pair in the error. */
export function checkServingPair (pair: KeyedCertificate, title: string): Date {
  try {
    const { validToDate } = parsePair(pair)
    if (validToDate.getTime() <= Date.now()) throw new Error(`the certificate expired on ${validToDate.toISOString()}`)
    createSecureContext({ cert: pair.certPem, key: pair.keyPem }) // also parses the rest of the chain
    return validToDate
  } catch (error) {
    const fix = 'give the PEM certificate chain and its PEM key'
    throw new Error(`${title} cannot be served: ${errorMessage(error)}; ${fix}`, { cause: error })
  }
}

/** The PEM certificates that verify clients. Throws if there is no certificate; `title` names the source. */
export function clientAuthorities (pem: string, title: string): string {
  try {
    const certificates = parseCertificates(pem)
    if (certificates.length === 0) throw new Error('it holds no certificate')
    return toPem(certificates)
  } catch (error) {
    const fix = 'give the PEM certificates of the CA that signs the client certificates of the API servers'
    throw new Error(`${title} cannot verify clients: ${errorMessage(error)}; ${fix}`, { cause: error })
  }
}
