import type { Server } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { CONNECTIONS } from './app.ts'
import type { Connections } from './connections.ts'
import type { Clock } from '../core/ports.ts'
import type { Gate } from './gate.ts'

/** How long callers have to take their last answers and close their connections, in milliseconds. */
const CLOSE_MS = 2_000
const LOOK_MS = 20

/** Turns every call away from now on, has callers close their connections, then stops listening. */
export async function closePolitely (app: FastifyInstance<Server>, gate: Gate, clock: Clock): Promise<void> {
  const connections = app.getDecorator<Connections>(CONNECTIONS)
  gate.shut()
  connections.dismissIdle()
  const started = clock.now()
  while (connections.open > 0 && clock.now() - started < CLOSE_MS) await new Promise<void>((resolve) => { clock.after(LOOK_MS, resolve) })
  const closed = app.close()
  connections.closeAll()
  await closed
}
