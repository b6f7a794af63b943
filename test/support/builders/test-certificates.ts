import 'reflect-metadata' // must precede @peculiar/x509
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

export interface KeyPair { readonly cert: string, readonly key: string }

export interface TestAuthority {
  /** PEM. */
  readonly cert: string
  /** Issues a pair for a client of this name and a server at 127.0.0.1. */
  issue (name: string): Promise<KeyPair>
}

export async function aTestAuthority (name: string): Promise<TestAuthority> {
  const keys = await newKeys()
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)
    ]
  })
  const issue = async (name: string) => {
    const { publicKey, privateKey } = await newKeys()
    const certificate = await x509.X509CertificateGenerator.create({
      subject: `CN=${name}`,
      issuer: authority.subject,
      publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])]
    })
    const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey))
    return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') }
  }
  return { cert: authority.toString('pem'), issue }
}

async function newKeys (): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}
