import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'

const JSON_TYPE = 'application/json'

/**
 * Bytes encrypted and written per turn of the event loop.
 * Perf: longest turn for a response of 10 MiB, 13 to 4 ms; remove if the gain drops below 10 %.
 */
const PIECE_BYTES = 128 * 1024

/** Sends an AdmissionReview: text, or UTF-8 from the worker for large reviews. */
export function sendReview (reply: FastifyReply, review: string | Uint8Array): void {
  reply.type(JSON_TYPE)
  if (typeof review === 'string') reply.send(review)
  else reply.header('content-length', review.length).send(Readable.from(piecesOf(review), { objectMode: false }))
}

function * piecesOf (bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES)
}

/** Sends one sentence, which never echoes the request. */
export function sendError (reply: FastifyReply, status: number, error: string): void {
  reply.code(status).type(JSON_TYPE).send(JSON.stringify({ error }))
}

/** `/readyz` says why; clients of this port do not learn it. */
export const TRY_AGAIN = 'reviews are not accepted at the moment; try again'

/** The API server's client retries after a 503 with `Retry-After`, on a new connection if this one closes. */
export function sendUnavailable (reply: FastifyReply, error: string): void {
  sendError(reply.header('retry-after', '1').header('connection', 'close'), 503, error)
}

/** Plain text: the API server's client includes it in its error, but drops a JSON body. */
export function sendForbidden (reply: FastifyReply, reason: string): void {
  reply.code(403).header('connection', 'close').type('text/plain; charset=utf-8').send(reason)
}

/** Closes the connection without a response. */
export function sendNothing (reply: FastifyReply): void {
  reply.hijack()
  reply.raw.socket?.destroySoon()
}

/**
 * Discards the rest of the body first: closing a connection with unread bytes resets it, which can lose the response.
 */
export function afterBody ({ raw }: FastifyRequest, respond: () => void): void {
  if (raw.readableEnded) respond()
  else raw.once('end', respond).resume()
}
