import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Log } from '../core/ports.ts'
import { onceBodyHasPassed, sendForbidden } from './replies.ts'

export interface ClientCheck {
  /**
   * Common names and subject alternative names of which a certificate must have one; empty where any certificate of the
   * CA will do.
   */
  readonly names: readonly string[]
  readonly log: Log
  /** Milliseconds since some moment. */
  readonly now?: () => number
}

/** How often a reason for turning a caller away is logged at most, in milliseconds. */
const LOG_MS = 60_000

/** Lets callers in whose certificate was signed by the CA, and has one of the names. Others get a 403. */
export function checkClient ({ names, log, now = () => performance.now() }: ClientCheck) {
  let loggedAt = -Infinity
  let untold = 0
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const why = clientFault(request.raw.socket, names)
    if (why === undefined) {
      done()
      return
    }
    untold++
    if (now() - loggedAt >= LOG_MS) {
      log.warn({ why, turnedAway: untold }, 'a caller was turned away because of its client certificate')
      loggedAt = now()
      untold = 0
    }
    onceBodyHasPassed(request, () => { sendForbidden(reply, why) })
  }
}

/** Why a caller is not let in; undefined where it is. */
function clientFault (socket: Socket, names: readonly string[]): string | undefined {
  if (!(socket instanceof TLSSocket)) return 'the caller does not use TLS'
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) { return 'the caller shows no client certificate; the API server needs one for this webhook, in its admission configuration' }
  if (!socket.authorized) return `the caller's client certificate is not accepted: ${String(socket.authorizationError)}`
  if (names.length === 0) return undefined
  const shown = [...commonNames(certificate.subject), ...alternativeNames(certificate.subjectAltName)]
  return shown.some((name) => names.includes(name))
    ? undefined
    : "the caller's client certificate has none of the names that are let in"
}

/** A line each; a `+` joins several values in one. Node escapes what would be ambiguous. */
function commonNames (subject: string): string[] {
  return subject.split('\n').flatMap((line) => line.startsWith('CN=') ? [line.slice('CN='.length)] : [])
}

/**
 * Without their types. A name that holds a comma or a quote is in quotes, as JSON, and then is none of those that can
 * be asked for.
 */
function alternativeNames (subjectAltName = ''): string[] {
  return [...subjectAltName.matchAll(/(?:^|, )[^:,"]+:(?:"(?:[^"\\]|\\.)*"|([^,"]*))/g)].flatMap(
    ([, name]) => name ?? []
  )
}
