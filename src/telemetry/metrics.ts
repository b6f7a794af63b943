import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** The metrics of one server, in a registry of its own. A label is never the name of an object or a user. */
export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics (version: string) {
  const registry = newRegistry(version)
  return { registry, ...cacheMetrics(registry), ...reviewMetrics(registry) }
}

/** A registry that holds only the version. */
export function newRegistry (version: string): Registry {
  const registry = new Registry()
  metricsIn(registry).gauge('aim_admission_build_info', 'Always 1; the label is the version.', ['version'])
    .set({ version }, 1)
  return registry
}

/** Creates metrics in a registry. */
export function metricsIn (...registers: Registry[]) {
  return {
    counter: (name: string, help: string, labelNames: readonly string[] = []) =>
      new Counter({ name, help, labelNames, registers }),
    gauge: (name: string, help: string, labelNames: readonly string[] = []) =>
      new Gauge({ name, help, labelNames, registers }),
    histogram: (name: string, help: string, { label, buckets }: { label: string, buckets: number[] }) =>
      new Histogram({ name, help, labelNames: [label], buckets, registers })
  }
}

/** Sets a gauge at each scrape. */
export function atScrape (gauge: Gauge, set: (gauge: Gauge) => void): void {
  Object.assign(gauge, { collect: () => { set(gauge) } })
}

/** The metrics of the caches of cluster objects. */
export type CacheMetrics = ReturnType<typeof cacheMetrics>

export function cacheMetrics (registry: Registry) {
  const { counter, gauge } = metricsIn(registry)
  return {
    cacheObjects: gauge('aim_admission_cache_objects', 'Cached objects, by kind.', ['kind']),
    cacheBytes: gauge('aim_admission_cache_bytes', 'Text of cached objects in bytes, by kind.', ['kind']),
    partialServices: gauge('aim_admission_cache_partial_services',
      'Services cached without their object, because of its size.'),
    oversizedConfigs: gauge('aim_admission_cache_oversized_configs',
      'Configurations left out of the cache because of their size, by kind.', ['kind']),
    cacheSynced: gauge('aim_admission_cache_synced', '1 once the first list of a kind is complete.', ['kind']),
    cacheAge: gauge('aim_admission_cache_age_seconds',
      'Time since the API server last confirmed that the cache of a kind is up to date; +Inf before the first list.',
      ['kind']),
    watchRestarts: counter('aim_admission_watch_restarts_total', 'Restarted watches, by kind.', ['kind']),
    clientRequests: counter('rest_client_requests_total', 'Requests to the API server, by status code and method.',
      ['code', 'method'])
  }
}

const DURATION_BUCKETS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

function reviewMetrics (registry: Registry) {
  const { counter, gauge, histogram } = metricsIn(registry)
  return {
    requests: counter('aim_admission_requests_total', 'Reviews by webhook, operation, outcome and dry run.',
      ['webhook', 'operation', 'outcome', 'dry_run']),
    duration: histogram('aim_admission_request_duration_seconds',
      'Time from the last byte of a review to its response, in seconds.',
      { label: 'webhook', buckets: DURATION_BUCKETS }),
    inFlight: gauge('aim_admission_requests_in_flight', 'Reviews in flight.'),
    refusals: counter('aim_admission_refusals_total', 'Faults of refused reviews, by fault code.', ['reason']),
    deadlineExceeded: counter('aim_admission_deadline_exceeded_total', 'Reviews that exceeded their deadline.'),
    clientGone: counter('aim_admission_client_gone_total',
      'Clients that disconnected before they sent a whole review or received its response.'),
    recorded: counter('aim_admission_reviews_recorded_total', 'Reviews under --record, by outcome of their record.',
      ['outcome']),
    certificateExpiry: gauge('aim_admission_certificate_expiry_timestamp_seconds',
      'Expiry of a certificate, in seconds since 1970.', ['which']),
    certificateReloadErrors: counter('aim_admission_certificate_reload_errors_total',
      'Changed certificates that could not be loaded; the previous ones stay in use.')
  }
}
