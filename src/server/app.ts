import type { Server } from 'node:https'
import { fastify, type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Webhook } from '../../webhooks/webhook.ts'
import type { Log } from '../core/ports.ts'
import { errorMessage } from '../platform/error-message.ts'
import { limitedLog } from '../telemetry/decision-log.ts'
import { atScrape } from '../telemetry/metrics.ts'
import type { AdmissionApp } from './lifecycle.ts'
import { connectionOptions, SERVER_LIMITS, type ServerLimits } from './limits.ts'
import { Connections } from './overload/connections.ts'
import { bodyReader } from './overload/read-body.ts'
import { refuseConnection } from './overload/refuse-connection.ts'
import { StepQueue } from './overload/step-queue.ts'
import { throttleHandshakes } from './overload/throttle-handshakes.ts'
import { afterBody, sendError, sendUnavailable, TRY_AGAIN } from './replies.ts'
import { DEADLINE, preflight, reviewHandler, type HandlerDependencies } from './review-handler.ts'
import { checkClient, clientRequest, tlsOptions, type TlsMaterial } from './tls.ts'

export interface AppDependencies extends Omit<HandlerDependencies, 'limits' | 'limited' | 'stepQueue'> {
  readonly webhooks: readonly Webhook[]
  readonly tls: TlsMaterial
  /** Names of which a client certificate needs one; any certificate of the CA is accepted if empty. */
  readonly clientNames?: readonly string[] | undefined
  readonly limits?: ServerLimits
}

/** The HTTPS admission server; it does not listen yet. */
export function buildApp (dependencies: AppDependencies): AdmissionApp {
  const { webhooks, tls, clientNames = [], limits = SERVER_LIMITS, ...rest } = dependencies
  const { gate, metrics, log, clock } = rest
  const options = connectionOptions(limits)
  const limited = limitedLog(log, clock)
  const app = fastify({
    ...options.fastify,
    https: { ...options.node, ...tlsOptions(tls), ...clientRequest(tls), handshakeTimeout: limits.handshakeMs },
    bodyLimit: limits.reviewBytes,
    return503OnClosing: false,
    clientErrorHandler: refuseConnection,
    frameworkErrors: (_error, _request, reply) => { sendError(reply, 404, NO_SUCH_PATH) },
    logger: false
  })
  const connections = protect(app, rest, limits)
  if (tls.clientCa !== undefined) app.addHook('onRequest', checkClient({ names: clientNames, log: limited }))
  app.setErrorHandler((error: FastifyError, request, reply) => { sendFailure(error, { request, reply, log: limited }) })
  app.setNotFoundHandler(notFound(webhooks))
  app.decorateRequest(DEADLINE, null)
  atScrape(metrics.inFlight, (metric) => { metric.set(gate.inFlight) })
  const handling = { ...rest, limits, limited, stepQueue: new StepQueue({ clock }) }
  for (const webhook of webhooks) {
    app.post(webhook.path, { onRequest: preflight(webhook, handling) }, reviewHandler(webhook, handling))
  }
  return { app, connections }
}

type Protection = Pick<HandlerDependencies, 'gate' | 'clock' | 'metrics'>

/** JSON in UTF-8, its only encoding. */
const JSON_TYPE = /^application\/json(?:; charset="utf-8")?$/i

/** Bounds what clients can take from a server: handshakes, connections, and memory for bodies and responses. */
function protect (
  app: FastifyInstance<Server>, { gate, clock, metrics }: Protection, limits: ServerLimits
): Connections {
  throttleHandshakes(app.server, limits.handshakeMs)
  const connections = new Connections({ server: app.server, limits, clock })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(JSON_TYPE, bodyReader({ limits, onGone: () => { metrics.clientGone.inc() } }))
  // eslint-disable-next-line max-params -- with fewer, Fastify expects a promise
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (gate.draining) reply.header('connection', 'close')
    connections.responseStarted(reply.raw, bytesOf(payload, reply))
    done(null, payload)
  })
  return connections
}

/** Strings are counted in UTF-16 code units, an estimate; large responses have an exact length. */
function bytesOf (payload: unknown, reply: FastifyReply): number {
  if (typeof payload === 'string' || Buffer.isBuffer(payload)) return payload.length
  return Number(reply.getHeader('content-length') ?? 0)
}

const NO_SUCH_PATH = 'no webhook at this path'

function notFound (webhooks: readonly Webhook[]) {
  const paths = new Set<string>(webhooks.map(({ path }) => path))
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const isWebhook = paths.has(request.url.split('?', 1)[0] ?? '')
    if (isWebhook) sendError(reply.header('allow', 'POST'), 405, 'a webhook accepts only POST')
    else sendError(reply, 404, NO_SUCH_PATH)
  }
}

const MESSAGES: Readonly<Record<number, string>> = {
  400: 'the request is malformed',
  413: 'the review is too large',
  415: 'the content type is not application/json'
}

interface FailedRequest { readonly request: FastifyRequest, readonly reply: FastifyReply, readonly log: Log }

/** Errors of Fastify and of the body reader; any other error is a defect. */
function sendFailure (error: FastifyError, { request, reply, log }: FailedRequest): void {
  const { statusCode = 500 } = error
  const message = MESSAGES[statusCode]
  if (statusCode === 503) sendUnavailable(reply, TRY_AGAIN)
  else if (statusCode === 413) afterBody(request, () => { sendError(reply, 413, message ?? '') })
  else if (message !== undefined) sendError(reply, statusCode, message)
  else {
    log.error({ error: errorMessage(error) }, 'failed to handle request: defect')
    sendError(reply, 500, 'the request failed because of a defect in this program')
  }
}
