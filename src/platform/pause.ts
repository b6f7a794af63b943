import type { Clock } from './clock.ts'

/**
 * Resolves in `ms` milliseconds, or as soon as the signal fires; at once where it has fired. Leaves nothing behind on
 * either. Never rejects.
 */
export async function pause (clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<unknown>()
  const cancel = clock.setTimeout(ms, () => { resolve(undefined) })
  signal.addEventListener('abort', resolve)
  await promise
  signal.removeEventListener('abort', resolve)
  cancel()
}
