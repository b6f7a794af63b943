import type { FastifyReply } from 'fastify'
import type { Webhook } from '../../webhooks/webhook.ts'
import { serves } from '../admission/judge.ts'
import type { ReviewRequest } from '../admission/request.ts'
import { parseDuration, type Clock } from '../platform/clock.ts'

/** How long the API server waits for one response, in milliseconds of the server's clock. */
export interface Deadline {
  /** The last moment for a 503: earlier than `end`, since the API server rounds the remaining time up to a second. */
  readonly respondBy: number
  /** Nothing is sent afterwards. */
  readonly end: number
}

/** Source: admissionregistration.k8s.io/v1, timeoutSeconds. */
const DEFAULT_TIMEOUT_MS = 10_000
const MAX_TIMEOUT_MS = 30_000
/** Share of the timeout that waiting may take. The rest covers the rounding, a busy event loop, and the way back. */
const WAITING_SHARE = 0.7

/** The deadline by the query parameter `timeout` (`10s`, `1500ms`, `1m`); an invalid value counts as absent. */
export function deadlineOf (timeout: unknown, arrived: number): Deadline {
  const given = typeof timeout === 'string' ? parseDuration(timeout) : 0
  const allowed = given > 0 ? Math.min(given, MAX_TIMEOUT_MS) : DEFAULT_TIMEOUT_MS
  return { respondBy: arrived + WAITING_SHARE * allowed, end: arrived + allowed }
}

/** Why a review gets no judgement: its deadline passed, its client disconnected, or too many large reviews wait. */
export type AbandonReason = 'timeout' | 'disconnected' | 'overloaded'

/** A review on its way, as far as waiting concerns it. */
export interface WaitingCall {
  readonly review: ReviewRequest
  readonly reply: FastifyReply
  readonly deadline: Deadline
}

/**
 * Waits until a configuration that is about to arrive is there. Returns why the review is abandoned, if it is. At most
 * `limit` reviews of the webhook wait; further reviews are judged by what is known.
 */
export function configWaiter (webhook: Webhook, { limit, clock }: { readonly limit: number, readonly clock: Clock }) {
  let waiting = 0
  return async ({ review, reply, deadline }: WaitingCall): Promise<AbandonReason | undefined> => {
    if (!serves(webhook, review)) return undefined
    const budget = deadline.respondBy - clock.now()
    if (budget < 0) return 'timeout'
    if (waiting >= limit) return undefined
    let end: AbortController | undefined // few reviews wait
    const arrived = webhook.waitForConfig?.(review, () => (end ??= new AbortController()).signal)
    if (arrived === undefined) return undefined
    const abandoned = Promise.withResolvers<AbandonReason>()
    const cancel = clock.setTimeout(budget, () => { abandoned.resolve('timeout') })
    const onClose = (): void => { abandoned.resolve('disconnected') }
    reply.raw.once('close', onClose)
    waiting++
    try {
      return await Promise.race([arrived.then(() => undefined), abandoned.promise])
    } finally {
      waiting--
      cancel()
      reply.raw.off('close', onClose)
      end?.abort()
    }
  }
}
