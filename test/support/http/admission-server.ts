import { Writable } from 'node:stream'
import { pino } from 'pino'
import type { Test } from 'tap'
import { issueEphemeralPair } from '../../../certs/issue.ts'
import { ADMIT } from '../../../src/admission/verdict.ts'
import { systemClock, type Clock } from '../../../src/platform/clock.ts'
import { buildApp } from '../../../src/server/app.ts'
import { AdmissionGate } from '../../../src/server/lifecycle.ts'
import type { LargeReviews } from '../../../src/server/offload/large-reviews.ts'
import { SERVER_LIMITS, type ServerLimits } from '../../../src/server/limits.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import type { Tracing } from '../../../src/telemetry/tracing.ts'
import type { Webhook } from '../../../webhooks/webhook.ts'
import { ApiServerClient } from '../cluster/api-server-client.ts'

/** Shared by the tests of a file: issuing it takes longer than a test. */
export const testPair = await issueEphemeralPair({ dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'], days: 1 })

/** A webhook for AIMServices at `/mutate/aimservices` that admits every request. */
export function aWebhook (fields: Partial<Webhook> = {}): Webhook {
  return {
    name: 'mutate-aimservices',
    path: '/mutate/aimservices',
    type: 'mutating',
    resource: {
      group: 'aim.silogen.ai',
      version: 'v1alpha1',
      resource: 'aimservices',
      kind: 'AIMService',
      scope: 'Namespaced'
    },
    registrations: [
      { name: 'mutate-aimservices.aim.silogen.ai', operations: ['CREATE', 'UPDATE'], failurePolicy: 'Configured' }
    ],
    decide: () => ADMIT,
    ...fields
  }
}

interface ServerOptions {
  readonly webhooks?: readonly Webhook[]
  readonly limits?: Partial<ServerLimits>
  readonly maxInFlight?: number
  readonly notReady?: () => string | undefined
  readonly clock?: Clock
  /** Requires client certificates of this CA, with one of the names if any are given. */
  readonly clientCa?: string
  readonly clientNames?: readonly string[]
  readonly large?: LargeReviews
  readonly tracing?: Tracing
}

/** An admission server that listens on a free port, and a client that trusts it. Both end with the test. */
export async function anAdmissionServer (t: Test, options: ServerOptions = {}) {
  const {
    webhooks = [aWebhook()],
    limits = {},
    maxInFlight,
    notReady = () => undefined,
    clientCa,
    clientNames = [],
    clock = systemClock,
    large,
    tracing
  } = options
  const lines: string[] = []
  const log = pino({ level: 'debug', base: null, timestamp: false }, new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString())
      done()
    }
  }))
  const metrics = createMetrics('0.0.0-test')
  const gate = new AdmissionGate(notReady, maxInFlight)
  const tls = { cert: testPair.certPem, key: testPair.keyPem, clientCa }
  const server = buildApp({
    webhooks,
    tls,
    clientNames,
    gate,
    metrics,
    log,
    clock,
    limits: { ...SERVER_LIMITS, ...limits },
    large,
    tracing
  })
  const { app, connections } = server
  const arriving = countBodies(app)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const client = new ApiServerClient(url, testPair.caPem)
  t.teardown(async () => {
    client.close()
    app.server.closeAllConnections()
    await app.close()
  })
  return {
    server,
    app,
    url,
    connections,
    /** The number of requests with an incomplete body. */
    arriving,
    log,
    gate,
    metrics,
    client,
    /** Each line logged so far, parsed. */
    logged: (): unknown[] => lines.map((line): unknown => JSON.parse(line)),
    /** The value lines of the metrics whose name starts with `name`. */
    metricLines: async (name: string): Promise<string[]> =>
      (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(name))
  }
}

/** Counts the requests whose body is neither complete nor refused. */
function countBodies (app: ReturnType<typeof buildApp>['app']): () => number {
  let arriving = 0
  app.addHook('preParsing', (_request, _reply, _payload, done) => { // eslint-disable-line max-params -- of Fastify
    arriving++
    done()
  })
  app.addHook('preHandler', (_request, _reply, done) => {
    arriving--
    done()
  })
  app.addHook('onError', (_request, _reply, _error, done) => { // eslint-disable-line max-params -- of Fastify
    arriving--
    done()
  })
  return () => arriving
}
