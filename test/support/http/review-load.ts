import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { aReview } from '../builders/a-review.ts'

export interface ReviewLoad {
  readonly url: string
  /** PEM; without it, any certificate is accepted. */
  readonly ca?: string
  /** Reviews per second. */
  readonly rate: number
}

export interface ReviewsAnswered {
  /** The reviews sent, and the status or error of each that failed. */
  readonly sent: number
  readonly failed: readonly string[]
  /** Milliseconds since each review was due, shortest first: a stall is not hidden. */
  readonly latencies: readonly number[]
}

export interface RunningLoad {
  /** The results since the last call. */
  readonly take: () => ReviewsAnswered
  /** The same, after all responses. */
  readonly end: () => Promise<ReviewsAnswered>
}

/** Sends reviews at a fixed rate on keep-alive connections, as API servers do, until `end`. */
export function reviewLoad ({ url, ca, rate }: ReviewLoad): RunningLoad {
  const pool = new Pool(url, { connections: 4, connect: ca === undefined ? { rejectUnauthorized: false } : { ca } })
  let failed: string[] = []
  let latencies: number[] = []
  const sent = new Set<Promise<void>>()
  const ending = new AbortController()
  const send = async (due: number): Promise<void> => {
    const call = pool.request({
      method: 'POST',
      path: '/mutate/aimservices?timeout=5s',
      headers: { 'content-type': 'application/json' },
      body: aReview()
    })
    const fault = await call.then(async ({ statusCode, body }) => {
      const answer = await body.text()
      return statusCode === 200 && answer.includes('"allowed":true') ? undefined : `${statusCode} ${answer}`
    }).catch(String)
    latencies.push(performance.now() - due)
    if (fault !== undefined) failed.push(fault)
  }
  const run = async (): Promise<void> => {
    for (let due = performance.now(); !ending.signal.aborted; due += 1_000 / rate) {
      await delay(Math.max(0, due - performance.now()))
      const sending = send(due).finally(() => { sent.delete(sending) })
      sent.add(sending)
    }
  }
  const take = (): ReviewsAnswered => {
    const taken = { sent: latencies.length, failed, latencies: latencies.sort((a, b) => a - b) }
    ;[failed, latencies] = [[], []]
    return taken
  }
  const running = run()
  return {
    take,
    end: async () => {
      ending.abort()
      await running
      await Promise.all(sent)
      await pool.close()
      return take()
    }
  }
}
