import { setTimeout as delay } from 'node:timers/promises'

/** Longest pause between two looks, in milliseconds. */
const MAX_PAUSE_MS = 250

/** How long something is waited for unless told otherwise, in milliseconds. */
const LIMIT_MS = 20_000

/**
 * Waits until the condition holds, doing `meanwhile` between two looks; rejects after `limit` milliseconds. It pauses
 * for twice as long as a look takes, so that looking by kubectl does not take the processor from what is waited for.
 */
export async function until (condition: () => boolean | Promise<boolean>, meanwhile: () => void = () => {}, limit = LIMIT_MS): Promise<void> {
  const deadline = performance.now() + limit
  for (;;) {
    const from = performance.now()
    if (await condition()) return
    if (performance.now() > deadline) throw new Error(`waited in vain for ${condition.toString()}`)
    meanwhile()
    await delay(Math.min(MAX_PAUSE_MS, Math.max(1, 2 * (performance.now() - from))))
  }
}

/** What comes of asking again and again, until it is something; rejects after `limit` milliseconds. */
export async function eventually<T> (ask: () => Promise<T | undefined>, limit?: number): Promise<T> {
  let answer: T | undefined
  await until(async () => {
    answer = await ask()
    return answer !== undefined
  }, undefined, limit)
  return answer as T // until has seen it
}
