import type { Dispatcher } from 'undici'

/** Asks once more when a connection is free and nothing has been written to it yet: a request may have waited long for one. */
export function lastLook (mayLeave: () => boolean): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => dispatch(options, {
    onRequestStart: (controller, context) => {
      // what is thrown here rejects the request, and leaves the connection as it is
      if (!mayLeave()) throw new Error('this replica no longer leads')
      handler.onRequestStart?.(controller, context)
    },
    onResponseStart: (controller, ...head) => { handler.onResponseStart?.(controller, ...head) },
    onResponseData: (controller, chunk) => { handler.onResponseData?.(controller, chunk) },
    onResponseEnd: (controller, trailers) => { handler.onResponseEnd?.(controller, trailers) },
    onResponseError: (controller, error) => { handler.onResponseError?.(controller, error) }
  })
}
