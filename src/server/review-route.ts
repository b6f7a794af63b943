import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Logger } from 'pino'
import type { Webhook } from '../../webhooks/webhook.ts'
import { decodeReview } from '../admission/decode-review.ts'
import { encodeReview } from '../admission/encode-review.ts'
import type { ReviewRequest } from '../admission/review-request.ts'
import { ADMIT } from '../admission/verdict.ts'
import type { Verdict } from '../admission/verdict.ts'
import type { Log } from '../core/ports.ts'
import { awaitArrival } from './await-arrival.ts'
import type { Arrival } from './await-arrival.ts'
import { deadlineOf } from './deadline.ts'
import type { Deadline } from './deadline.ts'
import type { Gate } from './gate.ts'
import type { ServerLimits } from './limits.ts'
import type { Metrics, Outcome } from './metrics.ts'
import { outcomeOf, recordReview } from './record-review.ts'
import type { Ending } from './record-review.ts'
import { onceBodyHasPassed, sendNothing, sendReview, sendSentence, sendUnavailable, TRY_AGAIN } from './replies.ts'

export interface ReviewDependencies {
  readonly gate: Gate
  readonly metrics: Metrics
  readonly log: Logger
  /** For lines that may come again and again. */
  readonly repeating: Log
  readonly limits: ServerLimits
}

/** The decoration that holds when the headers of a request had come, in milliseconds of `performance.now()`. */
export const ARRIVED = 'arrived'

/** Takes a call in, or turns it away before its body is kept. */
export function takeIn ({ name: webhook }: Webhook, { gate, metrics }: ReviewDependencies): onRequestHookHandler {
  return (request, reply, done) => {
    if (gate.closed() !== undefined) {
      countTurnedAway(webhook, metrics)
      onceBodyHasPassed(request, () => { sendUnavailable(reply, TRY_AGAIN) })
      return
    }
    request.setDecorator(ARRIVED, performance.now())
    if (request.headers['content-encoding'] === undefined) done()
    else sendSentence(reply, 415, 'encoded bodies are not accepted; send the review as it is')
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
  readonly dependencies: ReviewDependencies
}

/** Reads a review, waits where it must, and answers it. Without a promise on the way, unless it waits. A review counts as in flight once it is there whole. */
export function reviewHandler (webhook: Webhook, dependencies: ReviewDependencies) {
  const { gate, metrics } = dependencies
  const handle = reviewer(webhook, dependencies)
  return (request: FastifyRequest, reply: FastifyReply): void => {
    if (gate.closed() !== undefined) {
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

/** Answers at once, or promises to once what the review waits for has come. */
function reviewer (webhook: Webhook, dependencies: ReviewDependencies) {
  let waiting = 0
  return (request: FastifyRequest, reply: FastifyReply): Promise<void> | undefined => {
    if (!Buffer.isBuffer(request.body)) {
      sendSentence(reply, 415, 'the content type is missing; send application/json')
      return undefined
    }
    const decoded = decodeReview(request.body)
    if (decoded.kind === 'malformed') {
      dependencies.repeating.info({ webhook: webhook.name, status: 400, why: decoded.sentence }, 'a call was no review')
      sendSentence(reply, 400, decoded.sentence)
      return undefined
    }
    const review = decoded.request
    const started = performance.now()
    const call = { webhook, review, reply, deadline: deadlineOf(timeoutOf(request), request.getDecorator<number>(ARRIVED)), started, dependencies }
    if (!isServed(webhook, review)) answer(call, () => ADMIT, 'unmatched')
    else if (started > call.deadline.answerBy) runOut(call, 'late')
    else if (waiting >= dependencies.limits.waiting) judge(call)
    else {
      const arrival = awaitArrival(webhook, { review, response: reply.raw, budget: call.deadline.answerBy - started })
      if (arrival !== undefined) {
        waiting++
        return arrival.finally(() => { waiting-- }).then((came) => { settle(call, came) }, (error: unknown) => { fail(call, error) })
      }
      judge(call)
    }
    return undefined
  }
}

function timeoutOf ({ query }: FastifyRequest): unknown {
  return (query as Readonly<Record<string, unknown>>)['timeout'] // what Fastify's query string parser yields, without a prototype
}

function isServed ({ resource, registrations }: Webhook, { group, version, kind, subResource, operation }: ReviewRequest): boolean {
  return group === resource.group && version === resource.version && kind === resource.kind && subResource === '' &&
    registrations.some(({ operations }) => operations.some((served) => served === operation))
}

function settle (call: Call, came: Arrival): void {
  if (came === 'arrived') judge(call)
  else runOut(call, came)
}

function judge (call: Call): void {
  answer(call, () => call.webhook.decide(call.review))
}

/** Nothing is sent late. */
function answer (call: Call, decide: () => Verdict, outcome?: Outcome): void {
  let verdict: Verdict
  let review: string
  try {
    verdict = decide()
    review = encodeReview(call.review, verdict)
  } catch (error) {
    fail(call, error)
    return
  }
  if (performance.now() > call.deadline.end) {
    runOut(call, 'late')
    return
  }
  record(call, outcome ?? outcomeOf(verdict), { faults: verdict.kind === 'deny' ? verdict.faults.map(({ code }) => code) : undefined })
  sendReview(call.reply, review)
}

function runOut (call: Call, why: Exclude<Arrival, 'arrived'>): void {
  if (why === 'late') call.dependencies.metrics.deadlineExceeded.inc()
  record(call, 'unavailable', { gone: why === 'gone' })
  if (why === 'gone' || performance.now() > call.deadline.end) sendNothing(call.reply)
  else sendUnavailable(call.reply, 'the time for this review ran out; try again')
}

function fail (call: Call, error: unknown): void {
  record(call, 'error', { error })
  sendSentence(call.reply, 500, 'the review could not be judged because of a defect in this program')
}

function record ({ webhook, review, started, dependencies }: Call, outcome: Outcome, more: Pick<Ending, 'faults' | 'error' | 'gone'> = {}): void {
  recordReview(dependencies, { webhook: webhook.name, review, outcome, ms: performance.now() - started, ...more })
}
