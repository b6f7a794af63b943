import { setTimeout as delay } from 'node:timers/promises'

/** Longest pause between two looks, in milliseconds. */
const MAX_PAUSE_MS = 250

/**
 * Waits until the condition holds, doing `meanwhile` between two looks; rejects after 20 s. It pauses for twice as long as a look takes, so that looking by
 * kubectl does not take the processor from what is waited for.
 */
export async function until (condition: () => boolean | Promise<boolean>, meanwhile: () => void = () => {}): Promise<void> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const from = performance.now()
    if (await condition()) return
    if (performance.now() > deadline) throw new Error(`waited in vain for ${condition.toString()}`)
    meanwhile()
    await delay(Math.min(MAX_PAUSE_MS, Math.max(1, 2 * (performance.now() - from))))
  }
}

/** What comes of asking again and again, until it is something; rejects after 20 s. */
export async function eventually<T> (ask: () => Promise<T | undefined>): Promise<T> {
  let answer: T | undefined
  await until(async () => {
    answer = await ask()
    return answer !== undefined
  })
  return answer as T // until has seen it
}
