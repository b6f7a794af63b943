import type { ConfigIndex } from './config-index.ts'
import type { PendingConfigs } from '../core/ports.ts'
import { type ConfigRef, resolveConfig } from '../core/settings/resolve.ts'
import type { RuntimeConfig } from '../core/settings/runtime-config.ts'
import type { Clock } from '../platform/clock.ts'

/** How long an admitted configuration is expected to arrive by the watch, in milliseconds. */
const EXPECTED_MS = 2_000
/**
 * Longest wait for one that is on its way, and for one that nobody has announced: another replica may have judged it.
 */
const ANNOUNCED_WAIT_MS = 1_000
const MISSING_WAIT_MS = 150
/** How long a new configuration may take to reach every replica, in milliseconds. */
const PROPAGATION_MS = 5_000
/**
 * Bounds for hostile names: expectations kept, and reviews that wait at once. Beyond them a review is judged by what is
 * known.
 */
const MAX_EXPECTED = 1_000
const MAX_WAITING = 64

interface Expectation { readonly hash: string, readonly until: number }

/**
 * Configurations that were admitted a moment ago and that the watch is yet to deliver, so that a configuration and its
 * service can be applied in one go. The admission path asks nobody: it waits a little.
 */
export class PendingConfigCache implements PendingConfigs {
  readonly #configs: ConfigIndex
  readonly #clock: Clock
  readonly #expected = new Map<string, Expectation>()
  /** When a configuration that was unknown came, the oldest first; forgotten once it has spread. */
  readonly #came = new Map<string, number>()
  #waiting = 0

  constructor (configs: ConfigIndex, clock: Clock) {
    this.#configs = configs
    this.#clock = clock
    configs.onChange((appeared) => { if (appeared !== undefined) this.#noteArrival(appeared) })
  }

  isRecent (config: RuntimeConfig): boolean {
    const came = this.#came.get(keyOf(config.namespace, config.name))
    return came !== undefined && this.#clock.now() - came < PROPAGATION_MS
  }

  #noteArrival (config: RuntimeConfig): void {
    const now = this.#clock.now()
    for (const [key, came] of this.#came) {
      if (now - came < PROPAGATION_MS) break
      this.#came.delete(key)
    }
    this.#came.delete(keyOf(config.namespace, config.name))
    this.#came.set(keyOf(config.namespace, config.name), now)
  }

  /** A configuration has been admitted, and will be stored unless another webhook refuses it. */
  announce ({ namespace, name, hash }: Pick<RuntimeConfig, 'namespace' | 'name' | 'hash'>): void {
    const key = keyOf(namespace, name)
    this.#expected.delete(key)
    this.#expected.set(key, { hash, until: this.#clock.now() + EXPECTED_MS })
    const [oldest] = this.#expected.keys()
    if (this.#expected.size > MAX_EXPECTED && oldest !== undefined) this.#expected.delete(oldest)
  }

  /**
   * Resolves when what the reference waits for has arrived, or is waited for no longer; undefined where there is
   * nothing to wait for.
   */
  waitForConfig (ref: ConfigRef, signal: () => AbortSignal): Promise<void> | undefined {
    const wait = this.#waitFor(ref)
    if (wait === 0 || this.#waiting >= MAX_WAITING) return undefined
    return this.#until(() => this.#waitFor(ref) === 0, { wait, signal: signal() })
  }

  /** Milliseconds to wait at most; none where the reference resolves to what is expected. */
  #waitFor (ref: ConfigRef): number {
    if (this.#isExpected(ref.namespace, ref.name) || this.#isExpected('', ref.name)) return ANNOUNCED_WAIT_MS
    return resolveConfig(ref, this.#configs).kind === 'missing' ? MISSING_WAIT_MS : 0
  }

  #isExpected (namespace: string, name: string): boolean {
    if (this.#expected.size === 0) return false
    const key = keyOf(namespace, name)
    const expectation = this.#expected.get(key)
    if (expectation === undefined) return false
    const known = namespace === '' ? this.#configs.cluster(name) : this.#configs.namespaced(namespace, name)
    if (known?.hash !== expectation.hash && this.#clock.now() < expectation.until) return true
    this.#expected.delete(key)
    return false
  }

  async #until (isThere: () => boolean, { wait, signal }: { wait: number, signal: AbortSignal }): Promise<void> {
    this.#waiting++
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        cancel()
        ignore()
        signal.removeEventListener('abort', finish)
        resolve()
      }
      const cancel = this.#clock.setTimeout(wait, finish)
      const ignore = this.#configs.onChange(() => { if (isThere()) finish() })
      signal.addEventListener('abort', finish)
    })
    this.#waiting--
  }
}

function keyOf (namespace: string, name: string): string {
  return `${namespace}/${name}`
}
