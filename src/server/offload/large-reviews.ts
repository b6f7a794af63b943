import type { ReviewRequest } from '../../admission/request.ts'
import type { RequestBody } from '../overload/read-body.ts'
import { ReviewThread, type Judgement, type Report, type ReviewThreadOptions } from './review-thread.ts'
import type { Clock } from '../../platform/clock.ts'

/** A large review that was read. */
export interface LargeReview {
  readonly kind: 'review'
  /** Of its objects there is only what tells which configuration it waits for. */
  readonly request: ReviewRequest
  /** By the webhook of this name. Rejects where it throws, or the thread has ended. */
  readonly judge: (webhook: string) => Promise<Judgement>
  /** To be called once the review is answered, judged or not. */
  readonly leave: () => void
}

/**
 * What becomes of a review that is handed over. `full`: too many wait for their turn. `expired`: nobody waits for its
 * answer any more.
 */
export type HandedOver =
  LargeReview | { readonly kind: 'malformed'; readonly sentence: string } | { readonly kind: 'full' | 'expired' }

export interface LargeReviewsOptions extends Pick<ReviewThreadOptions, 'world' | 'policy'> {
  readonly clock: Clock
  /** Of all bodies that wait for their turn, in bytes. */
  readonly waitingBytes: number
}

/** Reviews that the thread holds at once: parsed, each may take a hundred megabytes. */
const AT_ONCE = 2
/** Until a thread without work is ended, in milliseconds. */
const IDLE_MS = 60_000

interface Waiting {
  readonly body: RequestBody
  readonly isExpired: () => boolean
  readonly settle: (outcome: HandedOver | Promise<HandedOver>) => void
}

/**
 * Has the reviews of services that are so large that others would have to wait for them judged by a thread of its own.
 * It is started by the first of them, and ended when none has come for a while.
 */
export class LargeReviews {
  readonly #options: LargeReviewsOptions
  readonly #waiting: Waiting[] = []
  #waitingBytes = 0
  #held = 0
  #thread: ReviewThread | undefined
  #callOffEnd: () => void = () => undefined

  constructor (options: LargeReviewsOptions) {
    this.#options = options
  }

  get hasThread (): boolean {
    return this.#thread !== undefined
  }

  /**
   * Resolves once the review has been read, or is not going to be. `isExpired` is asked when its turn has come. Rejects
   * where the thread ends.
   */
  async handOver (body: RequestBody, isExpired: () => boolean): Promise<HandedOver> {
    if (this.#waitingBytes + body.kept > this.#options.waitingBytes) return { kind: 'full' }
    const { promise, resolve: settle } = Promise.withResolvers<HandedOver>()
    this.#waiting.push({ body, isExpired, settle })
    this.#waitingBytes += body.kept
    this.#goOn()
    return await promise
  }

  /** Ends the thread; what it holds is not judged. A review that comes afterwards starts another. */
  async close (): Promise<void> {
    this.#callOffEnd()
    const thread = this.#thread
    this.#thread = undefined
    await thread?.end()
  }

  #goOn (): void {
    while (this.#held < AT_ONCE) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#waitingBytes -= next.body.kept
      next.settle(next.isExpired() ? { kind: 'expired' } : this.#read(next.body))
    }
  }

  async #read (body: RequestBody): Promise<HandedOver> {
    this.#held++
    this.#callOffEnd()
    let reading: Report | undefined
    try {
      const thread = this.#thread ??= this.#newThread()
      reading = await thread.read(body.pieces())
      return reading.kind === 'read' ? this.#review(thread, reading) : malformed(reading)
    } finally {
      if (reading?.kind !== 'read') this.#release()
    }
  }

  #review (thread: ReviewThread, { id, request }: Extract<Report, { kind: 'read' }>): LargeReview {
    return {
      kind: 'review',
      request,
      judge: async (webhook) => {
        const judging = await thread.judge(id, webhook)
        return judging.kind === 'judged' ? judging.judgement : broken(judging)
      },
      leave: () => {
        thread.forget(id)
        this.#release()
      }
    }
  }

  #release (): void {
    this.#held--
    if (this.#held === 0) {
      this.#callOffEnd = this.#options.clock.setTimeout(IDLE_MS, () => { this.close().catch(() => undefined) })
    }
    this.#goOn()
  }

  #newThread (): ReviewThread {
    const { world, policy } = this.#options
    const thread = new ReviewThread({
      world,
      policy,
      onEnd: () => {
        if (this.#thread === thread) this.#thread = undefined
      }
    })
    return thread
  }
}

function malformed (report: Report): HandedOver {
  return report.kind === 'malformed' ? report : broken(report)
}

/** A defect, or a report that was not asked for. */
function broken (report: Report): never {
  throw new Error(
    report.kind === 'broken'
      ? report.error
      : `the thread that judges large reviews reports "${report.kind}" out of turn`
  )
}
