import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Server } from 'node:https'
import { createSecureContext } from 'node:tls'
import type { SecureContextOptions } from 'node:tls'
import { reasonOf } from '../core/reason-of.ts'

/** A certificate chain, the leaf first, and its key. PEM. */
export interface PemPair { readonly cert: string, readonly key: string }

/** A serving pair that was found sound. */
export interface ServingPair extends PemPair { readonly notAfter: Date }

/** All that the server asks of TLS. Given whole each time: what a later swap leaves out falls back to Node's defaults. */
export function tlsOptions ({ cert, key }: PemPair): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2' }
}

/** Serves another pair from the next handshake on; open connections keep theirs. A pair that does not fit throws, and the old one stays. */
export function swapServingPair (server: Pick<Server, 'setSecureContext'>, pair: PemPair): void {
  server.setSecureContext(tlsOptions(pair))
}

/** Reads a serving pair from files. Throws one sentence where it cannot be read, does not match or has expired. */
export function readServingPair (certFile: string, keyFile: string): ServingPair {
  return servingPair(textOf(certFile), textOf(keyFile), `the pair ${certFile} and ${keyFile}`)
}

/** Checks a serving pair. `title` names it in the error. */
export function servingPair (cert: string, key: string, title: string): ServingPair {
  try {
    const certificate = new X509Certificate(cert)
    if (!certificate.checkPrivateKey(createPrivateKey(key))) throw new Error('the key is not the certificate\'s')
    const notAfter = new Date(certificate.validTo)
    if (notAfter.getTime() <= Date.now()) throw new Error(`the certificate expired on ${notAfter.toISOString()}`)
    createSecureContext(tlsOptions({ cert, key })) // reads what follows the first certificate, too
    return { cert, key, notAfter }
  } catch (error) {
    throw new Error(`${title} cannot be served: ${reasonOf(error)}; give the PEM certificate chain and its PEM key`, { cause: error })
  }
}

function textOf (file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`cannot read ${file}: ${reasonOf(error)}`, { cause: error })
  }
}
