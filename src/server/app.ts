import type { SecureContextOptions } from 'node:tls'
import { fastify } from 'fastify'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Webhook } from '../../webhooks/webhook.ts'
import { decodeReview } from '../admission/decode-review.ts'
import { encodeReview } from '../admission/encode-review.ts'
import type { ReviewRequest } from '../admission/review-request.ts'
import { ADMIT } from '../admission/verdict.ts'
import type { Verdict } from '../admission/verdict.ts'
import { timeBudget } from './deadline.ts'
import type { Gate } from './gate.ts'
import type { Metrics, Outcome } from './metrics.ts'

/** Largest review accepted, in bytes: new and old object of at most 3 MiB each, and 1 MiB of envelope. Beyond it: HTTP 413. */
export const MAX_REVIEW_BYTES = 7 * 1024 * 1024

export interface AppDependencies {
  readonly webhooks: readonly Webhook[]
  readonly tls: SecureContextOptions
  readonly gate: Gate
  readonly metrics: Metrics
  readonly log: Logger
}

/** The HTTPS admission server; it does not listen yet. */
export function buildApp ({ webhooks, tls, gate, metrics, log }: AppDependencies): FastifyInstance {
  const app = fastify({
    https: { ...tls, minVersion: 'TLSv1.2', handshakeTimeout: 5_000, maxHeaderSize: 16_384, headersTimeout: 10_000, connectionsCheckingInterval: 1_000 },
    bodyLimit: MAX_REVIEW_BYTES,
    keepAliveTimeout: 120_000, // outlasts the 90 s for which the API server keeps an idle connection
    requestTimeout: 15_000,
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: false },
    logger: false
  })
  app.server.maxConnections = MAX_CONNECTIONS
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => { done(null, body) })
  app.addHook('onRequest', async (_request, reply) => { if (gate.draining) reply.header('connection', 'close') })
  app.addHook('preParsing', async (request, _reply, payload) => {
    if (request.headers['content-encoding'] !== undefined) throw Object.assign(new Error('content encodings are not accepted'), { statusCode: 415 })
    return payload
  })
  app.setErrorHandler((error: FastifyError, request, reply) => answerError(error, request, reply))
  app.setNotFoundHandler((_request, reply) => { sentence(reply, 404, 'there is no webhook at this path and method') })
  for (const webhook of webhooks) app.post(webhook.path, reviewHandler(webhook, { gate, metrics, log }))
  return app
}

/** Connections at once: far more than the API servers of a cluster open, far fewer than descriptors last. */
const MAX_CONNECTIONS = 4_096

type HandlerDependencies = Pick<AppDependencies, 'gate' | 'metrics' | 'log'>

function reviewHandler (webhook: Webhook, { gate, metrics, log }: HandlerDependencies) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const started = performance.now()
    const closed = gate.closed()
    if (closed !== undefined) {
      metrics.requests.inc({ webhook: webhook.name, operation: 'UNKNOWN', outcome: 'unavailable', dry_run: 'false' })
      return unavailable(reply, closed)
    }
    const decoded = decodeReview(request.body instanceof Uint8Array ? request.body : new Uint8Array())
    if (decoded.kind === 'malformed') return sentence(reply, 400, decoded.sentence)
    const review = decoded.request
    gate.enter()
    metrics.inFlight.inc()
    const count = (outcome: Outcome): void => {
      metrics.requests.inc({ webhook: webhook.name, operation: review.operation, outcome, dry_run: String(review.dryRun) })
      metrics.duration.observe({ webhook: webhook.name }, (performance.now() - started) / 1_000)
    }
    try {
      if (!await arrived(webhook, review, timeBudget(query(request)['timeout']))) {
        metrics.deadlineExceeded.inc()
        count('unavailable')
        return await unavailable(reply, 'the time for this review ran out')
      }
      const verdict = isServed(webhook, review) ? webhook.decide(review) : ADMIT
      count(isServed(webhook, review) ? outcomeOf(verdict) : 'unmatched')
      if (verdict.kind === 'deny') for (const { code } of verdict.faults) metrics.refusals.inc({ reason: code })
      logVerdict(log, webhook, { review, verdict, ms: performance.now() - started })
      return await reply.type('application/json').send(encodeReview(review, verdict))
    } catch (error) {
      count('error')
      log.error({ err: error, uid: review.uid, webhook: webhook.name }, 'a review could not be judged')
      return await sentence(reply, 500, 'the review could not be judged because of a defect in this program')
    } finally {
      gate.leave()
      metrics.inFlight.dec()
    }
  }
}

function query (request: FastifyRequest): Readonly<Record<string, unknown>> {
  return request.query as Readonly<Record<string, unknown>> // what Fastify's query string parser yields
}

/** Waits for what is known to be on its way; false where the time ran out first. */
async function arrived (webhook: Webhook, review: ReviewRequest, budget: number): Promise<boolean> {
  const signal = AbortSignal.timeout(budget)
  const arrival = webhook.arrival?.(review, signal)
  if (arrival !== undefined) await arrival
  return !signal.aborted
}

function isServed ({ resource, registrations }: Webhook, { group, kind, subResource, operation }: ReviewRequest): boolean {
  return group === resource.group && kind === resource.kind && subResource === '' &&
    registrations.some(({ operations }) => operations.some((served) => served === operation))
}

function outcomeOf (verdict: Verdict): Outcome {
  if (verdict.kind === 'deny') return 'refused'
  if (verdict.kind === 'patch') return 'patched'
  return verdict.warnings.length > 0 ? 'warned' : 'allowed'
}

function logVerdict (log: Logger, { name }: Webhook, { review, verdict, ms }: { review: ReviewRequest, verdict: Verdict, ms: number }): void {
  const keys = {
    uid: review.uid.slice(0, 64),
    webhook: name,
    operation: review.operation,
    namespace: review.namespace.slice(0, 253),
    name: review.name.slice(0, 253),
    outcome: outcomeOf(verdict),
    ms: Math.round(ms * 1_000) / 1_000
  }
  if (verdict.kind === 'deny') log.info({ ...keys, faults: verdict.faults.map(({ code }) => code) }, 'review refused')
  else log.debug(keys, 'review admitted')
}

/** The API server's client tries again after a 503 that names a time, on a new connection where this one is closed. */
function unavailable (reply: FastifyReply, why: string): FastifyReply {
  return sentence(reply.header('retry-after', '1').header('connection', 'close'), 503, why)
}

function sentence (reply: FastifyReply, status: number, error: string): FastifyReply {
  return reply.code(status).type('application/json').send(JSON.stringify({ error }))
}

const SENTENCES: Readonly<Record<number, string>> = {
  413: `the review is larger than ${MAX_REVIEW_BYTES} bytes`,
  415: 'the content type is not application/json, or the body is encoded'
}

function answerError ({ statusCode = 500 }: FastifyError, _request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (statusCode === 413) reply.header('connection', 'close')
  return sentence(reply, statusCode, SENTENCES[statusCode] ?? (statusCode < 500 ? 'the request cannot be read' : 'the request failed because of a defect in this program'))
}
