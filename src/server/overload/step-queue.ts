import type { Clock } from '../../platform/clock.ts'
import { FairQueue } from '../../platform/fair-queue.ts'
import type { Steps } from '../../platform/steps.ts'

export interface StepQueueOptions {
  readonly clock: Clock
  /** Longest run of steps before other work gets a turn, in milliseconds. */
  readonly sliceMs?: number
  /** Total run time of one job, in milliseconds; then it has to finish. */
  readonly budgetMs?: number
  /** Longest wait of a job for its turn, in milliseconds; then it has to finish without a step. */
  readonly waitMs?: number
}

interface Job {
  readonly steps: Steps<unknown>
  readonly since: number
  readonly isAbandoned: () => boolean
  used: number
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

/**
 * Runs long decisions one at a time, in slices: after each slice, other work gets at least as much time. Namespaces
 * take turns, so that the jobs of one do not delay those of another.
 */
export class StepQueue {
  readonly #clock: Clock
  readonly #limits: Required<Omit<StepQueueOptions, 'clock'>>
  readonly #waiting = new FairQueue<Steps<unknown>, Job>()
  #isRunning = false

  constructor ({ clock, sliceMs = 5, budgetMs = 200, waitMs = 1_000 }: StepQueueOptions) {
    this.#clock = clock
    this.#limits = { sliceMs, budgetMs, waitMs }
  }

  /** Rejects if a step throws. `isAbandoned`: no client takes the result any more, so that the job has to finish. */
  async run<T> (namespace: string, steps: Steps<T>, isAbandoned = () => false): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#waiting.set(namespace, steps, { steps, since: this.#clock.now(), isAbandoned, used: 0, resolve, reject })
    if (!this.#isRunning) this.#runNext()
    return await promise
  }

  #runNext (): void {
    const next = this.#waiting.take()
    this.#isRunning = next !== undefined
    if (next !== undefined) this.#runSlice(next[1])
  }

  #runSlice (job: Job): void {
    const { sliceMs, budgetMs, waitMs } = this.#limits
    const started = this.#clock.now()
    const isOver = job.isAbandoned() || (job.used === 0 && started - job.since > waitMs)
    try {
      for (;;) {
        const ran = this.#clock.now() - started
        const mustFinish = isOver || job.used + ran >= budgetMs
        const result = job.steps.next(mustFinish)
        if (result.done === true) {
          job.resolve(result.value as never)
          break
        }
        if (!mustFinish && this.#clock.now() - started >= sliceMs) {
          job.used += this.#clock.now() - started
          this.#clock.setTimeout(Math.max(1, this.#clock.now() - started), () => { this.#runSlice(job) })
          return
        }
      }
    } catch (error) {
      job.reject(error)
    }
    this.#clock.setTimeout(Math.max(1, this.#clock.now() - started), () => { this.#runNext() })
  }
}
