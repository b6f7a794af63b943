import { isIP } from 'node:net'
import { connect } from 'node:tls'

/** Where a replica is reached, and the name to ask it for. */
export interface Peer { readonly host: string, readonly port: number, readonly serverName: string }

/** `refuted`: it serves a certificate that the CA did not sign, or that is no longer valid. */
export type HandshakeResult = 'confirmed' | 'refuted' | 'unreachable'

/** How long a handshake may take, in milliseconds. */
const HANDSHAKE_LIMIT_MS = 2_000

/**
 * Whether a replica serves a certificate of this CA (PEM), found out as the API server would: by a handshake of its
 * own. Never rejects.
 */
export async function probeServingCert ({ host, port, serverName }: Peer, caPem: string): Promise<HandshakeResult> {
  const { promise, resolve } = Promise.withResolvers<HandshakeResult>()
  const socket = connect({
    host,
    port,
    ca: caPem,
    servername: isIP(serverName) === 0 ? serverName : '',
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined // which names it is good for is another question
  })
  socket.setTimeout(HANDSHAKE_LIMIT_MS, () => { resolve('unreachable') })
  socket.once('secureConnect', () => { resolve(socket.authorized ? 'confirmed' : 'refuted') })
  socket.once('error', () => { resolve('unreachable') })
  socket.once('close', () => { resolve('unreachable') })
  try {
    return await promise
  } finally {
    socket.on('error', () => {}) // of a connection that nobody needs any more
    socket.destroy()
  }
}
