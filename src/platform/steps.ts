/**
 * Work in steps of a few milliseconds at most. A `yield` ends a step, and yields whether the work must finish with what
 * it has: `next(true)` asks for that, `next(false)` continues.
 */
export type Steps<T> = Generator<undefined, T, boolean>

/** Does the work without a pause. */
export function runSteps<T> (steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next(false)
    if (done === true) return value
  }
}
