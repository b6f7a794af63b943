/** For how long something has been so without a break, by one observer. Times in milliseconds. */
export class SteadyTimer {
  readonly #since = new Map<string, number>()

  /** Says whether it is so at present. */
  note (what: string, holds: boolean, now: number): void {
    if (!holds) this.#since.delete(what)
    else if (!this.#since.has(what)) this.#since.set(what, now)
  }

  /** 0 where it is not so, or has only now been found so. */
  for (what: string, now: number): number {
    return now - (this.#since.get(what) ?? now)
  }
}
