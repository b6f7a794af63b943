import { fastify, type FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import { SERVER_LIMITS, connectionOptions } from './limits.ts'
import { refuseConnection } from './overload/refuse-connection.ts'

export interface ProbeDependencies {
  /** Why the server is not ready; undefined where it is. */
  readonly unready: () => string | undefined
  /** A problem that readiness does not depend on, for the text of /readyz; undefined if there is none. */
  readonly problem?: (() => string | undefined) | undefined
  readonly registry: Registry
  /** The folder of the built playground, to be served at `/playground/`. */
  readonly playground?: string | undefined
}

/**
 * `/healthz`, `/readyz` and `/metrics`, in plain HTTP on a port of their own; beside them the playground, where there
 * is one. It does not listen yet.
 */
export function buildProbes ({ unready, problem = () => undefined, registry, playground }: ProbeDependencies): FastifyInstance {
  const { fastify: options, node } = connectionOptions(SERVER_LIMITS)
  const app = fastify({ ...options, http: node, clientErrorHandler: refuseConnection, logger: false })
  app.removeAllContentTypeParsers()
  app.get('/healthz', async () => 'ok\n')
  app.get('/readyz', async (_request, reply) => {
    const why = unready()
    if (why !== undefined) return await reply.code(503).send(`not ready: ${why}\n`)
    const warning = problem()
    return await reply.send(warning === undefined ? 'ok\n' : `ok\nwarning: ${warning}\n`)
  })
  app.get('/metrics', async (_request, reply) => await reply.type(registry.contentType).send(await registry.metrics()))
  if (playground !== undefined) {
    app.register(import('@fastify/static'), { root: playground, prefix: '/playground', redirect: true })
  }
  return app
}
