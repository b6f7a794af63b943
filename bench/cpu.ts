import { closedLoop, openConnections, type LoadConnection } from './load.ts'
import type { MeasuredServer } from './measured-server.ts'
import { median } from './statistics.ts'

/** One server and what it is sent. */
export interface Contender { readonly server: MeasuredServer, readonly requests: readonly Buffer[] }

export interface CpuRounds {
  readonly ca: string
  readonly rounds: number
  /** Reviews of one server in one round. */
  readonly reviews: number
}

interface Lane extends Contender { readonly costs: number[], connections: readonly LoadConnection[] }

/** Enough that the server is never idle, and few enough that its queue does not grow. */
const CONNECTIONS = 8

/** Rounds in one before the first that counts: until then V8 compiles, on the same core. */
const WARM_UP = 5

/**
 * CPU per review in microseconds, in each round; the servers take turns, so that what disturbs the machine disturbs
 * all. The first round only warms up.
 */
export async function cpuPerReview (contenders: readonly Contender[], { ca, rounds, reviews }: CpuRounds): Promise<number[][]> {
  const lanes = contenders.map((contender): Lane => ({ ...contender, costs: [], connections: [] }))
  for (let round = 0; round <= rounds; round++) {
    for (const lane of lanes) {
      // the product soon closes one that sends nothing
      if (round === 0) lane.connections = await openConnections({ url: lane.server.url, ca }, CONNECTIONS)
      const { server, requests, costs, connections } = lane
      const before = server.cpu()
      await closedLoop(connections, requests, round === 0 ? WARM_UP * reviews : reviews)
      if (round > 0) costs.push((server.cpu() - before) / reviews)
    }
  }
  for (const { connections } of lanes) for (const connection of connections) connection.close()
  return lanes.map(({ costs }) => costs)
}

/** The median over the rounds of how many times as much the first costs as the second. */
export function medianRatio (costs: readonly number[], floor: readonly number[]): number {
  return median(costs.map((cost, round) => cost / (floor[round] ?? NaN)))
}
