/**
 * A process that sends reviews at a fixed rate, as it is told by its IPC channel. With small young objects' space and one thread, so that its own collections,
 * which would be taken for the server's, are short.
 */
import { reviewLoad } from './review-load.ts'
import type { ReviewLoad, RunningLoad } from './review-load.ts'

/** What Node runs it with. */
export const LOAD_FLAGS = ['--single-threaded-gc', '--max-semi-space-size=1'] as const

/** A load that begins; or what was answered since it was last asked, or in the end, is to be sent. */
export type LoadOrder = ReviewLoad | 'take' | 'end'

let load: RunningLoad | undefined
process.on('message', (order: LoadOrder) => {
  if (order === 'take') process.send?.(load?.take())
  else if (order === 'end') load?.end().then((answered) => process.send?.(answered), (error: unknown) => { throw error })
  else load = reviewLoad(order)
})
