/** A process that sends reviews at a fixed rate, as ordered over IPC. */
import { reviewLoad, type ReviewLoad, type RunningLoad } from './review-load.ts'

/** Starts a load, or requests its results since the last request, or ends it. */
export type LoadOrder = ReviewLoad | 'take' | 'end'

let load: RunningLoad | undefined
process.on('message', (order: LoadOrder) => {
  if (order === 'take') process.send?.(load?.take())
  else if (order === 'end') {
    load?.end().then((results) => process.send?.(results), (error: unknown) => { throw error })
  } else load = reviewLoad(order)
})
