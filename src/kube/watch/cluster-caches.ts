import { KINDS, type Kind } from '../../api/kinds.ts'
import { API_VERSION } from '../../api/meta.ts'
import type { Log, ObjectSink } from '../../core/ports.ts'
import type { Clock } from '../../platform/clock.ts'
import type { SendRequest } from '../client/api-connection.ts'
import { Reflector, type ReflectorObserver } from './reflector.ts'

type KindName = Kind['kind']

export interface ClusterCachesOptions {
  readonly request: SendRequest
  readonly sinks: Readonly<Record<KindName, ObjectSink>>
  readonly observe: (kind: KindName) => ReflectorObserver
  readonly log: Log
  readonly clock: Clock
}

/** Fills the sinks of the three kinds from all namespaces of a cluster. */
export class ClusterCaches {
  readonly #reflectors: ReadonlyArray<readonly [KindName, Reflector]>

  constructor ({ sinks, observe, ...options }: ClusterCachesOptions) {
    this.#reflectors = KINDS.map(({ kind, plural }) => {
      const path = `/apis/${API_VERSION}/${plural}`
      return [
        kind,
        new Reflector({ ...options, path, sink: sinks[kind], observer: observe(kind), random: Math.random })
      ]
    })
  }

  start (): void {
    for (const [, reflector] of this.#reflectors) reflector.start()
  }

  async stop (): Promise<void> {
    await Promise.all(this.#reflectors.map(async ([, reflector]) => { await reflector.stop() }))
  }

  /** Whether every kind has been listed once; stays true. */
  get synced (): boolean { return this.#reflectors.every(([, reflector]) => reflector.synced) }

  /** One line per kind that has not been listed yet, with the reason. */
  unsynced (): string[] {
    return this.#reflectors.filter(([, reflector]) => !reflector.synced)
      .map(([kind, { error, state }]) => `${kind}: ${error ?? `not listed yet (${state})`}`)
  }

  /** Seconds since the API server last confirmed that a cache is up to date; Infinity before the first list. */
  ages (): Array<{ readonly kind: KindName, readonly ageSeconds: number }> {
    return this.#reflectors.map(([kind, { age }]) => ({ kind, ageSeconds: age / 1_000 }))
  }
}
