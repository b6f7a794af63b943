import type { ServerResponse } from 'node:http'
import type { Webhook } from '../../webhooks/webhook.ts'
import type { ReviewRequest } from '../admission/request.ts'
import type { Clock } from '../platform/clock.ts'

/** What came first: what the review waits for, the end of its time, or the end of its connection. */
export type WaitResult = 'arrived' | 'late' | 'gone'

export interface Waiter {
  readonly review: ReviewRequest
  readonly response: ServerResponse
  /** Longest wait, in milliseconds. */
  readonly budget: number
  readonly clock: Clock
}

/**
 * Waits for what a review needs and is on its way; undefined where there is nothing to wait for. Rejects where the
 * webhook does.
 */
export function waitForConfig ({ waitForConfig: waitOf }: Webhook, { review, response, budget, clock }: Waiter): Promise<WaitResult> | undefined {
  if (waitOf === undefined) return undefined
  let leaving: AbortController | undefined // few reviews wait
  const arrival = waitOf(review, () => (leaving ??= new AbortController()).signal)
  if (arrival === undefined) return undefined
  const left = Promise.withResolvers<WaitResult>()
  const cancel = clock.setTimeout(budget, () => { left.resolve('late') })
  const onClose = () => { left.resolve('gone') }
  response.once('close', onClose)
  return Promise.race([arrival.then(() => 'arrived' as const), left.promise]).finally(() => {
    cancel()
    response.off('close', onClose)
    leaving?.abort()
  })
}
