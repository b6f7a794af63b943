import type { Dispatcher } from 'undici'

const TOO_LATE = 'this replica no longer leads'

/**
 * A body whose last byte leaves only where the answer is still yes. Until it has that byte the API server does nothing
 * with a request, so that a process which is stopped for a while on the way does no harm when it goes on: between the
 * answer and the byte there is nothing left to be done.
 */
export async function * heldBack (body: Uint8Array, mayLeave: () => boolean): AsyncGenerator<Uint8Array> {
  yield body.subarray(0, -1)
  if (!mayLeave()) throw new Error(TOO_LATE)
  yield body.subarray(-1)
}

/**
 * Asks once more when a connection is free and nothing has been written to it yet: a request may have waited long for
 * one.
 */
export function lastLook (mayLeave: () => boolean): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => dispatch(options, {
    onRequestStart: (controller, context) => {
      // what is thrown here rejects the request, and leaves the connection as it is
      if (!mayLeave()) throw new Error(TOO_LATE)
      handler.onRequestStart?.(controller, context)
    },
    onResponseStart: (controller, ...head) => { handler.onResponseStart?.(controller, ...head) },
    onResponseData: (controller, chunk) => { handler.onResponseData?.(controller, chunk) },
    onResponseEnd: (controller, trailers) => { handler.onResponseEnd?.(controller, trailers) },
    onResponseError: (controller, error) => { handler.onResponseError?.(controller, error) }
  })
}
