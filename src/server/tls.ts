import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Server } from 'node:https'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { errorMessage } from '../platform/error-message.ts'

/** A certificate chain, the leaf first, and its key. PEM. */
export interface PemPair { readonly cert: string, readonly key: string }

/**
 * What is served, and whom callers must show a certificate of: PEM of CA certificates; undefined where everybody may
 * call.
 */
export interface TlsMaterial extends PemPair { readonly clientCa?: string | undefined }

/** A serving pair that was found sound. */
export interface ServingPair extends PemPair { readonly notAfter: Date }

/**
 * All that the server asks of TLS. Given whole each time: what a later swap leaves out falls back to Node's defaults.
 */
export function tlsOptions ({ cert, key, clientCa }: TlsMaterial): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(clientCa !== undefined && { ca: clientCa }) }
}

/**
 * Serves another pair from the next handshake on; open connections keep theirs. A pair that does not fit throws, and
 * the old one stays.
 */
export function swapServingPair (server: Pick<Server, 'setSecureContext'>, material: TlsMaterial): void {
  server.setSecureContext(tlsOptions(material))
}

/** Checks a serving pair. Throws one sentence where it does not match or has expired; `title` names it in the error. */
export function servingPair (cert: string, key: string, title: string): ServingPair {
  try {
    const certificate = new X509Certificate(cert)
    if (!certificate.checkPrivateKey(createPrivateKey(key))) throw new Error('the key is not the certificate\'s')
    const notAfter = new Date(certificate.validTo)
    if (notAfter.getTime() <= Date.now()) throw new Error(`the certificate expired on ${notAfter.toISOString()}`)
    createSecureContext(tlsOptions({ cert, key })) // reads what follows the first certificate, too
    return { cert, key, notAfter }
  } catch (error) {
    throw new Error(
      `${title} cannot be served: ${errorMessage(error)}; give the PEM certificate chain and its PEM key`,
      { cause: error }
    )
  }
}

/**
 * Checks the CA certificates that callers are verified by. Throws one sentence where there is none, or one cannot be
 * read; `title` names them in the error.
 */
export function clientAuthorities (pem: string, title: string): string {
  try {
    const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    if (certificates.length === 0) throw new Error('it holds no certificate')
    return certificates.map((certificate) => new X509Certificate(certificate).toString()).join('')
  } catch (error) {
    throw new Error(
      `${title} cannot verify callers: ${errorMessage(error)}; give the PEM certificates of the CA that signs those of the API servers`,
      { cause: error }
    )
  }
}
