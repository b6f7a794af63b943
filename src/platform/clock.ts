/** Monotonic time; tests advance it by hand. */
export interface Clock {
  /** Milliseconds since an arbitrary moment. */
  now (): number
  /** Calls back once after `ms` milliseconds; the returned function cancels it. */
  setTimeout (ms: number, callback: () => void): () => void
}

/** Milliseconds of `500ms`, `10s` or `1m`; NaN for any other text. */
export function parseDuration (text: string): number {
  const [, digits, unit = ''] = /^(\d{1,6})(ms|s|m)$/.exec(text) ?? []
  return Number(digits) * (UNITS[unit] ?? NaN)
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (ms, callback) => {
    const timer = setTimeout(callback, ms)
    return () => { clearTimeout(timer) }
  }
}

/** Resolves after `ms` milliseconds or when the signal aborts, and removes its timer and listener. Never rejects. */
export async function pause (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return
  const { promise, resolve } = Promise.withResolvers<unknown>()
  const cancel = clock.setTimeout(ms, () => { resolve(undefined) })
  signal?.addEventListener('abort', resolve)
  await promise
  signal?.removeEventListener('abort', resolve)
  cancel()
}

/**
 * How long to wait after failures in a row, in milliseconds: doubled by each, up to the longest. `random`: from 0 to 1,
 * which takes away up to half.
 */
export function backoff (
  { first, longest }: { readonly first: number, readonly longest: number }, failures: number, random = 1
): number {
  return Math.min(longest, first * 2 ** (failures - 1)) * (0.5 + random / 2)
}

/** Waits for work, but at most `ms` milliseconds; whether it is done by then. Rejects if the work does before. */
export async function within (clock: Clock, ms: number, work: Promise<unknown>): Promise<boolean> {
  const { promise: timeout, resolve } = Promise.withResolvers<boolean>()
  const cancel = clock.setTimeout(ms, () => { resolve(false) })
  return await Promise.race([work.then(() => true), timeout]).finally(cancel)
}
