import type { AdmissionGate } from './admission-gate.ts'
import type { Clock } from '../../platform/clock.ts'

/** How long a server that is about to end still answers, in milliseconds. */
export interface DrainTimes {
  /** At least this long: until then callers may not have heard that it is not ready, and open new connections. */
  readonly min: number
  /** And until no review has come, or is being judged, for this long. */
  readonly quiet: number
}

/** Beyond it the server ends even while reviews still come, in milliseconds. */
const MAX_DRAIN_MS = 20_000
const LOOK_MS = 50

/**
 * From now on readiness fails, and each reply closes its connection. Resolves once nobody asks any more; until then
 * reviews are answered as ever.
 */
export async function drain (gate: AdmissionGate, { min, quiet }: DrainTimes, clock: Clock): Promise<void> {
  gate.drain()
  const started = clock.now()
  let [taken, since] = [gate.admitted, started]
  for (;;) {
    const now = clock.now()
    const busy = gate.inFlight > 0
    if (gate.admitted !== taken || busy) [taken, since] = [gate.admitted, now]
    if (now - started >= MAX_DRAIN_MS || (now - started >= min && !busy && now - since >= quiet)) return
    await pause(LOOK_MS, clock)
  }
}

async function pause (ms: number, clock: Clock): Promise<void> {
  await new Promise<void>((resolve) => { clock.setTimeout(ms, resolve) })
}
