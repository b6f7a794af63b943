import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { errorMessage } from '../src/platform/error-message.ts'

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
export function parsePair ({ certPem, keyPem }: KeyedCertificate): X509Certificate {
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
