/**
 * A process that attacks as ordered over IPC, and reports the number of open sockets. It has a low priority: real
 * attackers take no CPU time from the load beside them.
 */
import { constants, setPriority } from 'node:os'
import { aReview } from '../builders/a-review.ts'
import { attack, type Attack } from './hostile-sockets.ts'

/** Its response repeats the pull secrets in base64, which exceeds the buffers of a connection. */
const imagePullSecrets = Array.from({ length: 27_000 }, (_, at) => ({ name: `${at}-${'x'.repeat(200)}` }))
const LARGE_REVIEW = aReview({
  object: {
    metadata: { namespace: 'ml-team', name: 'large' },
    spec: { model: { ref: 'meta-llama-3-8b' }, imagePullSecrets }
  }
})

/** An attack without the review, which only this process needs. */
export type Order = Omit<Attack, 'largeReview'>

setPriority(constants.priority.PRIORITY_LOW)
process.on('message', (order: Order) => {
  attack({ ...order, largeReview: LARGE_REVIEW }).then(
    (sockets) => process.send?.(sockets.length),
    (error: unknown) => { throw error }
  )
})
