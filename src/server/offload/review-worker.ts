/** The program of a `ReviewThread`. */
import './lower-priority.ts' // first
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { mutateService } from '../../../webhooks/mutate-service.ts'
import { validateService } from '../../../webhooks/validate-service.ts'
import { decodeReview } from '../../admission/decode.ts'
import { encodeReview } from '../../admission/encode.ts'
import type { ReviewRequest } from '../../admission/request.ts'
import { isJsonObject, own, ownObject, type JsonObject } from '../../platform/json.ts'
import { outcomeOf } from '../../telemetry/decision-log.ts'
import type { Judgement, Order, Report, ThreadData } from './review-thread.ts'
import { remoteWorld, type WorldCall } from './world-calls.ts'

const { policy, calls, answered } = workerData as ThreadData // as its thread starts it
const { world, forget } = remoteWorld(ask)
const webhooks = [mutateService(world, policy), validateService(world, policy)]
const reviews = new Map<number, ReviewRequest>()

/** Waits for the other thread. */
function ask (call: WorldCall): unknown {
  Atomics.store(answered, 0, 0)
  calls.postMessage(call)
  Atomics.wait(answered, 0, 0)
  // which was posted before the flag was raised
  return (receiveMessageOnPort(calls) as { readonly message: unknown }).message
}

parentPort?.on('message', (order: Order) => {
  try {
    carryOut(order)
  } catch (error) {
    if (order.kind === 'read') reviews.delete(order.id)
    report({
      kind: 'broken',
      id: order.id,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error)
    })
  }
})

function carryOut (order: Order): void {
  switch (order.kind) {
    case 'read': {
      const decoded = decodeReview(Buffer.concat(order.pieces))
      if (decoded.kind === 'malformed') report({ kind: 'malformed', id: order.id, sentence: decoded.sentence })
      else {
        reviews.set(order.id, decoded.request)
        report({ kind: 'read', id: order.id, request: outlined(decoded.request) })
      }
      break
    }
    case 'judge': {
      const judgement = judged(order)
      const { review } = judgement
      report(
        { kind: 'judged', id: order.id, judgement },
        typeof review === 'string' ? [] : [review.buffer as ArrayBuffer]
      )
      break
    }
    case 'forget': reviews.delete(order.id)
  }
}

function judged ({ id, webhook: name }: { readonly id: number, readonly webhook: string }): Judgement {
  const request = reviews.get(id)
  const webhook = webhooks.find((webhook) => webhook.name === name)
  if (request === undefined || webhook === undefined) throw new Error('there is no such review or webhook')
  forget() // what it was told about the world for another review
  const verdict = webhook.decide(request)
  return {
    outcome: outcomeOf(verdict),
    faults: verdict.kind === 'deny' ? verdict.faults.map(({ code }) => code) : undefined,
    review: new TextEncoder().encode(encodeReview(request, verdict))
  }
}

/** The request with what tells which configuration it waits for, and its name, as all that is left of its objects. */
function outlined ({ object, oldObject, ...request }: ReviewRequest): ReviewRequest {
  return {
    ...request,
    ...(object !== undefined && { object: outline(object) }),
    ...(oldObject !== undefined && { oldObject: outline(oldObject) })
  }
}

function outline (object: JsonObject): JsonObject {
  const metadata = ownObject(object, 'metadata')
  const spec = own(object, 'spec')
  return {
    metadata: Object.fromEntries(OUTLINED_METADATA.map((key) => [key, scalar(own(metadata, key))])),
    spec: isJsonObject(spec) ? { runtimeConfigName: scalar(own(spec, 'runtimeConfigName')) } : scalar(spec)
  }
}

const OUTLINED_METADATA = ['name', 'generateName', 'deletionTimestamp']

/**
 * What is no scalar is nothing that a rule takes for a name or a time, and may be nested deeper than a message between
 * threads can be.
 */
function scalar (value: unknown): unknown {
  return typeof value === 'object' && value !== null ? false : value
}

function report (answer: Report, transferred: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(answer, transferred)
}
