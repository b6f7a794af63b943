import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import type { Webhook } from '../../webhooks/webhook.ts'
import { decodeReview, UNREAD_REQUEST } from '../admission/decode.ts'
import { judgeInSteps, type ReviewOutcome } from '../admission/judge.ts'
import type { ReviewRequest } from '../admission/request.ts'
import { AIM_SERVICE } from '../api/kinds.ts'
import type { Clock } from '../platform/clock.ts'
import type { ReviewTrace, Tracing } from '../telemetry/tracing.ts'
import { recordReview, type DecisionLog, type ReviewEnd } from '../telemetry/decision-log.ts'
import { configWaiter, deadlineOf, type AbandonReason, type Deadline, type WaitingCall } from './deadline.ts'
import type { AdmissionGate } from './lifecycle.ts'
import type { ServerLimits } from './limits.ts'
import type { LargeReviews, ReadReview } from './offload/large-reviews.ts'
import type { StepQueue } from './overload/step-queue.ts'
import { RequestBody } from './overload/read-body.ts'
import { afterBody, sendError, sendNothing, sendReview, sendUnavailable, TRY_AGAIN } from './replies.ts'

export interface HandlerDependencies extends DecisionLog {
  readonly gate: AdmissionGate
  readonly limits: ServerLimits
  readonly clock: Clock
  /** Judges services from `limits.largeReviewBytes` on; without it, this thread does. */
  readonly large?: LargeReviews | undefined
  /** Undefined: reviews are not traced. */
  readonly tracing?: Tracing | undefined
  /** Runs decisions that may take long. */
  readonly stepQueue: StepQueue
}

/** The decoration of a request that holds its deadline. */
export const DEADLINE = 'deadline'

/** Sheds a request, or admits it before its body is read. */
export function preflight (webhook: Webhook, dependencies: HandlerDependencies): onRequestHookHandler {
  return (request, reply, done) => {
    if (dependencies.gate.shedReason() !== undefined) {
      afterBody(request, () => { shed(webhook, reply, dependencies) })
      return
    }
    const { timeout } = request.query as { readonly timeout?: unknown } // no prototype: `?__proto__=` is data
    request.setDecorator(DEADLINE, deadlineOf(timeout, dependencies.clock.now()))
    if (request.headers['content-encoding'] === undefined) done()
    else sendError(reply, 415, 'encoded bodies are not accepted; send the review without an encoding')
  }
}

/** Handles one review from its body to its response. */
export function reviewHandler (webhook: Webhook, dependencies: HandlerDependencies) {
  const { gate, limits, clock } = dependencies
  const waitForConfig = configWaiter(webhook, { limit: limits.waitingReviews, clock })

  const handle = async (call: Call, body: RequestBody): Promise<void> => {
    const { reply, deadline } = call
    let decoded: ReadReview | undefined
    gate.enter()
    try {
      call.trace.begin('decode')
      const worker = workerFor(call, body)
      decoded = worker === undefined
        ? decodeHere(call, body)
        : await worker.read(body, {
          webhook: webhook.name, abandonReason: () => abandonReasonAt(call, deadline.respondBy)
        })
      if (decoded.kind === 'malformed') { rejectMalformed(call, decoded.message); return }
      if (decoded.kind === 'abandoned') { abandon(call, decoded.reason); return }
      call.review = decoded.request

      call.trace.begin('judge')
      const reason = await waitForConfig(call)
      if (reason !== undefined) { abandon(call, reason); return }

      const judgement = await decoded.judge()
      const reasonAtEnd = abandonReasonAt(call, deadline.end)
      if (reasonAtEnd !== undefined) { abandon(call, reasonAtEnd); return }

      call.trace.begin('respond')
      logEnd(call, judgement.outcome, { faults: judgement.faults })
      sendReview(reply, judgement.response)
    } catch (error) {
      logEnd(call, 'error', { error })
      sendError(reply, 500, 'the review could not be judged because of a defect in this program')
    } finally {
      if (decoded?.kind === 'review') decoded.endTurn?.()
      call.trace.end({ webhook: webhook.name, operation: call.review.operation, uid: call.review.uid })
      gate.leave()
    }
  }

  return (request: FastifyRequest, reply: FastifyReply): void => {
    const { body } = request
    // again: the gate may have closed, or filled, while the body arrived
    if (gate.shedReason() !== undefined) shed(webhook, reply, dependencies)
    else if (!(body instanceof RequestBody)) sendError(reply, 415, 'the content type is missing; send application/json')
    else {
      const deadline = request.getDecorator<Deadline>(DEADLINE)
      const trace = dependencies.tracing?.traceReview(webhook.name, request.headers) ?? UNTRACED
      const call = { webhook, review: UNREAD_REQUEST, reply, deadline, started: clock.now(), dependencies, trace }
      handle(call, body).catch((error: unknown) => { reply.send(error) })
    }
  }
}

interface Call extends WaitingCall {
  readonly webhook: Webhook
  review: ReviewRequest
  /** When the last byte of the body arrived. */
  readonly started: number
  readonly dependencies: HandlerDependencies
  readonly trace: ReviewTrace
}

const UNTRACED: ReviewTrace = { traceId: undefined, begin: () => undefined, end: () => undefined }

/** Only services are judged elsewhere, if they are large. */
function workerFor ({ webhook, dependencies }: Call, { length }: RequestBody): LargeReviews | undefined {
  const { large, limits } = dependencies
  return length >= limits.largeReviewBytes && webhook.resource.kind === AIM_SERVICE.kind ? large : undefined
}

function decodeHere (call: Call, body: RequestBody): ReadReview {
  const { webhook, deadline, dependencies: { stepQueue } } = call
  const isAbandoned = (): boolean => abandonReasonAt(call, deadline.end) !== undefined
  const decoded = decodeReview(body.whole())
  if (decoded.kind !== 'review') return decoded
  const { request } = decoded
  return {
    kind: 'review',
    request,
    judge: () =>
      judgeInSteps(webhook, request, async (steps) => await stepQueue.run(request.namespace, steps, isAbandoned))
  }
}

/** Why a call that must be answered by this moment is abandoned, if it is. */
function abandonReasonAt ({ reply, dependencies }: Call, moment: number): AbandonReason | undefined {
  if (dependencies.clock.now() > moment) return 'timeout'
  return reply.raw.destroyed ? 'disconnected' : undefined
}

function shed ({ name: webhook }: Webhook, reply: FastifyReply, { metrics }: HandlerDependencies): void {
  metrics.requests.inc({ webhook, operation: 'UNKNOWN', outcome: 'unavailable', dry_run: 'false' })
  sendUnavailable(reply, TRY_AGAIN)
}

function rejectMalformed ({ webhook, reply, dependencies }: Call, message: string): void {
  dependencies.limited.info(
    { webhook: webhook.name, status: 400, reason: message },
    'rejected malformed AdmissionReview'
  )
  sendError(reply, 400, message)
}

function abandon (call: Call, reason: AbandonReason): void {
  const { reply, deadline, dependencies: { metrics, clock } } = call
  if (reason === 'timeout') metrics.deadlineExceeded.inc()
  logEnd(call, 'unavailable', { gone: reason === 'disconnected' })
  if (reason === 'disconnected' || clock.now() > deadline.end) sendNothing(reply)
  else sendUnavailable(reply, reason === 'timeout' ? 'the review exceeded its deadline; try again' : TRY_AGAIN)
}

type Details = Pick<ReviewEnd, 'faults' | 'error' | 'gone'>

function logEnd ({ webhook, review, started, dependencies, trace }: Call, outcome: ReviewOutcome, more: Details): void {
  recordReview(dependencies, {
    webhook: webhook.name,
    review,
    outcome,
    ms: dependencies.clock.now() - started,
    traceId: trace.traceId,
    ...more
  })
}
