import type { Server } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { pause, type Clock } from '../platform/clock.ts'
import { SERVER_LIMITS } from './limits.ts'
import type { Connections } from './overload/connections.ts'

/** Whether reviews are admitted to this server, and how many are on their way. */
export class AdmissionGate {
  readonly #sourceNotReady: () => string | undefined
  readonly #maxInFlight: number
  #inFlight = 0
  #entered = 0
  #draining = false
  #closed = false

  /** `notReady`: why the caches or certificates are not ready; undefined if they are. */
  constructor (notReady: () => string | undefined, maxInFlight = SERVER_LIMITS.reviews) {
    this.#sourceNotReady = notReady
    this.#maxInFlight = maxInFlight
  }

  get draining (): boolean { return this.#draining }
  /** Complete reviews without a response. Incomplete bodies do not count, so slow clients take no place. */
  get inFlight (): number { return this.#inFlight }
  /** Reviews since the start. */
  get entered (): number { return this.#entered }

  /** Why a request is shed; undefined if it is admitted. */
  shedReason (): string | undefined {
    if (this.#closed) return SHUTTING_DOWN
    return this.#sourceNotReady() ?? (this.#inFlight >= this.#maxInFlight ? 'the server is overloaded' : undefined)
  }

  /** Why `/readyz` fails; undefined if it succeeds. */
  notReadyReason (): string | undefined {
    return this.#draining ? SHUTTING_DOWN : this.#sourceNotReady()
  }

  enter (): void {
    this.#inFlight++
    this.#entered++
  }

  leave (): void { this.#inFlight-- }

  /** Fails readiness and closes connections with their next response; reviews are still judged. */
  drain (): void { this.#draining = true }

  /** Sheds all requests. */
  close (): void { this.#closed = true }
}

const SHUTTING_DOWN = 'the server is shutting down'

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
  let [entered, since] = [gate.entered, started]
  for (;;) {
    const now = clock.now()
    const busy = gate.inFlight > 0
    if (gate.entered !== entered || busy) [entered, since] = [gate.entered, now]
    if (now - started >= MAX_DRAIN_MS || (now - started >= min && !busy && now - since >= quiet)) return
    await pause(clock, DRAIN_POLL_MS)
  }
}

/** Time for clients to receive their last responses and close their connections, in milliseconds. */
const CLOSE_MS = 2_000
const CLOSE_POLL_MS = 20

export interface AdmissionApp { readonly app: FastifyInstance<Server>, readonly connections: Connections }

/** Sheds all requests, lets clients close their connections, then stops listening. */
export async function shutdownGracefully (server: AdmissionApp, gate: AdmissionGate, clock: Clock): Promise<void> {
  const { app, connections } = server
  gate.close()
  connections.closeIdleWith503()
  const started = clock.now()
  while (connections.open > 0 && clock.now() - started < CLOSE_MS) await pause(clock, CLOSE_POLL_MS)
  const closed = app.close()
  connections.closeAll()
  await closed
}
