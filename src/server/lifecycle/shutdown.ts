import type { Clock } from '../../platform/clock.ts'
import type { AdmissionApp } from '../app.ts'
import type { AdmissionGate } from './admission-gate.ts'

/** How long a draining server still responds, in milliseconds. */
export interface DrainTimes {
  /** Minimum: clients learn only after a while that this server is not ready. */
  readonly min: number
  /** Drain ends once no review has arrived or been in flight for this long. */
  readonly quiet: number
}

/** Drain ends after this time even if reviews still arrive, in milliseconds. */
const MAX_DRAIN_MS = 20_000
const DRAIN_POLL_MS = 50

/** Fails readiness, closes each connection with its next response, and resolves once reviews have ceased. */
export async function drain (gate: AdmissionGate, { min, quiet }: DrainTimes, clock: Clock): Promise<void> {
  gate.drain()
  const started = clock.now()
  let [admitted, since] = [gate.admitted, started]
  for (;;) {
    const now = clock.now()
    const busy = gate.inFlight > 0
    if (gate.admitted !== admitted || busy) [admitted, since] = [gate.admitted, now]
    if (now - started >= MAX_DRAIN_MS || (now - started >= min && !busy && now - since >= quiet)) return
    await sleep(DRAIN_POLL_MS, clock)
  }
}

/** Time for clients to receive their last responses and close their connections, in milliseconds. */
const CLOSE_MS = 2_000
const CLOSE_POLL_MS = 20

/** Sheds all requests, lets clients close their connections, then stops listening. */
export async function shutdownGracefully (server: AdmissionApp, gate: AdmissionGate, clock: Clock): Promise<void> {
  const { app, connections } = server
  gate.close()
  connections.closeIdleWith503()
  const started = clock.now()
  while (connections.open > 0 && clock.now() - started < CLOSE_MS) await sleep(CLOSE_POLL_MS, clock)
  const closed = app.close()
  connections.closeAll()
  await closed
}

async function sleep (ms: number, clock: Clock): Promise<void> {
  await new Promise<void>((resolve) => { clock.setTimeout(ms, resolve) })
}
