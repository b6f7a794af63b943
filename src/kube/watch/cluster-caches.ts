import { KINDS, type Kind } from '../../api/kinds.ts'
import { GROUP, VERSION } from '../../api/meta.ts'
import type { Log, ObjectSink } from '../../core/ports.ts'
import type { SendRequest } from '../client/api-connection.ts'
import { Reflector, type ReflectorObserver } from './reflector.ts'
import type { Clock } from '../../platform/clock.ts'

type KindName = Kind['kind']

export interface ClusterCachesOptions {
  readonly request: SendRequest
  readonly sinks: Readonly<Record<KindName, ObjectSink>>
  readonly observe: (kind: KindName) => ReflectorObserver
  readonly log: Log
  readonly clock: Clock
}

/** One kind's cache, for metrics and probes. */
export interface CacheStatus {
  readonly kind: KindName
  readonly synced: boolean
  readonly objects: number
  /** Since the API server last confirmed that the cache is up to date; Infinity before the first list. */
  readonly ageSeconds: number
  /** What goes wrong at present, in one line. */
  readonly trouble: string | undefined
}

/** Keeps the sinks of the three kinds filled from all namespaces of a cluster. */
export class ClusterCaches {
  readonly #reflectors: ReadonlyArray<readonly [KindName, Reflector]>

  constructor ({ request, sinks, observe, log, clock }: ClusterCachesOptions) {
    this.#reflectors = KINDS.map(({ kind, plural }) => {
      const path = `/apis/${GROUP}/${VERSION}/${plural}`
      return [
        kind,
        new Reflector({ path, request, sink: sinks[kind], observer: observe(kind), log, clock, random: Math.random })
      ]
    })
  }

  start (): void {
    for (const [, reflector] of this.#reflectors) reflector.start()
  }

  async stop (): Promise<void> {
    await Promise.all(this.#reflectors.map(async ([, reflector]) => { await reflector.stop() }))
  }

  /** Whether every kind has been listed once. Never false again. */
  get synced (): boolean {
    return this.#reflectors.every(([, reflector]) => reflector.synced)
  }

  /** One line for each kind that has not been listed yet: which, and why not. */
  unsynced (): string[] {
    return this.#reflectors.filter(([, reflector]) => !reflector.synced)
      .map(([kind, { trouble, state }]) => `${kind}: ${trouble ?? `not listed yet (${state})`}`)
  }

  status (): CacheStatus[] {
    return this.#reflectors.map(([kind, { synced, size, age, trouble }]) => ({
      kind,
      synced,
      objects: size,
      ageSeconds: age / 1000,
      trouble
    }))
  }
}
