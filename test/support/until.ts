import { setTimeout as delay } from 'node:timers/promises'

/** Longest pause between two checks, in milliseconds. */
const MAX_PAUSE_MS = 250

/** Default timeout, in milliseconds. */
const LIMIT_MS = 60_000

/**
 * Waits until the condition holds, and calls `meanwhile` between two checks; rejects after `limit` milliseconds. A
 * pause takes twice as long as a check, so that checks leave the processor to the system under test.
 */
export async function until (
  condition: () => boolean | Promise<boolean>, meanwhile: () => void = () => {}, limit = LIMIT_MS
): Promise<void> {
  const deadline = performance.now() + limit
  for (;;) {
    const from = performance.now()
    if (await condition()) return
    if (performance.now() > deadline) throw new Error(`timed out waiting for ${condition.toString()}`)
    meanwhile()
    await delay(Math.min(MAX_PAUSE_MS, Math.max(1, 2 * (performance.now() - from))))
  }
}

/** Calls `attempt` until it resolves with a value, and returns that; rejects after `limit` milliseconds. */
export async function eventually<T> (attempt: () => Promise<T | undefined>, limit?: number): Promise<T> {
  let result: T | undefined
  await until(async () => {
    result = await attempt()
    return result !== undefined
  }, undefined, limit)
  return result as T // the condition held
}
