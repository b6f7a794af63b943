import { fastify, type FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import { SERVER_LIMITS, connectionOptions } from './limits.ts'
import { refuseConnection } from './overload/refuse-connection.ts'

export interface ProbeDependencies {
  /** Why the server is not ready; undefined where it is. */
  readonly unready: () => string | undefined
  readonly registry: Registry
  /** The folder of the built playground, to be served at `/playground/`. */
  readonly playground?: string | undefined
}

/**
 * `/healthz`, `/readyz` and `/metrics`, in plain HTTP on a port of their own; beside them the playground, where there
 * is one. It does not listen yet.
 */
export function buildProbes ({ unready, registry, playground }: ProbeDependencies): FastifyInstance {
  const { fastify: options, node } = connectionOptions(SERVER_LIMITS)
  const app = fastify({ ...options, http: node, clientErrorHandler: refuseConnection, logger: false })
  app.removeAllContentTypeParsers()
  app.get('/healthz', async () => 'ok\n')
  app.get('/readyz', async (_request, reply) => {
    const why = unready()
    return await reply.code(why === undefined ? 200 : 503).send(why === undefined ? 'ok\n' : `not ready: ${why}\n`)
  })
  app.get('/metrics', async (_request, reply) => await reply.type(registry.contentType).send(await registry.metrics()))
  if (playground !== undefined) { app.register(import('@fastify/static'), { root: playground, prefix: '/playground', redirect: true }) }
  return app
}
