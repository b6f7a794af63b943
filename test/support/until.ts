/** Waits until the condition holds, doing `meanwhile` between two looks; rejects after 20 s. */
export async function until (condition: () => boolean | Promise<boolean>, meanwhile: () => void = () => {}): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${condition.toString()}`)
    meanwhile()
    await new Promise((resolve) => { setTimeout(resolve, 1) })
  }
}
