import type { Dispatcher } from 'undici'

/** Whether this process may still write: true while it is the leader. Synchronous, and cheap. */
export type Fencing = () => boolean

const FENCED = 'request not sent: this replica is no longer the leader'

/**
 * A body whose last byte is sent only while `fencing` holds. The API server does not act on an incomplete request, so a
 * process that was suspended halfway through a request cannot write after its lease has expired.
 */
export async function * fencedBody (body: Uint8Array, fencing: Fencing): AsyncGenerator<Uint8Array> {
  yield body.subarray(0, -1)
  if (!fencing()) throw new Error(FENCED)
  yield body.subarray(-1)
}

/** Checks `fencing` again once a connection is free, before the first byte: the wait for a connection may be long. */
export function fencedDispatch (fencing: Fencing): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => dispatch(options, {
    onRequestStart: (controller, context) => {
      if (!fencing()) throw new Error(FENCED) // rejects the request and keeps the connection
      handler.onRequestStart?.(controller, context)
    },
    onResponseStart: (controller, ...head) => { handler.onResponseStart?.(controller, ...head) },
    onResponseData: (controller, chunk) => { handler.onResponseData?.(controller, chunk) },
    onResponseEnd: (controller, trailers) => { handler.onResponseEnd?.(controller, trailers) },
    onResponseError: (controller, error) => { handler.onResponseError?.(controller, error) }
  })
}
