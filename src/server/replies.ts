import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** What is encrypted and written in one turn, in bytes: others wait for it. */
const PIECE_BYTES = 128 * 1024

/** Answers with a review, as JSON. */
export function sendReview (reply: FastifyReply, review: string | Uint8Array): void {
  if (typeof review === 'string' || review.length <= PIECE_BYTES) reply.type(JSON_TYPE).send(review)
  else reply.type(JSON_TYPE).header('content-length', review.length).send(Readable.from(piecesOf(review), { objectMode: false }))
}

function * piecesOf (bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES)
}

/** Answers with one sentence, which never echoes what came in. */
export function sendSentence (reply: FastifyReply, status: number, error: string): void {
  reply.code(status).type(JSON_TYPE).send(JSON.stringify({ error }))
}

/** Why a review is not taken is for `/readyz` to say, not for whoever reaches the port. */
export const TRY_AGAIN = 'reviews are not taken at the moment; try again'

/** Has the API server's client try again: it does after a 503 that names a time, and on a new connection where this one is closed. */
export function sendUnavailable (reply: FastifyReply, why: string): void {
  sendSentence(reply.header('retry-after', '1').header('connection', 'close'), 503, why)
}

/** Turns a caller away. As text, which the API server's client passes on to whoever reads its error; what comes as JSON it leaves out. */
export function sendForbidden (reply: FastifyReply, why: string): void {
  reply.code(403).header('connection', 'close').type('text/plain; charset=utf-8').send(why)
}

/** Ends the connection of a caller that waits no longer, without an answer. */
export function sendNothing (reply: FastifyReply): void {
  reply.hijack()
  reply.raw.socket?.destroySoon()
}

/** Lets the rest of a body pass first: a connection that is closed on unread bytes is reset, and the caller may never see the answer. */
export function onceBodyHasPassed ({ raw }: FastifyRequest, answer: () => void): void {
  if (raw.readableEnded) answer()
  else raw.once('end', answer).resume()
}

const JSON_TYPE = 'application/json'
