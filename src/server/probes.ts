import { fastify, type FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import { oneLine } from '../platform/printable.ts'
import { connectionOptions, SERVER_LIMITS } from './limits.ts'
import { refuseConnection } from './overload/refuse-connection.ts'

export interface ProbeDependencies {
  /** Why the server is not ready; undefined if it is. */
  readonly notReadyReason: () => string | undefined
  /** A problem that readiness does not depend on, for the text of /readyz; undefined without a problem. */
  readonly problem?: (() => string | undefined) | undefined
  readonly registry: Registry
  /** Folder of the built playground, served at `/playground/`. */
  readonly playground?: string | undefined
}

/** `/healthz`, `/readyz`, `/metrics` and the playground, over plain HTTP. It does not listen yet. */
export function buildProbes (dependencies: ProbeDependencies): FastifyInstance {
  const { notReadyReason, problem = () => undefined, registry, playground } = dependencies
  const { fastify: options, node } = connectionOptions(SERVER_LIMITS)
  const app = fastify({ ...options, http: node, clientErrorHandler: refuseConnection, logger: false })
  app.removeAllContentTypeParsers()
  app.addHook('onRequest', async ({ url }, reply) => {
    reply.headers({ ...SECURITY_HEADERS, 'content-security-policy': url.startsWith('/playground') ? PAGE : NO_PAGE })
  })
  app.get('/healthz', async () => 'ok\n')
  app.get('/readyz', async (_request, reply) => {
    const reason = notReadyReason()
    if (reason !== undefined) return await reply.code(503).send(`not ready: ${oneLine(reason)}\n`)
    const warning = problem()
    return warning === undefined ? 'ok\n' : `ok\nwarning: ${oneLine(warning)}\n`
  })
  app.get('/metrics', async (_request, reply) => await reply.type(registry.contentType).send(await registry.metrics()))
  if (playground !== undefined) {
    app.register(import('@fastify/static'), { root: playground, prefix: '/playground', redirect: true })
    app.get('/', async (_request, reply) => await reply.redirect('/playground/'))
  }
  return app
}

const SECURITY_HEADERS = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' }
const NO_PAGE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
/** No network access. ajv compiles schemas, which needs `unsafe-eval`; the editor adds inline styles. */
const PAGE = `${NO_PAGE}; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src data:`
