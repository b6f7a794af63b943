import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** How a review ended. */
export type ReviewOutcome = 'allowed' | 'patched' | 'warned' | 'refused' | 'unmatched' | 'unavailable' | 'error'

/** The metrics of one server, in a registry of its own. No object or user name is ever a label. */
export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics (version: string) {
  const registry = newRegistry(version)
  return { registry, ...cacheMetrics(registry), ...reviewMetrics(registry) }
}

/** A registry that holds the version alone. */
export function newRegistry (version: string): Registry {
  const registry = new Registry()
  const buildInfo = new Gauge({
    name: 'aim_admission_build_info', help: 'Always 1; the label tells the version.', labelNames: ['version'], registers: [registry]
  })
  buildInfo.set({ version }, 1)
  return registry
}

/** The metrics of the caches that a cluster's objects are kept in. */
export type CacheMetrics = ReturnType<typeof cacheMetrics>

export function cacheMetrics (registry: Registry) {
  const registers = [registry]
  return {
    cacheObjects: new Gauge({
      name: 'aim_admission_cache_objects',
      help: 'Objects known, by kind.',
      labelNames: ['kind'],
      registers
    }),
    cacheSynced: new Gauge({
      name: 'aim_admission_cache_synced',
      help: '1 once the first list of a kind is complete.',
      labelNames: ['kind'],
      registers
    }),
    cacheAge: new Gauge({
      name: 'aim_admission_cache_age_seconds',
      help: 'Time since the API server last confirmed that the cache of a kind is up to date; +Inf before the first list.',
      labelNames: ['kind'],
      registers
    }),
    watchRestarts: new Counter({
      name: 'aim_admission_watch_restarts_total',
      help: 'Watches that were started again, by kind.',
      labelNames: ['kind'],
      registers
    }),
    clientRequests: new Counter({
      name: 'rest_client_requests_total', help: 'Requests to the API server, by status code and method.', labelNames: ['code', 'method'], registers
    })
  }
}

function reviewMetrics (registry: Registry) {
  const registers = [registry]
  return {
    requests: new Counter({
      name: 'aim_admission_requests_total',
      help: 'Reviews by webhook, operation, outcome and dry run.',
      labelNames: ['webhook', 'operation', 'outcome', 'dry_run'],
      registers
    }),
    duration: new Histogram({
      name: 'aim_admission_request_duration_seconds',
      help: 'Time from the last byte of a review to its answer, in seconds.',
      labelNames: ['webhook'],
      buckets: [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers
    }),
    inFlight: new Gauge({
      name: 'aim_admission_requests_in_flight',
      help: 'Reviews that are being judged.',
      registers
    }),
    refusals: new Counter({
      name: 'aim_admission_refusals_total',
      help: 'Faults of refused reviews, by fault code.',
      labelNames: ['reason'],
      registers
    }),
    deadlineExceeded: new Counter({
      name: 'aim_admission_deadline_exceeded_total',
      help: 'Reviews whose time ran out.',
      registers
    }),
    clientGone: new Counter({
      name: 'aim_admission_client_gone_total', help: 'Callers that went away before their review had come whole or was answered.', registers
    }),
    recorded: new Counter({
      name: 'aim_admission_reviews_recorded_total', help: 'Reviews under --record, by what became of their record.', labelNames: ['outcome'], registers
    }),
    certificateExpiry: new Gauge({
      name: 'aim_admission_certificate_expiry_timestamp_seconds',
      help: 'When a certificate expires, in seconds since 1970.',
      labelNames: ['which'],
      registers
    }),
    certificateReloadErrors: new Counter({
      name: 'aim_admission_certificate_reload_errors_total',
      help: 'Changed certificates that could not be used; those before them stay in use.',
      registers
    })
  }
}
