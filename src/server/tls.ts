import type { Socket } from 'node:net'
import { TLSSocket, type SecureContextOptions } from 'node:tls'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Log } from '../core/ports.ts'
import { afterBody, sendForbidden } from './replies.ts'

/** The certificate chain to serve, leaf first, its key, and the CAs that verify clients. All PEM. */
export interface TlsMaterial {
  readonly cert: string
  readonly key: string
  /** Undefined: client certificates are not required. */
  readonly clientCa?: string | undefined
}

/**
 * All TLS options of the server. `setSecureContext` applies them from the next handshake on; open connections keep
 * theirs. Always set together: an option missing in a swap falls back to Node's default.
 */
export function tlsOptions ({ cert, key, clientCa }: TlsMaterial): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(clientCa !== undefined && { ca: clientCa }) }
}

/** Node would reset a connection without a valid certificate; instead, `checkClient` explains why in a 403. */
export function clientRequest ({ clientCa }: TlsMaterial): { requestCert?: boolean, rejectUnauthorized?: boolean } {
  return clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: false }
}

/** A hook that responds 403 unless the client certificate is valid and has one of the names, if any are given. */
export function checkClient ({ names, log }: { readonly names: readonly string[], readonly log: Log }) {
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const reason = clientFault(request.raw.socket, names)
    if (reason === undefined) {
      done()
      return
    }
    log.warn({ reason }, 'rejected client certificate')
    afterBody(request, () => { sendForbidden(reply, reason) })
  }
}

function clientFault (socket: Socket, names: readonly string[]): string | undefined {
  if (!(socket instanceof TLSSocket)) return 'the client does not use TLS'
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) {
    return 'the client shows no client certificate; configure one in the admission configuration of the API server'
  }
  if (!socket.authorized) return `the client certificate is not accepted: ${String(socket.authorizationError)}`
  if (names.length === 0) return undefined
  const shown = [...commonNames(certificate.subject), ...alternativeNames(certificate.subjectAltName)]
  return shown.some((name) => names.includes(name))
    ? undefined
    : 'the client certificate has none of the accepted names'
}

/** One attribute per line; a `+` joins several values, which never match. Node escapes ambiguous characters. */
function commonNames (subject: string): string[] {
  return subject.split('\n').flatMap((line) => line.startsWith('CN=') ? [line.slice('CN='.length)] : [])
}

/** Names without their types. Names with a comma or a quote are quoted as JSON, and never match. */
function alternativeNames (subjectAltName = ''): string[] {
  return [...subjectAltName.matchAll(/(?:^|, )[^:,"]+:(?:"(?:[^"\\]|\\.)*"|([^,"]*))/g)].flatMap(
    ([, name]) => name ?? []
  )
}
