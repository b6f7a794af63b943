import { setTimeout as delay } from 'node:timers/promises'
import { cpuPerReview, medianRatio, type Contender } from './cpu.ts'
import { closedLoop, openConnections, openLoop, requestOf } from './load.ts'
import type { MeasuredServer } from './measured-server.ts'
import { startFloors, startProduct, type BenchProduct, type Population, type Workplace } from './product.ts'
import { reviewOfSize } from './reviews.ts'
import { median, percentile } from './statistics.ts'

/** What a run is asked for. */
export interface Effort {
  readonly rounds: number
  /** Reviews of 3 KB in one round of one server. */
  readonly reviews: number
  /** Length of a window of latency, in seconds, and how many of one kind there are. */
  readonly window: number
  readonly windows: number
  /** Reviews before the last look at the memory. */
  readonly manyReviews: number
  /** The most objects that the caches are filled with. */
  readonly configs: number
  readonly services: number
}

export interface Bench {
  readonly workplace: Workplace
  /** What Node runs as the product, flags of its own included. */
  readonly program: readonly string[]
  /** Of the floors. */
  readonly nodeFlags: readonly string[]
  readonly effort: Effort
}

/** One measured figure. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly target?: number | undefined
}

const KIB = 1_024
/** Reviews that differ, so that no cache of one is what is measured. */
const VARIETY = 500
/** Services of the load have numbers from here on, so that they are none of those stored. */
const FRESH = 1_000_000

/** CPU per mutating review of the usual size, the product and the two floors in turns. */
export async function mutatingFigures (bench: Bench): Promise<Figure[]> {
  return await withServers(bench, { configs: bench.effort.configs, services: 0 }, async (servers) =>
    await compared(bench, servers, { title: 'mutating CREATE, 3 KB', path: MUTATE, bytes: 3 * KIB, targets: [1.3, 1.5] }))
}

/** The same of larger reviews. */
export async function sizesFigures (bench: Bench): Promise<Figure[]> {
  return await withServers(bench, { configs: bench.effort.configs, services: 0 }, async (servers) => [
    ...(await compared(bench, servers, {
      title: 'mutating UPDATE, 100 KB',
      path: MUTATE,
      bytes: 100 * KIB,
      operation: 'UPDATE',
      targets: [undefined, 1]
    })),
    ...(await compared(bench, servers, {
      title: 'mutating UPDATE, 1 MB',
      path: MUTATE,
      bytes: KIB * KIB,
      operation: 'UPDATE',
      targets: [undefined, 1]
    })),
    ...(await compared(bench, servers, {
      title: 'mutating UPDATE, 7 MiB',
      path: MUTATE,
      bytes: 7 * KIB * KIB,
      operation: 'UPDATE',
      targets: [undefined, undefined]
    }))
  ])
}

/** CPU per validating review, with every stored service in the path index. */
export async function validatingFigures (bench: Bench): Promise<Figure[]> {
  const { configs, services } = bench.effort
  return await withServers(bench, { configs, services }, async (servers) => [
    ...(await compared(bench, servers, {
      title: 'validating CREATE, 3 KB',
      path: VALIDATE,
      bytes: 3 * KIB,
      targets: [1.3, undefined]
    })),
    ...(await compared(bench, servers, {
      title: 'validating UPDATE, 100 KB',
      path: VALIDATE,
      bytes: 100 * KIB,
      operation: 'UPDATE',
      targets: [undefined, 1]
    }))
  ])
}

/** How the CPU per review grows with what is known: the small and the large population in turns. */
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

/** Latency at fixed rates, and what a stream of changed configurations and the largest review do to it. */
export async function latencyFigures (bench: Bench): Promise<Figure[]> {
  const { workplace: { ca }, effort: { configs, window, windows } } = bench
  return await withServers(bench, { configs, services: 0 }, async ({ product, https, fastify }) => {
    const requests = requestsOf({ path: MUTATE, bytes: 3 * KIB, configs })
    const lanes: Lane[] = [
      { title: 'product', server: product },
      {
        title: 'product while configurations stream',
        server: product,
        meanwhile: async (stopped) => { await stream(product, configs, stopped) }
      },
      {
        title: 'product beside reviews of 7 MiB',
        server: product,
        meanwhile: async (stopped) => { await disturb(product, { ca, configs, stopped }) }
      },
      { title: 'node:https', server: https },
      { title: 'Fastify', server: fastify },
      {
        title: 'Fastify while the product, on the same core, takes that stream',
        server: fastify,
        meanwhile: async (stopped) => { await stream(product, configs, stopped) }
      },
      {
        title: 'Fastify beside reviews of 7 MiB',
        server: fastify,
        meanwhile: async (stopped) => { await disturb(fastify, { ca, configs, stopped }) }
      }
    ]
    for (const { url } of [product, https, fastify]) {
      const connections = await openConnections({ url, ca }, OPEN_CONNECTIONS)
      await closedLoop(connections, requests, WARM_UP)
      for (const connection of connections) connection.close()
    }
    const figures: Figure[] = []
    for (const rate of [500, 2_000]) {
      const seen = new Map<string, number[][]>()
      for (let at = 0; at < windows; at++) {
        for (const lane of lanes) { seen.set(lane.title, [...(seen.get(lane.title) ?? []), await latencies(lane, { ca, rate, window, requests })]) }
      }
      for (const [title, found] of seen) figures.push(...percentilesOf(`${title}, ${rate}/s`, found))
    }
    return figures
  })
}

/** Resident memory of the two programs, and how long they take until they are ready. */
export async function memoryFigures ({ workplace, program, effort }: Bench): Promise<Figure[]> {
  const { configs, services, manyReviews } = effort
  const figures: Figure[] = []
  const look = async (title: string, population: Population, more: { command?: 'reconcile', target: number, readyTarget?: number, then?: (product: BenchProduct) => Promise<Figure[]> }): Promise<void> => {
    const product = await startProduct({
      workplace,
      program,
      ...population,
      ...(more.command !== undefined && { command: more.command })
    })
    await delay(SETTLE_MS)
    figures.push({ name: `resident, ${title}`, value: product.resident(), unit: 'MiB', target: more.target })
    figures.push({ name: `start to ready, ${title}`, value: product.readyAfter, unit: 'ms', target: more.readyTarget })
    figures.push(...await more.then?.(product) ?? [])
    await product.stop()
  }
  await look('serve, idle', { configs: 0, services: 0 }, { target: 110 })
  await look(`serve, ${configs} configurations`, { configs, services: 0 }, {
    target: 130,
    readyTarget: 2_000,
    then: async (product) => await afterReviews(product, { ca: workplace.ca, configs, count: manyReviews })
  })
  await look(`serve, ${services} services`, { configs: 10, services }, { target: 250, readyTarget: 15_000 })
  await look(
    `reconcile, ${services} services and ${configs} configurations`,
    { configs, services },
    { command: 'reconcile', target: 300 }
  )
  return figures
}

const MUTATE = '/mutate/aimservices'
const VALIDATE = '/validate/aimservices'
/** A server that has just become ready gives back what it needed for that, in milliseconds. */
const SETTLE_MS = 3_000

interface Servers { readonly product: BenchProduct, readonly https: MeasuredServer, readonly fastify: MeasuredServer }

async function withServers (bench: Bench, population: Population, measure: (servers: Servers) => Promise<Figure[]>): Promise<Figure[]> {
  const servers = {
    product: await startProduct({ ...bench, ...population }),
    ...(await startFloors(bench.workplace, bench.nodeFlags))
  }
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
  /** The most that is wished for, as a multiple of Fastify and of node:https. */
  readonly targets: readonly [number | undefined, number | undefined]
}

async function compared ({ workplace: { ca }, effort }: Bench, { product, https, fastify }: Servers, comparison: Comparison): Promise<Figure[]> {
  const { title, bytes, targets } = comparison
  const requests = requestsOf({ ...comparison, configs: effort.configs })
  const reviews = Math.max(8, Math.round(effort.reviews * Math.min(1, 6 * KIB / bytes)))
  const costs = await cpuPerReview(
    [product, https, fastify].map((server) => ({ server, requests })),
    { ca, rounds: effort.rounds, reviews }
  )
  const [own = [], bare = [], floor = []] = costs
  return [
    { name: `${title}: product`, value: median(own), unit: 'µs' },
    { name: `${title}: node:https`, value: median(bare), unit: 'µs' },
    { name: `${title}: Fastify`, value: median(floor), unit: 'µs' },
    { name: `${title}: product / Fastify`, value: medianRatio(own, floor), unit: '×', target: targets[0] },
    { name: `${title}: product / node:https`, value: medianRatio(own, bare), unit: '×', target: targets[1] }
  ]
}

interface Growth {
  readonly title: string
  readonly path: string
  readonly small: Population
  readonly large: Population
}

async function growth ({ workplace, program, effort: { rounds, reviews } }: Bench, { title, path, small, large }: Growth): Promise<Figure> {
  const contenders: Contender[] = []
  for (const population of [small, large]) {
    const server = await startProduct({ workplace, program, ...population })
    contenders.push({ server, requests: requestsOf({ path, bytes: 3 * KIB, configs: population.configs }) })
  }
  const [few = [], many = []] = await cpuPerReview(contenders, { ca: workplace.ca, rounds, reviews })
  await Promise.all(contenders.map(async ({ server }) => { await server.stop() }))
  return { name: `growth of CPU per review: ${title}`, value: medianRatio(many, few), unit: '×', target: 1.1 }
}

interface RequestShape {
  readonly path: string
  readonly bytes: number
  readonly operation?: 'CREATE' | 'UPDATE'
  readonly configs: number
}

/** Requests that differ in namespace, configuration and name; of large ones fewer. */
export function requestsOf ({ path, bytes, operation = 'CREATE', configs }: RequestShape): Buffer[] {
  const count = Math.max(4, Math.min(VARIETY, Math.round(3 * KIB * VARIETY / bytes)))
  return Array.from({ length: count }, (_, at) =>
    requestOf(path, reviewOfSize(bytes, { at: FRESH + at * 7, configs, withBlock: path === VALIDATE || operation === 'UPDATE' }, operation)))
}

interface Lane {
  readonly title: string
  readonly server: MeasuredServer
  readonly meanwhile?: (stopped: AbortSignal) => Promise<void>
}

/** Kept open at once; a review that finds none of them free waits, as it would in the API server. */
const OPEN_CONNECTIONS = 32

/** Reviews of each server before its first window: until then V8 compiles, on the same core. */
const WARM_UP = 30_000

interface Window {
  readonly ca: string
  readonly rate: number
  readonly window: number
  readonly requests: readonly Buffer[]
}

async function latencies ({ server: { url }, meanwhile }: Lane, { ca, rate, window, requests }: Window): Promise<number[]> {
  const connections = await openConnections({ url, ca }, OPEN_CONNECTIONS)
  await closedLoop(connections, requests, 1_000)
  const over = new AbortController()
  const beside = meanwhile?.(over.signal)
  const found = await openLoop({ connections, requests, rate, seconds: window })
  over.abort()
  await beside
  for (const connection of connections) connection.close()
  return found
}

function percentilesOf (title: string, windows: readonly number[][]): Figure[] {
  const point = (name: string, share: number): Figure => ({
    name: `${title}: ${name}`,
    value: median(windows.map((found) => percentile(found, share))),
    unit: 'ms'
  })
  return [point('median', 0.5), point('p99', 0.99), point('p99.9', 0.999), point('longest', 1)]
}

/** So many configurations change a second while a stream runs. */
const CHANGES_PER_SECOND = 800

async function stream (product: BenchProduct, configs: number, stopped: AbortSignal): Promise<void> {
  const started = performance.now()
  for (let at = 0; !stopped.aborted; at++) {
    while (performance.now() < started + at * 1_000 / CHANGES_PER_SECOND) await delay(1)
    await product.change(at % configs, 1 + at)
  }
}

/** One of the largest reviews after another, with a pause as long as ten others at the lowest rate take. */
async function disturb ({ url }: MeasuredServer, { ca, configs, stopped }: { ca: string, configs: number, stopped: AbortSignal }): Promise<void> {
  const [request = Buffer.alloc(0)] = requestsOf({ path: MUTATE, bytes: 7 * KIB * KIB, operation: 'UPDATE', configs })
  const [connection] = await openConnections({ url, ca }, 1)
  while (!stopped.aborted) {
    await connection?.send(request)
    await delay(1_000)
  }
  connection?.close()
}

async function afterReviews (product: BenchProduct, { ca, configs, count }: { ca: string, configs: number, count: number }): Promise<Figure[]> {
  const requests = requestsOf({ path: MUTATE, bytes: 3 * KIB, configs })
  const connections = await openConnections({ url: product.url, ca }, OPEN_CONNECTIONS)
  const warm = Math.round(count / 10)
  await closedLoop(connections, requests, warm)
  await delay(SETTLE_MS)
  const before = product.resident()
  await closedLoop(connections, requests, count)
  for (const connection of connections) connection.close()
  await delay(SETTLE_MS)
  return [
    { name: `resident, serve, after ${warm} reviews`, value: before, unit: 'MiB' },
    {
      name: `resident, serve, gained by ${count} more reviews`,
      value: product.resident() - before,
      unit: 'MiB',
      target: 5
    }
  ]
}
