import { setTimeout as delay } from 'node:timers/promises'
import { closedLoop, openConnections, openLoop } from '../support/load.ts'
import type { MeasuredServer } from '../support/measured-server.ts'
import { requestsOf } from '../support/objects.ts'
import type { BenchProduct } from '../support/product.ts'
import type { Bench, Figure } from '../support/report.ts'
import { median, percentile } from '../support/statistics.ts'
import { KIB, MUTATE, withServers, type Servers } from './cpu.ts'

/** Requests per second. */
const RATES = [500, 2_000]
/** Open connections; a review waits if none is free, as in the API server. */
const CONNECTIONS = 32
/** Reviews per server before its first window: V8 compiles on the same core meanwhile. */
const WARM_UP = 30_000
/** Changed configurations per second during a stream. */
const CHANGES_PER_SECOND = 800

/** Latency at fixed rates: quiet, during a stream of configuration changes, and beside the largest reviews. */
export async function latencyFigures (bench: Bench): Promise<Figure[]> {
  const { workplace: { ca }, effort: { configs, window, windows } } = bench
  return await withServers(bench, { configs, services: 0 }, async (servers) => {
    const requests = requestsOf({ path: MUTATE, bytes: 3 * KIB, configs })
    const lanes = lanesOf(servers, { ca, configs })
    for (const { url } of Object.values(servers) as MeasuredServer[]) {
      const connections = await openConnections({ url, ca }, CONNECTIONS)
      await closedLoop(connections, requests, WARM_UP)
      for (const connection of connections) connection.close()
    }
    const figures: Figure[] = []
    for (const rate of RATES) {
      const measured = lanes.map(({ title }): { title: string, found: number[][] } => ({ title, found: [] }))
      for (let at = 0; at < windows; at++) {
        for (const [index, lane] of lanes.entries()) {
          measured[index]?.found.push(await latencies(lane, { ca, rate, window, requests }))
        }
      }
      figures.push(...measured.flatMap(({ title, found }) => percentilesOf(`${title}, ${rate}/s`, found)))
    }
    return figures
  })
}

interface Lane {
  readonly title: string
  readonly server: MeasuredServer
  /** Disturbance during the window. */
  readonly meanwhile?: (stopped: AbortSignal) => Promise<void>
}

function lanesOf ({ product, https, fastify }: Servers, { ca, configs }: { ca: string, configs: number }): Lane[] {
  const stream = async (stopped: AbortSignal): Promise<void> => { await changeConfigs(product, configs, stopped) }
  const beside = (server: MeasuredServer) => async (stopped: AbortSignal) => {
    await sendLargest(server, { ca, configs, stopped })
  }
  return [
    { title: 'product', server: product },
    { title: 'product while configurations stream', server: product, meanwhile: stream },
    { title: 'product beside reviews of 7 MiB', server: product, meanwhile: beside(product) },
    { title: 'node:https', server: https },
    { title: 'Fastify', server: fastify },
    { title: 'Fastify while the product receives that stream on the same core', server: fastify, meanwhile: stream },
    { title: 'Fastify beside reviews of 7 MiB', server: fastify, meanwhile: beside(fastify) }
  ]
}

interface Window {
  readonly ca: string
  readonly rate: number
  /** In seconds. */
  readonly window: number
  readonly requests: readonly Buffer[]
}

async function latencies (
  { server: { url }, meanwhile }: Lane, { ca, rate, window, requests }: Window
): Promise<number[]> {
  const connections = await openConnections({ url, ca }, CONNECTIONS)
  await closedLoop(connections, requests, 1_000)
  const over = new AbortController()
  const disturbance = meanwhile?.(over.signal)
  const found = await openLoop({ connections, requests, rate, seconds: window })
  over.abort()
  await disturbance
  for (const connection of connections) connection.close()
  return found
}

function percentilesOf (title: string, windows: readonly number[][]): Figure[] {
  const point = (name: string, share: number): Figure => (
    { name: `${title}: ${name}`, value: median(windows.map((found) => percentile(found, share))), unit: 'ms' })
  return [point('median', 0.5), point('p99', 0.99), point('p99.9', 0.999), point('longest', 1)]
}

async function changeConfigs (product: BenchProduct, configs: number, stopped: AbortSignal): Promise<void> {
  const started = performance.now()
  for (let at = 0; !stopped.aborted; at++) {
    while (performance.now() < started + at * 1_000 / CHANGES_PER_SECOND) await delay(1)
    await product.change(at % configs, 1 + at)
  }
}

/** Sends one of the largest reviews per second. */
async function sendLargest (
  { url }: MeasuredServer, { ca, configs, stopped }: { ca: string, configs: number, stopped: AbortSignal }
): Promise<void> {
  const [request = Buffer.alloc(0)] = requestsOf({ path: MUTATE, bytes: 7 * KIB * KIB, operation: 'UPDATE', configs })
  const [connection] = await openConnections({ url, ca }, 1)
  while (!stopped.aborted) {
    await connection?.send(request)
    await delay(1_000)
  }
  connection?.close()
}
