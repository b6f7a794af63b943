import { lookup } from 'node:dns/promises'
import type { Server } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { errorMessage } from '../platform/error-message.ts'

/** Sizes in bytes, times in milliseconds. */
export const SERVER_LIMITS = {
  /** New and old object of at most 3 MiB each, and 1 MiB of envelope. */
  reviewBytes: 7 * 1024 * 1024,
  /** Larger reviews, which take 10 ms or more to judge, are judged by a worker thread. */
  largeReview: 1024 * 1024,
  headerBytes: 16 * 1024,
  /** Far above what the API servers of a cluster open, far below the file descriptor limit. */
  connections: 4_096,
  /** Connections from one address, which API servers may share. */
  peerConnections: 2_048,
  /** Total of all incomplete bodies: nine of the largest reviews, thousands of typical ones. */
  arrivingBytes: 64 * 1024 * 1024,
  /** Total of all responses that clients have not received: a dozen of the largest, besides the kernel's buffers. */
  unackedBytes: 64 * 1024 * 1024,
  /** Reviews of one webhook that wait for a configuration; further reviews are judged at once. */
  waiting: 256,
  handshake: 5_000,
  headers: 10_000,
  /** Headers and body together. */
  request: 15_000,
  /** Until a client has received a response. */
  reading: 30_000,
  /** Until an idle connection is closed: outlasts the 90 s for which the API server keeps one. */
  keepAlive: 120_000,
  /** Interval of the search for overdue connections. Each finds few; an interval of 1 s found hundreds. */
  sweep: 100
}

export type ServerLimits = Readonly<typeof SERVER_LIMITS>

/** The limits as options of Fastify; `node` belongs in `http` or `https`. */
export function connectionOptions ({ headerBytes, headers, request, keepAlive, sweep }: ServerLimits) {
  return {
    fastify: { keepAliveTimeout: keepAlive, requestTimeout: request },
    node: { maxHeaderSize: headerBytes, headersTimeout: headers, connectionsCheckingInterval: sweep }
  }
}

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
