import { lookup } from 'node:dns/promises'
import type { Server } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { errorMessage } from '../platform/error-message.ts'

type AnyApp = FastifyInstance | FastifyInstance<Server>

export interface Address {
  readonly host: string
  readonly port: number
  /** The flag that sets the port: `--port`. */
  readonly flag: string
}

/**
 * Listens, and returns the URL. Rejects with one line that names the flag. A host name stands for its first IPv4
 * address, else its first IPv6 address: Fastify starts a second, uncounted server for `localhost`.
 */
export async function listen (app: AnyApp, address: Address, resolve = firstAddress): Promise<string> {
  const { host, port, flag } = address
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
