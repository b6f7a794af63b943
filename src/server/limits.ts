/**
 * What one server takes on at once, and how long a peer may take for its part. Sizes in bytes, times in milliseconds.
 */
export interface ServerLimits {
  readonly reviewBytes: number
  /** From here on a review is judged where others do not wait for it. */
  readonly largeReview: number
  readonly headerBytes: number
  readonly connections: number
  /** Of one address. */
  readonly peerConnections: number
  /** Of all bodies that are on their way. */
  readonly arrivingBytes: number
  /** Of all answers that their callers have not taken yet. */
  readonly unackedBytes: number
  /** Reviews of one webhook that wait for the watch; those beyond are decided at once. */
  readonly waiting: number
  readonly handshake: number
  readonly headers: number
  /** Headers and body together. */
  readonly request: number
  /** Until an answer has been taken. */
  readonly reading: number
  /** Until an idle connection is closed. */
  readonly keepAlive: number
  /** How often connections are looked through for those that took too long. */
  readonly sweep: number
}

export const SERVER_LIMITS: ServerLimits = {
  reviewBytes: 7 * 1024 * 1024, // new and old object of at most 3 MiB each, and 1 MiB of envelope
  largeReview: 1024 * 1024, // takes about 10 ms to judge
  headerBytes: 16 * 1024,
  connections: 4_096, // far more than the API servers of a cluster open, far fewer than descriptors last
  peerConnections: 2_048, // API servers may share an address
  arrivingBytes: 64 * 1024 * 1024, // nine of the largest reviews, thousands of the usual ones
  unackedBytes: 64 * 1024 * 1024, // a dozen of the largest answers, beside what the system's buffers hold
  waiting: 256,
  handshake: 5_000,
  headers: 10_000,
  request: 15_000,
  reading: 30_000,
  keepAlive: 120_000, // outlasts the 90 s for which the API server keeps an idle connection
  sweep: 100 // so that each look finds few that are overdue; one a second found hundreds
}

/** The limits as Fastify takes them; `node` goes into its `http` or `https` options. */
export function connectionOptions ({ headerBytes, headers, request, keepAlive, sweep }: ServerLimits) {
  return {
    fastify: { keepAliveTimeout: keepAlive, requestTimeout: request },
    node: { maxHeaderSize: headerBytes, headersTimeout: headers, connectionsCheckingInterval: sweep }
  }
}
