import path from 'node:path'
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import type { ReviewRequest } from '../../admission/request.ts'
import type { FaultCode } from '../../core/rules/faults.ts'
import type { World } from '../../core/world.ts'
import { errorMessage } from '../../platform/error-message.ts'
import type { ServicePolicy } from '../../core/rules/service.ts'
import type { ReviewOutcome } from '../../telemetry/metrics.ts'
import { answerOf, type WorldCall } from './world-calls.ts'

/** What a judged review comes to: its answer, and what is counted of it. */
export interface Judgement {
  readonly outcome: ReviewOutcome
  readonly faults: readonly FaultCode[] | undefined
  /** An AdmissionReview v1, as JSON. */
  readonly review: string | Uint8Array
}

/** What the thread is told about the review of a number. */
export type Order =
  | { readonly kind: 'read', readonly id: number, readonly pieces: readonly Uint8Array[] }
  | { readonly kind: 'judge', readonly id: number, readonly webhook: string }
  | { readonly kind: 'forget', readonly id: number }

/**
 * What it answers to the first two. Of the objects of a request there is only what tells which configuration it waits
 * for. `broken`: what a defect threw.
 */
export type Report = { readonly id: number } & (
  | { readonly kind: 'read', readonly request: ReviewRequest }
  | { readonly kind: 'malformed', readonly sentence: string }
  | { readonly kind: 'judged', readonly judgement: Judgement }
  | { readonly kind: 'broken', readonly error: string })

/** What the thread begins with: on which port it asks about the world, and what is raised when an answer has come. */
export interface ThreadData {
  readonly policy: ServicePolicy
  readonly calls: MessagePort
  readonly answered: Int32Array
}

export interface ReviewThreadOptions {
  readonly world: World
  readonly policy: ServicePolicy
  /** It has ended, for whatever reason. */
  readonly onEnd: () => void
}

/** Of the thread's heap, in MiB. A review of 7 MiB usually takes up to 100; one of nothing but brackets more. */
const MAX_HEAP_MIB = 512

/** A thread that reads and judges reviews. It asks about the world as it goes, waiting for each answer. */
export class ReviewThread {
  readonly #worker: Worker
  readonly #awaited = new Map<
    number,
    { readonly resolve: (report: Report) => void; readonly reject: (error: Error) => void }
  >()

  #reviews = 0
  #ended: Error | undefined

  constructor ({ world, policy, onEnd }: ReviewThreadOptions) {
    const { port1: calls, port2 } = new MessageChannel()
    const answered = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
    calls.on('message', (call: WorldCall) => {
      calls.postMessage(answerOf(world, call))
      Atomics.store(answered, 0, 1)
      Atomics.notify(answered, 0)
    })
    const workerData: ThreadData = { policy, calls: port2, answered }
    const ended = (cause: unknown): void => {
      this.#end(cause)
      calls.close()
      onEnd()
    }
    try {
      this.#worker = new Worker(WORKER, {
        workerData,
        transferList: [port2],
        resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB }
      })
    } catch (error) {
      calls.close()
      throw error
    }
    this.#worker.on('message', (report: Report) => { this.#take(report) })
    this.#worker.on('error', ended)
    this.#worker.on('messageerror', (error) => {
      ended(error)
      this.end().catch(() => undefined)
    })
    this.#worker.on('exit', () => { ended('it was told to') })
    this.#worker.unref()
    calls.unref()
  }

  /**
   * Has it read a review from the pieces of its body, which then are the thread's; the number is for `judge` and
   * `forget`. Rejects where the thread ends.
   */
  async read (pieces: readonly Buffer[]): Promise<Report> {
    const handed = pieces.map((piece) => ownsItsBuffer(piece) ? new Uint8Array(piece.buffer) : new Uint8Array(piece))
    return await this.#tell({ kind: 'read', id: ++this.#reviews, pieces: handed }, handed.map(({ buffer }) => buffer))
  }

  /** Has it judge a review that it has read, by the webhook of this name. Rejects where the thread ends. */
  async judge (id: number, webhook: string): Promise<Report> {
    return await this.#tell({ kind: 'judge', id, webhook })
  }

  /** The review was answered, or will never be judged. */
  forget (id: number): void {
    this.#worker.postMessage({ kind: 'forget', id } satisfies Order)
  }

  async end (): Promise<void> {
    await this.#worker.terminate()
  }

  async #tell (order: Order, transferred: readonly ArrayBuffer[] = []): Promise<Report> {
    if (this.#ended !== undefined) throw this.#ended
    const { promise, resolve, reject } = Promise.withResolvers<Report>()
    this.#awaited.set(order.id, { resolve, reject })
    this.#worker.postMessage(order, transferred)
    return await promise
  }

  #take (report: Report): void {
    this.#awaited.get(report.id)?.resolve(report)
    this.#awaited.delete(report.id)
  }

  #end (cause: unknown): void {
    this.#ended ??= new Error(
      `the thread that judges large reviews has ended: ${typeof cause === 'string' ? cause : errorMessage(cause)}`
    )
    for (const { reject } of this.#awaited.values()) reject(this.#ended)
    this.#awaited.clear()
  }
}

/** Else the bytes around it are somebody else's, perhaps the next request's. */
function ownsItsBuffer (piece: Buffer): piece is Buffer<ArrayBuffer> {
  return piece.byteLength === piece.buffer.byteLength && piece.buffer instanceof ArrayBuffer
}

/** Beside this file, as source or compiled. */
const WORKER = new URL(`./review-worker${path.extname(import.meta.filename)}`, import.meta.url)
