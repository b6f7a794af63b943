import { createHash, createHmac, randomBytes } from 'node:crypto'
import { webhooksFor } from '../../webhooks/engine.ts'
import type { Webhook } from '../../webhooks/webhook.ts'
import type { ReviewRequest } from '../admission/request.ts'
import type { Verdict } from '../admission/verdict.ts'
import type { Log } from '../core/ports.ts'
import type { World } from '../core/world.ts'
import { errorMessage } from '../platform/error-message.ts'
import type { ServicePolicy } from '../core/rules/service.ts'
import { answerOf, changesOf } from './replayed-response.ts'
import { RecordFiles, type RecordFilesOptions } from './record-files.ts'
import { replayRecord } from './replay-record.ts'
import { recordOf } from './review-record.ts'
import { fitsWithin } from './fits-within.ts'
import { RecordingWorld, type Evidence } from './recording-world.ts'
import type { Clock } from '../platform/clock.ts'

/**
 * What became of a review's record. `duplicate`: there is one just like it already. `irreproducible`: its answer
 * depends on a value that is not kept, or on something that no record holds. `too_large`: it is larger than a record
 * may be. `dropped`: there was no time for it, or the disk did not take it.
 */
export type RecordOutcome = 'written' | 'duplicate' | 'irreproducible' | 'too_large' | 'dropped'

export interface RecorderOptions {
  readonly settings: Pick<RecordFilesOptions, 'folder' | 'fileBytes' | 'files'>
  readonly version: string
  readonly clock: Clock
  readonly log: Log
  readonly count: (outcome: RecordOutcome, reviews: number) => void
}

interface Judged {
  readonly webhook: string
  readonly policy: ServicePolicy
  readonly request: ReviewRequest
  readonly verdict: Verdict
  readonly evidence: Evidence
}

/** Reviews that wait to be recorded. */
const MAX_WAITING = 64
/** Largest review, in characters of its two objects, and largest record, in characters. */
const MAX_REVIEW = 256 * 1024
const MAX_RECORD = 1024 * 1024
/**
 * Most services that the answer to a changed configuration may depend on; judging them once more takes some
 * milliseconds.
 */
const MAX_SERVICES = 500
/** Records that are remembered, so that one that comes again is not written again. */
const MAX_REMEMBERED = 10_000

/**
 * Records the reviews that webhooks judge, after they have been answered. A record is written only where replaying it
 * gives the very answer that was given.
 */
export class Recorder {
  readonly #options: RecorderOptions
  readonly #files: RecordFiles
  readonly #key = randomBytes(32)
  readonly #remembered = new Set<string>()
  #waiting: Judged[] = []
  #scheduled = false

  constructor (options: RecorderOptions) {
    this.#options = options
    const { settings, clock, log, count } = options
    this.#files = new RecordFiles({
      ...settings,
      clock,
      log,
      onEnded: (lines, outcome) => {
        count(outcome, lines)
        if (outcome === 'dropped') this.#remembered.clear()
      },
      onRemoved: () => { this.#remembered.clear() }
    })
  }

  /** Rejects with a sentence where nothing can be written. */
  async start (): Promise<void> {
    await this.#files.start()
  }

  /** The product's webhooks, which tell this recorder of every review that they judge. */
  webhooksOver (world: World, policy: ServicePolicy): readonly Webhook[] {
    const witness = new RecordingWorld(world)
    return webhooksFor(witness.world, policy).map((webhook) => ({
      ...webhook,
      decide: (request) => {
        witness.take() // of a review that ended in a defect, if any
        const verdict = webhook.decide(request)
        this.#take({ webhook: webhook.name, policy, request, verdict, evidence: witness.take() })
        return verdict
      }
    }))
  }

  /** Records what waits, as far as the disk takes it in a second. */
  async stop (): Promise<void> {
    for (const judged of this.#waiting.splice(0)) this.#record(judged)
    await this.#files.stop()
  }

  /** On the way of an admission: looks at its size, and leaves all else for later. */
  #take (judged: Judged): void {
    const { request: { object, oldObject }, evidence: { services } } = judged
    if (this.#waiting.length >= MAX_WAITING) this.#options.count('dropped', 1)
    else if (services.length > MAX_SERVICES || !fitsWithin([object, oldObject], MAX_REVIEW)) this.#options.count('too_large', 1)
    else {
      this.#waiting.push(judged)
      this.#schedule()
    }
  }

  /** One a turn of the event loop, so that admissions go in between. */
  #schedule (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      const next = this.#waiting.shift()
      if (next !== undefined) this.#record(next)
      if (this.#waiting.length > 0) this.#schedule()
    })
  }

  #record (judged: Judged): void {
    const { count, log } = this.#options
    try {
      const outcome = this.#outcomeOf(judged)
      if (outcome !== 'waits') count(outcome, 1)
    } catch (error) {
      count('dropped', 1)
      log.error({ error: errorMessage(error) }, 'a review was not recorded because of a defect')
    }
  }

  /** `waits`: the files take it, and tell what becomes of it. */
  #outcomeOf ({ webhook, policy, request, verdict, evidence }: Judged): RecordOutcome | 'waits' {
    const answer = answerOf(request, verdict)
    const record = recordOf(
      { webhook, request, evidence, answer },
      { version: this.#options.version, policy, standIn: (value) => this.#standIn(value) }
    )
    const line = JSON.stringify(record)
    if (line.length > MAX_RECORD) return 'too_large'
    const digest = createHash('sha256').update(line).digest('base64')
    if (this.#remembered.has(digest)) return 'duplicate'
    if (changesOf(answer, replayRecord(record)).length > 0) return 'irreproducible'
    if (!this.#files.append(line)) return 'dropped'
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear()
    this.#remembered.add(digest)
    return 'waits'
  }

  /** By a key that this process alone has, so that nobody can try out which value it was. */
  #standIn (value: string): string {
    return `redacted-${createHmac('sha256', this.#key).update(value).digest('hex').slice(0, 16)}`
  }
}
