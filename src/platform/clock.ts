/** Time that only goes forward; tests turn it by hand. */
export interface Clock {
  /** Milliseconds since some moment. */
  now (): number
  /** Calls back once, in `ms` milliseconds; the function returned calls it off. */
  setTimeout (ms: number, callback: () => void): () => void
}

/** The computer's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (ms, callback) => {
    const timer = setTimeout(callback, ms)
    return () => { clearTimeout(timer) }
  }
}
