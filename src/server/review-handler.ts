import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Logger } from 'pino'
import type { Webhook } from '../../webhooks/webhook.ts'
import { decodeReview } from '../admission/decode.ts'
import { encodeReview } from '../admission/encode.ts'
import type { ReviewRequest } from '../admission/request.ts'
import { ADMIT, type Verdict } from '../admission/verdict.ts'
import { AIM_SERVICE } from '../api/kinds.ts'
import type { Log } from '../core/ports.ts'
import { errorMessage } from '../platform/error-message.ts'
import { waitForConfig, type WaitResult } from './wait-for-config.ts'
import { deadlineOf, type Deadline } from './deadline.ts'
import type { AdmissionGate } from './lifecycle/admission-gate.ts'
import type { LargeReview, LargeReviews } from './offload/large-reviews.ts'
import type { ServerLimits } from './limits.ts'
import type { Metrics, ReviewOutcome } from '../telemetry/metrics.ts'
import { RequestBody } from './overload/read-body.ts'
import { outcomeOf, recordReview, type Ending } from '../telemetry/decision-log.ts'
import type { Judgement } from './offload/review-thread.ts'
import {
  onceBodyHasPassed, sendNothing, sendReview, sendError, sendUnavailable, TRY_AGAIN, type Answering
} from './replies.ts'
import type { Clock } from '../platform/clock.ts'

export interface ReviewDependencies {
  readonly gate: AdmissionGate
  readonly metrics: Metrics
  readonly log: Logger
  /** For lines that may come again and again. */
  readonly repeating: Log
  readonly limits: ServerLimits
  readonly clock: Clock
  /** To be called before each answer. */
  readonly answering: Answering
  /** Who judges the reviews of services from `limits.largeReview` on; without it they are judged here. */
  readonly large?: LargeReviews | undefined
}

/** The decoration that holds when the headers of a request had come, in milliseconds of the server's clock. */
export const ARRIVED = 'arrived'

/** Takes a call in, or turns it away before its body is kept. */
export function preflight ({ name: webhook }: Webhook, { gate, metrics, clock }: ReviewDependencies): onRequestHookHandler {
  return (request, reply, done) => {
    if (gate.shedReason() !== undefined) {
      countTurnedAway(webhook, metrics)
      onceBodyHasPassed(request, () => { sendUnavailable(reply, TRY_AGAIN) })
      return
    }
    request.setDecorator(ARRIVED, clock.now())
    if (request.headers['content-encoding'] === undefined) done()
    else sendError(reply, 415, 'encoded bodies are not accepted; send the review as it is')
  }
}

/** Before its operation is known. */
function countTurnedAway (webhook: string, { requests }: Metrics): void {
  requests.inc({ webhook, operation: 'UNKNOWN', outcome: 'unavailable', dry_run: 'false' })
}

/** One review that was read, on its way to an answer. */
interface Call {
  readonly webhook: Webhook
  readonly review: ReviewRequest
  readonly reply: FastifyReply
  readonly deadline: Deadline
  /** When its last byte had come. */
  readonly started: number
  /** Where it is judged by somebody else. */
  readonly large: LargeReview | undefined
  readonly dependencies: ReviewDependencies
}

/**
 * Reads a review, waits where it must, and answers it. Without a promise on the way, unless it waits. A review counts
 * as in flight once it is there whole.
 */
export function reviewHandler (webhook: Webhook, dependencies: ReviewDependencies) {
  const { gate, metrics } = dependencies
  const handle = reviewer(webhook, dependencies)
  return (request: FastifyRequest, reply: FastifyReply): void => {
    if (gate.shedReason() !== undefined) {
      countTurnedAway(webhook.name, metrics)
      sendUnavailable(reply, TRY_AGAIN)
      return
    }
    gate.enter()
    metrics.inFlight.inc()
    const leave = (): void => {
      gate.leave()
      metrics.inFlight.dec()
    }
    const waits = handle(request, reply)
    if (waits === undefined) leave()
    else waits.then(leave, leave)
  }
}

/** Answers at once, or promises to: where the review waits for something, or is judged elsewhere. */
function reviewer (webhook: Webhook, dependencies: ReviewDependencies) {
  const { large, limits, clock } = dependencies
  const proceed = proceeder(webhook, dependencies)
  return (request: FastifyRequest, reply: FastifyReply): Promise<void> | undefined => {
    const { body } = request
    if (!(body instanceof RequestBody)) {
      sendError(reply, 415, 'the content type is missing; send application/json')
      return undefined
    }
    const started = clock.now()
    const deadline = deadlineOf(timeoutOf(request), request.getDecorator<number>(ARRIVED))
    if (large !== undefined && body.length >= limits.largeReview && webhook.resource.kind === AIM_SERVICE.kind) {
      return handOver({ body, webhook, reply, deadline, started, dependencies, large }, proceed)
    }
    const decoded = decodeReview(body.whole())
    if (decoded.kind === 'review') { return proceed({ webhook, review: decoded.request, reply, deadline, started, large: undefined, dependencies }) }
    refuseBody({ webhook, reply, dependencies }, decoded.sentence)
    return undefined
  }
}

/** Judges a review that was read, once what it waits for has come. */
function proceeder (webhook: Webhook, { limits, clock }: ReviewDependencies) {
  let waiting = 0
  return (call: Call): Promise<void> | undefined => {
    const { review, reply, deadline } = call
    const now = call.large === undefined ? call.started : clock.now() // a large one waited for its turn
    if (!isServed(webhook, review)) answer(call, () => ADMIT, 'unmatched')
    else if (now > deadline.answerBy) expire(call, 'late')
    else {
      const arrival =
        waiting >= limits.waiting
          ? undefined
          : waitForConfig(webhook, { review, response: reply.raw, budget: deadline.answerBy - now, clock })
      if (arrival === undefined) return judge(call)
      waiting++
      return arrival
        .finally(() => { waiting-- })
        .then(
          (came) => settle(call, came),
          (error: unknown) => { fail(call, error) }
        )
    }
    return undefined
  }
}

function refuseBody ({ webhook, reply, dependencies }: Pick<Call, 'webhook' | 'reply' | 'dependencies'>, sentence: string): void {
  dependencies.repeating.info({ webhook: webhook.name, status: 400, why: sentence }, 'a call was no review')
  sendError(reply, 400, sentence)
}

interface LargeCall extends Omit<Call, 'review' | 'large'> { readonly body: RequestBody, readonly large: LargeReviews }

/** Has the review read by somebody else, and goes on as with any other. */
async function handOver ({ body, large, ...call }: LargeCall, proceed: (call: Call) => Promise<void> | undefined): Promise<void> {
  const { webhook, reply, deadline, dependencies: { metrics, repeating, clock } } = call
  const isExpired = (): boolean => reply.raw.destroyed || clock.now() > deadline.answerBy
  try {
    const handed = await large.handOver(body, isExpired)
    if (handed.kind === 'review') {
      try {
        await proceed({ ...call, review: handed.request, large: handed })
      } finally {
        handed.leave()
      }
    } else if (handed.kind === 'malformed') refuseBody(call, handed.sentence)
    else {
      countTurnedAway(webhook.name, metrics)
      if (reply.raw.destroyed) metrics.clientGone.inc()
      else if (handed.kind === 'expired') metrics.deadlineExceeded.inc()
      if (reply.raw.destroyed || clock.now() > deadline.end) sendNothing(reply)
      else sendUnavailable(reply, TRY_AGAIN)
    }
  } catch (error) {
    metrics.requests.inc({ webhook: webhook.name, operation: 'UNKNOWN', outcome: 'error', dry_run: 'false' })
    repeating.error(
      { webhook: webhook.name, error: errorMessage(error) },
      'a large review could not be read because of a defect'
    )
    sendError(reply, 500, DEFECT)
  }
}

function timeoutOf ({ query }: FastifyRequest): unknown {
  // what Fastify's query string parser yields, without a prototype
  return (query as Readonly<Record<string, unknown>>)['timeout']
}

function isServed ({ resource, registrations }: Webhook, { group, version, kind, subResource, operation }: ReviewRequest): boolean {
  return group === resource.group && version === resource.version && kind === resource.kind && subResource === '' &&
    registrations.some(({ operations }) => operations.some((served) => served === operation))
}

function settle (call: Call, came: WaitResult): Promise<void> | undefined {
  if (came === 'arrived') return judge(call)
  expire(call, came)
  return undefined
}

function judge (call: Call): Promise<void> | undefined {
  const { webhook, review, large } = call
  if (large !== undefined) {
    return large.judge(webhook.name).then(
      (judgement) => { conclude(call, judgement) },
      (error: unknown) => { fail(call, error) }
    )
  }
  answer(call, () => webhook.decide(review))
  return undefined
}

function answer (call: Call, decide: () => Verdict, outcome?: ReviewOutcome): void {
  let verdict: Verdict
  let review: string
  try {
    verdict = decide()
    review = encodeReview(call.review, verdict)
  } catch (error) {
    fail(call, error)
    return
  }
  conclude(call, {
    outcome: outcome ?? outcomeOf(verdict),
    faults: verdict.kind === 'deny' ? verdict.faults.map(({ code }) => code) : undefined,
    review
  })
}

/** Nothing is sent late, or to nobody. */
function conclude (call: Call, { outcome, faults, review }: Judgement): void {
  const isLate = call.dependencies.clock.now() > call.deadline.end
  if (isLate || call.reply.raw.destroyed) {
    expire(call, isLate ? 'late' : 'gone')
    return
  }
  record(call, outcome, { faults })
  sendReview(call.reply, review, call.dependencies.answering)
}

function expire (call: Call, why: Exclude<WaitResult, 'arrived'>): void {
  if (why === 'late') call.dependencies.metrics.deadlineExceeded.inc()
  record(call, 'unavailable', { gone: why === 'gone' })
  if (why === 'gone' || call.dependencies.clock.now() > call.deadline.end) sendNothing(call.reply)
  else sendUnavailable(call.reply, 'the time for this review ran out; try again')
}

function fail (call: Call, error: unknown): void {
  record(call, 'error', { error })
  sendError(call.reply, 500, DEFECT)
}

const DEFECT = 'the review could not be judged because of a defect in this program'

function record ({ webhook, review, started, dependencies }: Call, outcome: ReviewOutcome, more: Pick<Ending, 'faults' | 'error' | 'gone'> = {}): void {
  recordReview(dependencies, {
    webhook: webhook.name,
    review,
    outcome,
    ms: dependencies.clock.now() - started,
    ...more
  })
}
