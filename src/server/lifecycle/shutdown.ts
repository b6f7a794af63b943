import type { Server } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { CONNECTIONS } from '../app.ts'
import type { Connections } from '../overload/connections.ts'
import type { AdmissionGate } from './admission-gate.ts'
import type { Clock } from '../../platform/clock.ts'

/** How long callers have to take their last answers and close their connections, in milliseconds. */
const CLOSE_MS = 2_000
const LOOK_MS = 20

/** Turns every call away from now on, has callers close their connections, then stops listening. */
export async function shutdownGracefully (app: FastifyInstance<Server>, gate: AdmissionGate, clock: Clock): Promise<void> {
  const connections = app.getDecorator<Connections>(CONNECTIONS)
  gate.close()
  connections.closeIdleWith503()
  const started = clock.now()
  while (connections.open > 0 && clock.now() - started < CLOSE_MS) {
    await new Promise<void>((resolve) => { clock.setTimeout(LOOK_MS, resolve) })
  }
  const closed = app.close()
  connections.closeAll()
  await closed
}
