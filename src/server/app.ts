import type { ServerResponse } from 'node:http'
import type { Server } from 'node:https'
import { fastify, type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Webhook } from '../../webhooks/webhook.ts'
import type { Log } from '../core/ports.ts'
import { errorMessage } from '../platform/error-message.ts'
import { Connections } from './overload/connections.ts'
import { SERVER_LIMITS, connectionOptions, type ServerLimits } from './limits.ts'
import { checkClient } from './client-certificate.ts'
import { limitedLog } from '../telemetry/limited-log.ts'
import { throttleHandshakes } from './overload/throttle-handshakes.ts'
import { bodyReader } from './overload/read-body.ts'
import { refuseConnection } from './overload/refuse-connection.ts'
import { onceBodyHasPassed, sendError, sendUnavailable, TRY_AGAIN } from './replies.ts'
import { ARRIVED, reviewHandler, preflight, type ReviewDependencies } from './review-handler.ts'
import { tlsOptions, type TlsMaterial } from './tls.ts'

export interface AppDependencies extends Omit<ReviewDependencies, 'limits' | 'repeating' | 'answering'> {
  readonly webhooks: readonly Webhook[]
  readonly tls: TlsMaterial
  /**
   * Names of which a caller's certificate must have one, where the TLS material asks for certificates; empty where any
   * will do.
   */
  readonly clientNames?: readonly string[]
  readonly limits?: ServerLimits
}

/** The decoration of the app that holds its connections. */
export const CONNECTIONS = 'connections'

/** The HTTPS admission server; it does not listen yet. */
export function buildApp (dependencies: AppDependencies): FastifyInstance<Server> {
  const { webhooks, tls, clientNames = [], gate, metrics, log, clock, limits = SERVER_LIMITS, large } = dependencies
  const options = connectionOptions(limits)
  const repeating = limitedLog(log, clock)
  const app = fastify({
    ...options.fastify,
    https: { ...options.node, ...tlsOptions(tls), ...clientRequest(tls), handshakeTimeout: limits.handshake },
    bodyLimit: limits.reviewBytes,
    return503OnClosing: false,
    clientErrorHandler: refuseConnection,
    frameworkErrors: (_error, _request, reply) => { sendError(reply, 404, NO_SUCH_PATH) },
    logger: false
  })
  throttleHandshakes(app.server, limits.handshake)
  const connections = new Connections({ server: app.server, limits, clock })
  app.decorate(CONNECTIONS, connections)
  const answering = (response: ServerResponse, bytes: number): void => {
    if (gate.draining) response.setHeader('connection', 'close')
    connections.answered(response, bytes)
  }
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(JSON_TYPE, bodyReader({ limits, gate, onGone: () => { metrics.clientGone.inc() } }))
  app.decorateRequest(ARRIVED, 0)

  // promise
  app.addHook('onSend', (_request, reply, payload, done) => {
    answering(reply.raw, bytesOf(payload, reply))
    done(null, payload)
  })
  if (tls.clientCa !== undefined) app.addHook('onRequest', checkClient({ names: clientNames, log }))
  app.setErrorHandler((error: FastifyError, request, reply) => {
    answerError(error, { request, reply, log: repeating })
  })
  app.setNotFoundHandler(notFound(webhooks))
  for (const webhook of webhooks) {
    const dependencies = { gate, metrics, log, repeating, limits, clock, large, answering }
    app.post(webhook.path, { onRequest: preflight(webhook, dependencies) }, reviewHandler(webhook, dependencies))
  }
  return app
}

/**
 * Of an answer, in bytes: to the letter where it is large, since such a one comes as bytes, or is sent in pieces with
 * its length as a header.
 */
function bytesOf (payload: unknown, reply: FastifyReply): number {
  if (typeof payload === 'string' || Buffer.isBuffer(payload)) return payload.length
  return Number(reply.getHeader('content-length') ?? 0)
}

/**
 * A caller without the right certificate is told so by a reply: Node's own refusal would be a reset that explains
 * nothing.
 */
function clientRequest ({ clientCa }: TlsMaterial): { requestCert?: boolean, rejectUnauthorized?: boolean } {
  return clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: false }
}

/** JSON in UTF-8, the only encoding that it has. */
const JSON_TYPE = /^application\/json(?:; charset="utf-8")?$/i

const NO_SUCH_PATH = 'there is no webhook at this path'

function notFound (webhooks: readonly Webhook[]) {
  const paths = new Set<string>(webhooks.map(({ path }) => path))
  return (request: FastifyRequest, reply: FastifyReply): void => {
    if (paths.has(request.url.split('?', 1)[0] ?? '')) sendError(reply.header('allow', 'POST'), 405, 'a webhook takes POST alone')
    else sendError(reply, 404, NO_SUCH_PATH)
  }
}

const MESSAGES: Readonly<Record<number, string>> = {
  400: 'the request cannot be read',
  413: 'the review is too large',
  415: 'the content type is not application/json'
}

/** What Fastify itself refuses; anything else is a defect. */
function answerError (error: FastifyError, { request, reply, log }: { request: FastifyRequest, reply: FastifyReply, log: Log }): void {
  const { statusCode = 500 } = error
  const sentence = MESSAGES[statusCode]
  if (statusCode === 503) sendUnavailable(reply, TRY_AGAIN)
  else if (statusCode === 413) onceBodyHasPassed(request, () => { sendError(reply, 413, MESSAGES[413] ?? '') })
  else if (sentence !== undefined) sendError(reply, statusCode, sentence)
  else {
    log.error({ error: errorMessage(error) }, 'a request failed because of a defect')
    sendError(reply, 500, 'the request failed because of a defect in this program')
  }
}
