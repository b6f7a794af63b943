import { lookup } from 'node:dns/promises'
import type { Server } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { errorMessage } from '../platform/error-message.ts'

/** Sizes in bytes, times in milliseconds. */
export interface ServerLimits {
  readonly reviewBytes: number
  /** Larger reviews are judged by a worker thread. */
  readonly largeReview: number
  readonly headerBytes: number
  readonly connections: number
  /** Connections from one address. */
  readonly peerConnections: number
  /** Total of all incomplete bodies. */
  readonly arrivingBytes: number
  /** Total of all responses that clients have not received yet. */
  readonly unackedBytes: number
  /** Reviews of one webhook that wait for a configuration; further reviews are judged at once. */
  readonly waiting: number
  readonly handshake: number
  readonly headers: number
  /** Headers and body together. */
  readonly request: number
  /** Until a client has received a response. */
  readonly reading: number
  /** Until an idle connection is closed. */
  readonly keepAlive: number
  /** Interval of the search for overdue connections. */
  readonly sweep: number
}

export const SERVER_LIMITS: ServerLimits = {
  reviewBytes: 7 * 1024 * 1024, // new and old object of at most 3 MiB each, and 1 MiB of envelope
  largeReview: 1024 * 1024, // takes about 10 ms to judge
  headerBytes: 16 * 1024,
  connections: 4_096, // far above what the API servers of a cluster open, far below the file descriptor limit
  peerConnections: 2_048, // API servers may share an address
  arrivingBytes: 64 * 1024 * 1024, // nine of the largest reviews, thousands of typical ones
  unackedBytes: 64 * 1024 * 1024, // a dozen of the largest responses, besides the buffers of the kernel
  waiting: 256,
  handshake: 5_000,
  headers: 10_000,
  request: 15_000,
  reading: 30_000,
  keepAlive: 120_000, // outlasts the 90 s for which the API server keeps an idle connection
  sweep: 100 // each sweep then finds few overdue connections; an interval of 1 s found hundreds
}

/** The limits as options of Fastify; `node` belongs into `http` or `https`. */
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
