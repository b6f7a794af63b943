import { createHash, createHmac, randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { webhooksFor } from '../../webhooks/engine.ts'
import type { Webhook } from '../../webhooks/webhook.ts'
import type { ReviewRequest } from '../admission/request.ts'
import type { Verdict } from '../admission/verdict.ts'
import type { Log } from '../core/ports.ts'
import type { ServicePolicy } from '../core/rules/service.ts'
import type { World } from '../core/world.ts'
import { within, type Clock } from '../platform/clock.ts'
import { fitsText } from '../platform/json.ts'
import { escapeJson } from '../platform/printable.ts'
import { runSteps, type Steps } from '../platform/steps.ts'
import { errorMessage } from '../platform/error-message.ts'
import { RecordFiles, type RecordFilesOptions } from './record-files.ts'
import { recordingWorld } from './recording-world.ts'
import { differencesOf, replayRecord, responseOf } from './replay.ts'
import { recordOf, type JudgedReview } from './review-record.ts'

export type RecordOutcome =
  | 'written'
  /** An equal record exists already. */
  | 'duplicate'
  /** The response depends on a redacted value, or on data that a record does not contain. */
  | 'irreproducible'
  /** The review or its record exceeds a limit. */
  | 'too_large'
  /** The queue was full, or the disk failed. */
  | 'dropped'

export interface RecorderOptions {
  readonly settings: Pick<RecordFilesOptions, 'folder' | 'fileBytes' | 'files'>
  readonly version: string
  readonly clock: Clock
  readonly log: Log
  readonly count: (outcome: RecordOutcome) => void
}

interface QueuedReview extends JudgedReview { readonly verdict: Verdict }

/** Limit of reviews in the queue. */
const MAX_QUEUED = 64
/** Size limits of the two objects of a review, and of a record, in characters. */
const MAX_REVIEW = 256 * 1024
const MAX_RECORD = 1024 * 1024
/** Limit of services in the evidence; replaying them takes some milliseconds. */
const MAX_SERVICES = 500
/** Limit of remembered records, which detect duplicates. */
const MAX_REMEMBERED = 10_000
/** How long stop waits for the disk, in milliseconds. */
const STOP_MS = 1_000

/** Records judged reviews after their response. A record is written only if replaying it gives the same response. */
export class Recorder {
  readonly #options: RecorderOptions
  readonly #files: RecordFiles
  readonly #key = randomBytes(32)
  readonly #remembered = new Set<string>()
  readonly #queue: QueuedReview[] = []
  #isRunning = false
  #running: Promise<void> = Promise.resolve()

  constructor (options: RecorderOptions) {
    this.#options = options
    const { settings, clock, log } = options
    this.#files = new RecordFiles({ ...settings, clock, log, onDeleted: () => { this.#remembered.clear() } })
  }

  /** Rejects if the folder is not writable. */
  async start (): Promise<void> {
    await this.#files.start()
  }

  /** The webhooks of the product, with every judged review recorded. */
  webhooksOver (world: World, policy: ServicePolicy): readonly Webhook[] {
    const { pathPolicy } = world
    return webhooksFor(world, policy).map((webhook) => {
      const decideInSteps = (request: ReviewRequest): Steps<Verdict> =>
        this.#recordedSteps(webhook.name, { world, policy, pathPolicy, request })
      return {
        ...webhook,
        decide: (request) => runSteps(decideInSteps(request)),
        ...(webhook.decideInSteps && { decideInSteps })
      }
    })
  }

  /** Each review has a world of its own, because decisions in steps overlap. */
  * #recordedSteps (
    name: string,
    { world, policy, ...review }: Pick<QueuedReview, 'policy' | 'pathPolicy' | 'request'> & { world: World }
  ): Steps<Verdict> {
    const recording = recordingWorld(world)
    const webhook = webhooksFor(recording.world, policy).find((each) => each.name === name)
    if (webhook === undefined) throw new Error(`no webhook ${name}`)
    const verdict = yield * webhook.decideInSteps?.(review.request) ?? decided(webhook.decide(review.request))
    this.#enqueue({ ...review, policy, webhook: name, verdict, evidence: recording.evidence })
    return verdict
  }

  /** Counts a review that the worker for large reviews judged. */
  skipLarge (): void {
    this.#options.count('too_large')
  }

  /** Records the queue, as far as the disk accepts it within a second. */
  async stop (): Promise<void> {
    const closing = this.#running.then(async () => { await this.#files.close() }).catch(() => undefined)
    await within(this.#options.clock, STOP_MS, closing)
  }

  /** Runs before the response, so it only checks the size. */
  #enqueue (review: QueuedReview): void {
    const { request: { object, oldObject }, evidence: { services } } = review
    const { count } = this.#options
    if (this.#queue.length >= MAX_QUEUED) count('dropped')
    else if (services.length > MAX_SERVICES || !fitsText([object, oldObject], MAX_REVIEW)) count('too_large')
    else {
      this.#queue.push(review)
      if (!this.#isRunning) this.#running = this.#run()
    }
  }

  /** Records one review per turn of the event loop, so that admissions are not delayed. */
  async #run (): Promise<void> {
    const { count, log } = this.#options
    this.#isRunning = true
    await nextTurn()
    for (let review = this.#queue.shift(); review !== undefined; review = this.#queue.shift()) {
      try {
        count(await this.#record(review))
      } catch (error) {
        count('dropped')
        log.error({ error: errorMessage(error) }, 'failed to record review because of a defect')
      }
      await nextTurn()
    }
    this.#isRunning = false
  }

  async #record (review: QueuedReview): Promise<RecordOutcome> {
    const { version } = this.#options
    const response = responseOf(review.request, review.verdict)
    const record = recordOf(review, { version, response, placeholder: (value) => this.#placeholder(value) })
    const line = escapeJson(JSON.stringify(record)) // readline ends a line at U+2028, too
    if (line.length > MAX_RECORD) return 'too_large'
    const digest = createHash('sha256').update(line).digest('base64')
    if (this.#remembered.has(digest)) return 'duplicate'
    if (differencesOf(response, replayRecord(record)).length > 0) return 'irreproducible'
    if (!await this.#files.write(line)) {
      this.#remembered.clear() // the disk may have lost earlier records
      return 'dropped'
    }
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear()
    this.#remembered.add(digest)
    return 'written'
  }

  /** Keyed with a secret of this process, so that a reader cannot guess the value and verify the guess. */
  #placeholder (value: string): string {
    return `redacted-${createHmac('sha256', this.#key).update(value).digest('hex').slice(0, 16)}`
  }
}

function * decided (verdict: Verdict): Steps<Verdict> {
  return verdict
}
