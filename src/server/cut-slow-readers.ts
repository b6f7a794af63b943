import type { ServerResponse } from 'node:http'
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
  readonly bytes: number
}

/** To be told of every answer as it is given, with its bytes. */
export type LeavingAnswers = (response: ServerResponse, bytes: number) => void

/**
 * Cuts off who does not take an answer in its time. All answers that were given and not yet taken share one budget of memory; beyond it the oldest is cut off,
 * which is that of the slowest reader.
 */
export function cutSlowReaders ({ server, limits, clock }: SlowReadersOptions): LeavingAnswers {
  const leaving = new TransientSet<Leaving>()
  let kept = 0
  const forget = (answer: Leaving): void => {
    if (leaving.delete(answer)) kept -= answer.bytes
  }
  const cut = (answer: Leaving): void => {
    forget(answer)
    answer.response.socket?.destroy()
  }
  const sweep = setInterval(() => {
    const now = clock.now()
    for (const answer of [...leaving]) if (now - answer.since >= limits.reading) cut(answer)
  }, limits.sweep)
  sweep.unref()
  server.once('close', () => { clearInterval(sweep) })
  return (response, bytes) => {
    if (response.destroyed) return
    const answer: Leaving = { response, since: clock.now(), bytes, place: NOWHERE }
    leaving.add(answer)
    response.on('close', () => { forget(answer) })
    kept += bytes
    while (kept > limits.leavingBytes) cut(leaving.oldest() ?? answer)
  }
}
