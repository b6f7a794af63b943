import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { reasonOf } from '../core/reason-of.ts'

/** A serving pair that was found sound. PEM. */
export interface ServingPair { readonly cert: string, readonly key: string, readonly notAfter: Date }

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
