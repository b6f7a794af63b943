import type { Server } from 'node:https'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Clock } from '../../platform/clock.ts'
import type { AdmissionGate } from '../lifecycle/admission-gate.ts'
import type { ServerLimits } from '../listener.ts'
import { Connections } from './connections.ts'
import { bodyReader } from './read-body.ts'
import { throttleHandshakes } from './throttle-handshakes.ts'

export interface Protection {
  readonly limits: ServerLimits
  readonly gate: AdmissionGate
  readonly clock: Clock
  /** A client disconnected before its body was complete. */
  readonly onGone: () => void
}

/** JSON in UTF-8, its only encoding. */
const JSON_TYPE = /^application\/json(?:; charset="utf-8")?$/i

/** Bounds what clients can take from a server: handshakes, connections, and memory for bodies and responses. */
export function protect (app: FastifyInstance<Server>, { limits, gate, clock, onGone }: Protection): Connections {
  throttleHandshakes(app.server, limits.handshake)
  const connections = new Connections({ server: app.server, limits, clock })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(JSON_TYPE, bodyReader({ limits, gate, onGone }))
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
