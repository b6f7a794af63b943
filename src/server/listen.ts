import { lookup } from 'node:dns/promises'
import type { Server } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { errorMessage } from '../platform/error-message.ts'

export interface Address {
  readonly host: string
  readonly port: number
  /** By which the port is chosen: `--port`. */
  readonly flag: string
}

/**
 * Listens on one address, and yields the URL. Rejects with one line that names the flag. Of a name it is the first
 * address of IPv4, else of IPv6: for
 * `localhost` Fastify would start a server for each, whose connections nobody counts.
 */
export async function listen (app: FastifyInstance<Server> | FastifyInstance, { host, port, flag }: Address, resolve = firstAddress): Promise<string> {
  try {
    return await app.listen({ host: await resolve(host), port })
  } catch (error) {
    throw new Error(
      `cannot listen on ${host}:${port}: ${errorMessage(error)}; choose another address by --host or ${flag}`,
      { cause: error }
    )
  }
}

async function firstAddress (host: string): Promise<string> {
  return (await lookup(host, { order: 'ipv4first' })).address
}
