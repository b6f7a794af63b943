import { lookup } from 'node:dns/promises'
import type { Server } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { reasonOf } from '../core/reason-of.ts'

export interface Address {
  readonly host: string
  readonly port: number
  /** By which the port is chosen: `--port`. */
  readonly flag: string
}

/**
 * Listens on one address, and yields the URL. Rejects with one line that names the flag. Of a name with several addresses it is the first of IPv4:
 * Fastify would listen on each by a server of its own, whose connections nobody counts.
 */
export async function listen (app: FastifyInstance<Server> | FastifyInstance, { host, port, flag }: Address): Promise<string> {
  try {
    const { address } = await lookup(host, { order: 'ipv4first' })
    return await app.listen({ host: address, port })
  } catch (error) {
    throw new Error(`cannot listen on ${host}:${port}: ${reasonOf(error)}; choose another address by --host or ${flag}`, { cause: error })
  }
}
