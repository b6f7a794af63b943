import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:https'
import type { Clock } from '../core/ports.ts'
import type { ServerLimits } from './limits.ts'
import { NOWHERE, TransientSet } from './transient-set.ts'
import type { Transient } from './transient-set.ts'

export interface SlowReadersOptions {
  readonly server: Server
  readonly limits: Pick<ServerLimits, 'reading' | 'leavingBytes' | 'sweep'>
  readonly clock: Clock
}

interface Leaving extends Transient {
  readonly response: ServerResponse
  /** What is kept of it here, in bytes. */
  readonly kept: number
}

/**
 * Cuts off who does not take an answer in its time. All answers that were given and not yet taken share one budget of memory; beyond it the oldest is cut off,
 * which is that of the slowest reader.
 */
export function cutSlowReaders ({ server, limits, clock }: SlowReadersOptions): void {
  const leaving = new TransientSet<Leaving>()
  let kept = 0
  const forget = (answer: Leaving): void => {
    if (leaving.delete(answer)) kept -= answer.kept
  }
  const cut = (answer: Leaving): void => {
    forget(answer)
    answer.response.socket?.destroy()
  }
  server.on('request', (_request: IncomingMessage, response: ServerResponse) => {
    let answer: Leaving | undefined
    response.on('prefinish', () => {
      answer = { response, since: clock.now(), kept: response.writableLength, place: NOWHERE }
      leaving.add(answer)
      kept += answer.kept
      while (kept > limits.leavingBytes) cut(leaving.oldest() ?? answer)
    })
    response.on('close', () => { if (answer !== undefined) forget(answer) })
  })
  const sweep = setInterval(() => {
    const now = clock.now()
    for (const answer of [...leaving]) if (now - answer.since >= limits.reading) cut(answer)
  }, limits.sweep)
  sweep.unref()
  server.once('close', () => { clearInterval(sweep) })
}
