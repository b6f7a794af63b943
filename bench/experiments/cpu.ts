import { closedLoop, openConnections, type LoadConnection } from '../support/load.ts'
import type { MeasuredServer } from '../support/measured-server.ts'
import { requestsOf } from '../support/objects.ts'
import {
  startControllerRuntime, startFloors, startProduct, type BenchProduct, type Population
} from '../support/product.ts'
import type { Bench, Figure } from '../support/report.ts'
import { median, medianRatio } from '../support/statistics.ts'

export const KIB = 1_024
export const MUTATE = '/mutate/aimservices'
const VALIDATE = '/validate/aimservices'

/** CPU of a 3 KB mutating review: the product and both floors, in turns. */
export async function mutatingFigures (bench: Bench): Promise<Figure[]> {
  return await withServers(bench, { configs: bench.effort.configs, services: 0 }, async (servers) =>
    await compared(bench, servers, {
      title: 'mutating CREATE, 3 KB', path: MUTATE, bytes: 3 * KIB, targets: [1.3, 1.5]
    }))
}

/** CPU of mutating reviews beside a webhook of controller-runtime, in turns. */
export async function controllerRuntimeFigures (bench: Bench): Promise<Figure[]> {
  const { workplace, program, effort: { configs, rounds, reviews } } = bench
  const product = await startProduct({ workplace, program, configs, services: 0 })
  const other = await startControllerRuntime(workplace)
  const figures: Figure[] = []
  for (const [title, bytes, target] of [['3 KB', 3 * KIB, 0.3], ['100 KB', 100 * KIB, undefined]] as const) {
    const requests = requestsOf({ path: MUTATE, bytes, configs })
    const contenders = [product, other].map((server) => ({ server, requests }))
    const count = Math.round(reviews * 3 * KIB / bytes)
    const [own = [], theirs = []] = await cpuPerReview(contenders, { ca: workplace.ca, rounds, reviews: count })
    figures.push(
      { name: `mutating CREATE, ${title}: product`, value: median(own), unit: 'µs' },
      { name: `mutating CREATE, ${title}: controller-runtime`, value: median(theirs), unit: 'µs' },
      {
        name: `mutating CREATE, ${title}: product / controller-runtime`,
        value: medianRatio(own, theirs),
        unit: '×',
        ...(target !== undefined && { target })
      }
    )
  }
  await Promise.all([product.stop(), other.stop()])
  return figures
}

/** CPU of large mutating reviews. */
export async function sizesFigures (bench: Bench): Promise<Figure[]> {
  return await withServers(bench, { configs: bench.effort.configs, services: 0 }, async (servers) => {
    const update = async (title: string, bytes: number, limit?: number): Promise<Figure[]> =>
      await compared(bench, servers, { title, path: MUTATE, bytes, operation: 'UPDATE', targets: [undefined, limit] })
    return [
      ...await update('mutating UPDATE, 100 KB', 100 * KIB, 1),
      ...await update('mutating UPDATE, 1 MB', KIB * KIB, 1),
      ...await update('mutating UPDATE, 7 MiB', 7 * KIB * KIB)
    ]
  })
}

/** CPU of validating reviews, with all stored services in the path index. */
export async function validatingFigures (bench: Bench): Promise<Figure[]> {
  const { configs, services } = bench.effort
  return await withServers(bench, { configs, services }, async (servers) => [
    ...await compared(bench, servers, {
      title: 'validating CREATE, 3 KB', path: VALIDATE, bytes: 3 * KIB, targets: [1.3, undefined]
    }),
    ...await compared(bench, servers, {
      title: 'validating UPDATE, 100 KB', path: VALIDATE, bytes: 100 * KIB, operation: 'UPDATE', targets: [undefined, 1]
    })
  ])
}

/** Growth of the CPU of a review with the population: a small and a large one, in turns. */
export async function growthFigures (bench: Bench): Promise<Figure[]> {
  const { configs, services } = bench.effort
  return [
    await growth(bench, {
      title: `mutating, 10 to ${configs} configurations`,
      path: MUTATE,
      small: { configs: 10, services: 0 },
      large: { configs, services: 0 }
    }),
    await growth(bench, {
      title: `validating, 1 to ${services} services`,
      path: VALIDATE,
      small: { configs: 10, services: 1 },
      large: { configs: 10, services }
    })
  ]
}

export interface Servers {
  readonly product: BenchProduct
  readonly https: MeasuredServer
  readonly fastify: MeasuredServer
}

/** Runs an experiment over the product and both floors, and stops them. */
export async function withServers (
  bench: Bench, population: Population, measure: (servers: Servers) => Promise<Figure[]>
): Promise<Figure[]> {
  const product = await startProduct({ ...bench, ...population })
  const servers = { product, ...await startFloors(bench.workplace, bench.nodeFlags) }
  try {
    return await measure(servers)
  } finally {
    await Promise.all(Object.values(servers).map(async (server: MeasuredServer) => { await server.stop() }))
  }
}

interface Comparison {
  readonly title: string
  readonly path: string
  readonly bytes: number
  readonly operation?: 'CREATE' | 'UPDATE'
  /** Upper limits, as multiples of Fastify and of node:https. */
  readonly targets: readonly [number | undefined, number | undefined]
}

async function compared (bench: Bench, servers: Servers, comparison: Comparison): Promise<Figure[]> {
  const { workplace: { ca }, effort } = bench
  const { title, bytes, targets } = comparison
  const requests = requestsOf({ ...comparison, configs: effort.configs })
  const reviews = Math.max(8, Math.round(effort.reviews * Math.min(1, 6 * KIB / bytes)))
  const contenders = [servers.product, servers.https, servers.fastify].map((server) => ({ server, requests }))
  const [own = [], https = [], fastify = []] = await cpuPerReview(contenders, { ca, rounds: effort.rounds, reviews })
  return [
    { name: `${title}: product`, value: median(own), unit: 'µs' },
    { name: `${title}: node:https`, value: median(https), unit: 'µs' },
    { name: `${title}: Fastify`, value: median(fastify), unit: 'µs' },
    { name: `${title}: product / Fastify`, value: medianRatio(own, fastify), unit: '×', target: targets[0] },
    { name: `${title}: product / node:https`, value: medianRatio(own, https), unit: '×', target: targets[1] }
  ]
}

interface Growth {
  readonly title: string
  readonly path: string
  readonly small: Population
  readonly large: Population
}

async function growth (bench: Bench, { title, path, small, large }: Growth): Promise<Figure> {
  const { workplace, program, effort: { rounds, reviews } } = bench
  const contenders: Contender[] = []
  for (const population of [small, large]) {
    const server = await startProduct({ workplace, program, ...population })
    contenders.push({ server, requests: requestsOf({ path, bytes: 3 * KIB, configs: population.configs }) })
  }
  const [few = [], many = []] = await cpuPerReview(contenders, { ca: workplace.ca, rounds, reviews })
  await Promise.all(contenders.map(async ({ server }) => { await server.stop() }))
  return { name: `growth of CPU per review: ${title}`, value: medianRatio(many, few), unit: '×', target: 1.1 }
}

/** A server and the requests that it receives. */
interface Contender { readonly server: MeasuredServer, readonly requests: readonly Buffer[] }

interface CpuRounds {
  readonly ca: string
  readonly rounds: number
  /** Reviews per server and round. */
  readonly reviews: number
}

interface Lane extends Contender { readonly costs: number[], connections: readonly LoadConnection[] }

/** Keeps the server busy without a growing queue. */
const CONNECTIONS = 8
/** Length of the warm-up in rounds: V8 compiles on the same core meanwhile. */
const WARM_UP = 5

/**
 * CPU per review in microseconds: for each server, one value per round. The servers take turns, so that disturbances
 * affect all alike. A first round warms up and does not count.
 */
async function cpuPerReview (contenders: readonly Contender[], cpuRounds: CpuRounds): Promise<number[][]> {
  const { ca, rounds, reviews } = cpuRounds
  const lanes = contenders.map((contender): Lane => ({ ...contender, costs: [], connections: [] }))
  for (let round = 0; round <= rounds; round++) {
    for (const lane of lanes) {
      // Opened late: the product closes idle connections.
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
