import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:https'
import type { Clock } from '../core/ports.ts'
import type { ServerLimits } from './limits.ts'

export interface SlowReadersOptions {
  readonly server: Server
  readonly limits: Pick<ServerLimits, 'reading' | 'leavingBytes' | 'sweep'>
  readonly clock: Clock
}

interface Leaving {
  readonly since: number
  /** What is kept of it here, in bytes. */
  readonly kept: number
}

/**
 * Cuts off who does not take an answer in its time. All answers that were given and not yet taken share one budget of memory; beyond it the oldest is cut off,
 * which is that of the slowest reader.
 */
export function cutSlowReaders ({ server, limits, clock }: SlowReadersOptions): void {
  const leaving = new Map<ServerResponse, Leaving>() // the oldest first
  let kept = 0
  const forget = (response: ServerResponse): void => {
    kept -= leaving.get(response)?.kept ?? 0
    leaving.delete(response)
  }
  const cutOldest = (isMeant: (oldest: Leaving) => boolean): void => {
    for (const [response, oldest] of leaving) {
      if (!isMeant(oldest)) return
      forget(response)
      response.socket?.destroy()
    }
  }
  server.on('request', (_request: IncomingMessage, response: ServerResponse) => {
    response.once('prefinish', () => {
      const answer = { since: clock.now(), kept: response.writableLength }
      leaving.set(response, answer)
      kept += answer.kept
      if (kept > limits.leavingBytes) cutOldest(() => kept > limits.leavingBytes)
    })
    response.once('close', () => { forget(response) })
  })
  const sweep = setInterval(() => {
    const now = clock.now()
    cutOldest(({ since }) => now - since >= limits.reading)
  }, limits.sweep)
  sweep.unref()
  server.once('close', () => { clearInterval(sweep) })
}
