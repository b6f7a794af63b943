import type { Server } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { reasonOf } from '../core/reason-of.ts'

export interface Address {
  readonly host: string
  readonly port: number
  /** By which the port is chosen: `--port`. */
  readonly flag: string
}

/** Listens, and yields the URL. Rejects with one line that names the flag. */
export async function listen (app: FastifyInstance<Server> | FastifyInstance, { host, port, flag }: Address): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    throw new Error(`cannot listen on ${host}:${port}: ${reasonOf(error)}; choose another address by --host or ${flag}`, { cause: error })
  }
}
