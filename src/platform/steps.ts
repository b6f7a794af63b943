/**
 * Work in steps of a few milliseconds at most. `next(true)` asks it to finish with what it has; `next(false)` to go on.
 */
export type Steps<T> = Generator<undefined, T, boolean>

/** Does the work without a pause. */
export function runSteps<T> (steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next(false)
    if (done === true) return value
  }
}
