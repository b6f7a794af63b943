import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** What is encrypted and written in one turn, in bytes: others wait for it. */
const PIECE_BYTES = 128 * 1024

/** What is done before an answer of so many bytes is given. */
export type Answering = (response: ServerResponse, bytes: number) => void

/** Answers with a review, as JSON. */
export function sendReview (reply: FastifyReply, review: string | Uint8Array, answering: Answering): void {
  if (typeof review === 'string') sendText(reply, review, answering)
  else reply.type(JSON_TYPE).header('content-length', review.length).send(Readable.from(piecesOf(review), { objectMode: false }))
}

/**
 * Past Fastify, which would hand it on as UTF-8. Of ASCII alone, as it nearly always is, Latin-1 is the same, and Node
 * encrypts and writes it in less time.
 */
function sendText (reply: FastifyReply, text: string, answering: Answering): void {
  const { raw } = reply.hijack()
  const bytes = Buffer.byteLength(text)
  answering(raw, bytes)
  raw.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': bytes })
  raw.end(text, bytes === text.length ? 'latin1' : 'utf8')
}

function * piecesOf (bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES)
}

/** Answers with one sentence, which never echoes what came in. */
export function sendError (reply: FastifyReply, status: number, error: string): void {
  reply.code(status).type(JSON_TYPE).send(JSON.stringify({ error }))
}

/** Why a review is not taken is for `/readyz` to say, not for whoever reaches the port. */
export const TRY_AGAIN = 'reviews are not taken at the moment; try again'

/**
 * Has the API server's client try again: it does after a 503 that names a time, and on a new connection where this one
 * is closed.
 */
export function sendUnavailable (reply: FastifyReply, why: string): void {
  sendError(reply.header('retry-after', '1').header('connection', 'close'), 503, why)
}

/**
 * Turns a caller away. As text, which the API server's client passes on to whoever reads its error; what comes as JSON
 * it leaves out.
 */
export function sendForbidden (reply: FastifyReply, why: string): void {
  reply.code(403).header('connection', 'close').type('text/plain; charset=utf-8').send(why)
}

/** Ends the connection of a caller that waits no longer, without an answer. */
export function sendNothing (reply: FastifyReply): void {
  reply.hijack()
  reply.raw.socket?.destroySoon()
}

/**
 * Lets the rest of a body pass first: a connection that is closed on unread bytes is reset, and the caller may never
 * see the answer.
 */
export function onceBodyHasPassed ({ raw }: FastifyRequest, answer: () => void): void {
  if (raw.readableEnded) answer()
  else raw.once('end', answer).resume()
}

const JSON_TYPE = 'application/json'
