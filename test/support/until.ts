/** Waits until the condition holds, doing `meanwhile` between two looks; rejects after 20 s. */
export async function until (condition: () => boolean | Promise<boolean>, meanwhile: () => void = () => {}): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${condition.toString()}`)
    meanwhile()
    await new Promise((resolve) => { setTimeout(resolve, 1) })
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
