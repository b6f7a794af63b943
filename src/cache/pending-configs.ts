import { keyText } from '../api/object-meta.ts'
import type { ObjectKey } from '../core/ports.ts'
import { resolveConfig } from '../core/settings/assess.ts'
import { PROPAGATION_MS, type RuntimeConfig } from '../core/settings/runtime-config.ts'
import { DEFAULT_PATH_POLICY, type PathPolicy, type PendingConfigs } from '../core/world.ts'
import { pause, type Clock } from '../platform/clock.ts'
import type { ConfigIndex } from './config-index.ts'

/** How long an admitted configuration is expected from the watch, in milliseconds. */
const EXPECTED_MS = 2_000
/** Longest wait for an announced configuration, in milliseconds. */
const ANNOUNCED_WAIT_MS = 1_000
/** Longest wait for one without an announcement, which another replica may have admitted, in milliseconds. */
const MISSING_WAIT_MS = 150
/** Bounds against hostile names: announcements, and waits at once in a namespace. Beyond them no review waits. */
const MAX_ANNOUNCED = 1_000
const MAX_WAITING = 64

interface Announcement { readonly hash: string, readonly until: number }

/**
 * Configurations that were admitted and that the watch has not delivered yet, so that one `kubectl apply` can contain a
 * configuration and its service. A review waits for them for a bounded time; it makes no network call.
 */
export class PendingConfigCache implements PendingConfigs {
  readonly #configs: ConfigIndex
  readonly #clock: Clock
  readonly #pathPolicy: PathPolicy
  readonly #announced = new Map<string, Announcement>()
  /** Arrival time of each new configuration, oldest first; dropped after PROPAGATION_MS. */
  readonly #arrivedAt = new Map<string, number>()
  /** Waits by namespace, so that one namespace does not use up those of another. */
  readonly #waiting = new Map<string, number>()

  constructor (configs: ConfigIndex, clock: Clock, pathPolicy = DEFAULT_PATH_POLICY) {
    this.#configs = configs
    this.#pathPolicy = pathPolicy
    this.#clock = clock
    configs.onChange((added) => { if (added !== undefined) this.#recordArrival(added) })
  }

  isRecent (config: RuntimeConfig): boolean {
    const arrivedAt = this.#arrivedAt.get(keyText(config))
    return arrivedAt !== undefined && this.#clock.now() - arrivedAt < PROPAGATION_MS
  }

  announce (config: Pick<RuntimeConfig, 'namespace' | 'name' | 'hash'>): void {
    const key = keyText(config)
    this.#announced.delete(key)
    this.#announced.set(key, { hash: config.hash, until: this.#clock.now() + EXPECTED_MS })
    const [oldest] = this.#announced.keys()
    if (this.#announced.size > MAX_ANNOUNCED && oldest !== undefined) this.#announced.delete(oldest)
  }

  waitForConfig (ref: ObjectKey, signal: () => AbortSignal): Promise<void> | undefined {
    const waitMs = this.#waitMs(ref)
    if (waitMs === 0 || (this.#waiting.get(ref.namespace) ?? 0) >= MAX_WAITING) return undefined
    return this.#until(ref, { waitMs, signal: signal() })
  }

  #recordArrival (config: RuntimeConfig): void {
    const now = this.#clock.now()
    for (const [key, arrivedAt] of this.#arrivedAt) {
      if (now - arrivedAt < PROPAGATION_MS) break
      this.#arrivedAt.delete(key)
    }
    this.#arrivedAt.delete(keyText(config))
    this.#arrivedAt.set(keyText(config), now)
  }

  /** 0 if the reference resolves to the expected version. */
  #waitMs (ref: ObjectKey): number {
    if (this.#isPending(ref) || this.#isPending({ namespace: '', name: ref.name })) return ANNOUNCED_WAIT_MS
    const config = resolveConfig(ref, { configs: this.#configs, pathPolicy: this.#pathPolicy })
    return config === undefined ? MISSING_WAIT_MS : 0
  }

  #isPending (ref: ObjectKey): boolean {
    const { namespace, name } = ref
    const announcement = this.#announced.size === 0 ? undefined : this.#announced.get(keyText(ref))
    if (announcement === undefined) return false
    const known = namespace === '' ? this.#configs.cluster(name) : this.#configs.namespaced(namespace, name)
    if (known?.hash !== announcement.hash && this.#clock.now() < announcement.until) return true
    this.#announced.delete(keyText(ref))
    return false
  }

  async #until (ref: ObjectKey, { waitMs, signal }: { waitMs: number, signal: AbortSignal }): Promise<void> {
    const { namespace } = ref
    this.#waiting.set(namespace, (this.#waiting.get(namespace) ?? 0) + 1)
    const arrived = new AbortController()
    const unsubscribe = this.#configs.onChange(() => { if (this.#waitMs(ref) === 0) arrived.abort() })
    await pause(this.#clock, waitMs, AbortSignal.any([signal, arrived.signal]))
    unsubscribe()
    const left = (this.#waiting.get(namespace) ?? 0) - 1
    if (left > 0) this.#waiting.set(namespace, left)
    else this.#waiting.delete(namespace)
  }
}
