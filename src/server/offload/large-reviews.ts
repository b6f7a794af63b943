/**
 * Perf: `bench/admission.ts --only latency`, the longest review beside one of 7 MiB; remove if the gain drops below
 * 10 %. `judgeReview` on the main thread is the naive version, and the oracle of the tests.
 */
import path from 'node:path'
import type { Piscina } from 'piscina'
import type { DecodedReview } from '../../admission/decode.ts'
import type { Judgement } from '../../admission/judge.ts'
import type { ReviewRequest } from '../../admission/request.ts'
import type { PathPolicy, World } from '../../core/world.ts'
import type { ServicePolicy } from '../../core/rules/service.ts'
import type { AbandonReason } from '../deadline.ts'
import type { RequestBody } from '../overload/read-body.ts'
import { answerLookup, type Answers, type Lookup } from './lookups.ts'

/** What reading a body yields, in this thread or in the worker: a review and its judge, or why it gets no judgement. */
export type ReadReview =
  | JudgeableReview
  | { readonly kind: 'malformed', readonly message: string }
  | { readonly kind: 'abandoned', readonly reason: AbandonReason }

interface JudgeableReview {
  readonly kind: 'review'
  /** The objects of a large review are outlines: what the wait for a configuration depends on. */
  readonly request: ReviewRequest
  readonly judge: () => Promise<Judged>
  /** Ends the turn of a large review: to be called after the response, judged or not. */
  readonly endTurn?: () => void
}

/** The response is UTF-8 if it comes from the worker. */
export type Judged = Omit<Judgement, 'response'> & { readonly response: string | Uint8Array }

/** The result of `judge` in the worker: a judgement, or what to look up first. */
export type JudgeResult = Judged | { readonly lookups: readonly Lookup[] }

/** The data that the thread starts with. */
export interface WorkerPolicies { readonly policy: ServicePolicy, readonly pathPolicy: PathPolicy }

export interface JudgeTask { readonly webhook: string, readonly answers: Answers }

export interface LargeReviewsOptions {
  readonly world: World
  readonly policy: ServicePolicy
  /** Bodies that wait for their turn, in bytes. */
  readonly waitingBytes: number
  /** Until an idle thread ends, in milliseconds. */
  readonly idleMs?: number
  /** Called after each judgement. */
  readonly onJudged?: () => void
}

export interface LargeReadOptions {
  /** Name of the webhook. */
  readonly webhook: string
  /** Checked before the body is parsed. */
  readonly abandonReason: () => AbandonReason | undefined
}

/** Heap of the thread. A review of 7 MiB typically takes up to 100 MiB; deep nesting takes more. */
const MAX_HEAP_MIB = 512
const IDLE_MS = 60_000

/** Source or compiled, like this file. */
const WORKER = path.join(import.meta.dirname, `judge-worker${path.extname(import.meta.filename)}`)

/**
 * Judges large reviews in a worker thread, one at a time, so that other reviews do not wait for them. A review holds
 * its turn from the parsing of its body until `endTurn`; a crash of the thread fails this review only.
 */
export class LargeReviews {
  readonly #options: LargeReviewsOptions
  #pool: Piscina | undefined
  #waitingBytes = 0
  #lastTurn = Promise.resolve()

  constructor (options: LargeReviewsOptions) { this.#options = options }

  get hasThread (): boolean { return (this.#pool?.threads.length ?? 0) > 0 }

  /** Parses a body in its turn. Rejects if the thread ends. */
  async read (body: RequestBody, { webhook, abandonReason }: LargeReadOptions): Promise<ReadReview> {
    const { kept } = body
    if (this.#waitingBytes + kept > this.#options.waitingBytes) return { kind: 'abandoned', reason: 'overloaded' }
    this.#waitingBytes += kept
    const endTurn = await this.#turn()
    this.#waitingBytes -= kept
    let decoded: DecodedReview | undefined
    try {
      const reason = abandonReason()
      if (reason !== undefined) return { kind: 'abandoned', reason }
      const pool = this.#pool ??= await this.#newPool()
      const pieces = body.pieces().map(transferable)
      const transferList = pieces.map(({ buffer }) => buffer)
      decoded = await pool.run(pieces, { name: 'parse', transferList }) as DecodedReview
      if (decoded.kind === 'malformed') return decoded
      return { ...decoded, judge: async () => await this.#judge(pool, webhook), endTurn }
    } finally {
      if (decoded?.kind !== 'review') endTurn()
    }
  }

  /** Ends the thread, which fails its current review. A later review starts another thread. */
  async close (): Promise<void> {
    const pool = this.#pool
    this.#pool = undefined
    await pool?.destroy()
  }

  /** Resolves at the caller's turn with the function that ends it. */
  async #turn (): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const before = this.#lastTurn
    this.#lastTurn = before.then(() => promise)
    await before
    return () => { resolve(undefined) }
  }

  /** Repeats until the worker has everything that the judgement looks up. */
  async #judge (pool: Piscina, webhook: string): Promise<Judged> {
    const answers: Array<readonly [Lookup, unknown]> = []
    for (;;) {
      const task: JudgeTask = { webhook, answers }
      const result = await pool.run(task, { name: 'judge' }) as JudgeResult
      if (!('lookups' in result)) {
        this.#options.onJudged?.()
        return result
      }
      for (const lookup of result.lookups) answers.push([lookup, answerLookup(this.#options.world, lookup)])
    }
  }

  /** Loads the pool on demand: few servers receive large reviews. */
  async #newPool (): Promise<Piscina> {
    const { Piscina } = await import('piscina')
    const { policy, world: { pathPolicy }, idleMs = IDLE_MS } = this.#options
    const workerData: WorkerPolicies = { policy, pathPolicy }
    const pool = new Piscina({
      filename: WORKER,
      name: 'parse',
      workerData,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: idleMs,
      atomics: 'disabled',
      niceIncrement: 5, // gives way to the main thread on a busy machine
      recordTiming: false,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB }
    })
    pool.on('error', () => { this.close().catch(() => undefined) }) // a thread that fails to start would keep its task
    return pool
  }
}

/** A view of a whole buffer: other bytes in it may belong to another request. */
function transferable (piece: Buffer): Uint8Array<ArrayBuffer> {
  const isWhole = piece.byteLength === piece.buffer.byteLength && piece.buffer instanceof ArrayBuffer
  return isWhole ? new Uint8Array(piece.buffer) : new Uint8Array(piece)
}
