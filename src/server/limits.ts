/** What clients may take from the server, and for how long. */
export const SERVER_LIMITS = {
  /** New and old object of at most 3 MiB each, and 1 MiB of envelope. */
  reviewBytes: 7 * 1024 * 1024,
  /** Larger reviews, which take 10 ms or more to judge, are judged by a worker thread. */
  largeReviewBytes: 1024 * 1024,
  headerBytes: 16 * 1024,
  /** Total of all incomplete bodies: nine of the largest reviews, thousands of typical ones. */
  arrivingBytes: 64 * 1024 * 1024,
  /** Total of all responses that clients have not received: a dozen of the largest, besides the kernel's buffers. */
  unackedBytes: 64 * 1024 * 1024,
  /** Far above what the API servers of a cluster open, far below the file descriptor limit. */
  connections: 4_096,
  /** Connections from one address, which API servers may share. */
  peerConnections: 2_048,
  /** Complete reviews without a response; further reviews are shed. */
  reviews: 1_024,
  /** Reviews of one webhook that wait for a configuration; further reviews are judged at once. */
  waitingReviews: 256,
  handshakeMs: 5_000,
  headersMs: 10_000,
  /** Headers and body together. */
  requestMs: 15_000,
  /** Until a client has received a response. */
  responseMs: 30_000,
  /** Until an idle connection is closed: outlasts the 90 s for which the API server keeps one. */
  keepAliveMs: 120_000,
  /** Interval of the search for overdue connections. Each finds few; an interval of 1 s found hundreds. */
  sweepMs: 100
}

export type ServerLimits = Readonly<typeof SERVER_LIMITS>

/** The limits as options of Fastify; `node` belongs in `http` or `https`. */
export function connectionOptions ({ headerBytes, headersMs, requestMs, keepAliveMs, sweepMs }: ServerLimits) {
  return {
    fastify: { keepAliveTimeout: keepAliveMs, requestTimeout: requestMs },
    node: { maxHeaderSize: headerBytes, headersTimeout: headersMs, connectionsCheckingInterval: sweepMs }
  }
}
