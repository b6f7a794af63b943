/**
 * A process that attacks as it is told by its IPC channel; it says when all sockets are open. Attackers have machines
 * of their own: what so many sockets take here is not to be taken from the load beside it.
 */
import { constants, setPriority } from 'node:os'
import { aReview } from '../builders/a-review.ts'
import { attack } from './hostile-sockets.ts'
import type { Attack } from './hostile-sockets.ts'

/** Answered with its pull secrets as they came, in base64: more than the buffers of a connection hold. */
const imagePullSecrets = Array.from({ length: 27_000 }, (_, at) => ({ name: `${at}-${'x'.repeat(200)}` }))
const LARGE_REVIEW = aReview({
  object: {
    metadata: { namespace: 'ml-team', name: 'large' },
    spec: { model: { ref: 'meta-llama-3-8b' }, imagePullSecrets }
  }
})

/** All of an attack but what only this process need know. */
export type Order = Omit<Attack, 'largeReview'>

setPriority(constants.priority.PRIORITY_LOW)
process.on('message', (order: Order) => {
  attack({ ...order, largeReview: LARGE_REVIEW }).then(
    (sockets) => process.send?.(sockets.length),
    (error: unknown) => { throw error }
  )
})
