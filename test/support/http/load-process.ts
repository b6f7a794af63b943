/** A process that sends reviews at a fixed rate, as it is told by its IPC channel. */
import { reviewLoad, type ReviewLoad, type RunningLoad } from './review-load.ts'

/** A load that begins; or what was answered since it was last asked, or in the end, is to be sent. */
export type LoadOrder = ReviewLoad | 'take' | 'end'

let load: RunningLoad | undefined
process.on('message', (order: LoadOrder) => {
  if (order === 'take') process.send?.(load?.take())
  else if (order === 'end') load?.end().then((answered) => process.send?.(answered), (error: unknown) => { throw error })
  else load = reviewLoad(order)
})
