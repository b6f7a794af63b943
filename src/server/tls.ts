import type { Server } from 'node:https'
import type { SecureContextOptions } from 'node:tls'

/** The certificate chain to serve, leaf first, its key, and the CAs that verify clients. All PEM. */
export interface TlsMaterial {
  readonly cert: string
  readonly key: string
  /** Undefined: client certificates are not required. */
  readonly clientCa?: string | undefined
}

/** All TLS options of the server. Always set together: an option missing in a swap falls back to Node's default. */
export function tlsOptions ({ cert, key, clientCa }: TlsMaterial): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(clientCa !== undefined && { ca: clientCa }) }
}

/** Serves another pair from the next handshake on; open connections keep theirs. Throws if the key does not match. */
export function swapServingPair (server: Pick<Server, 'setSecureContext'>, material: TlsMaterial): void {
  server.setSecureContext(tlsOptions(material))
}
