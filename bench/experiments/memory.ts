import { setTimeout as delay } from 'node:timers/promises'
import { closedLoop, openConnections } from '../support/load.ts'
import { requestsOf } from '../support/objects.ts'
import { startProduct, type BenchProduct, type Population } from '../support/product.ts'
import type { Bench, Figure } from '../support/report.ts'
import { KIB, MUTATE } from './cpu.ts'

/** Time in milliseconds after which a server has returned memory that it needed for a burst. */
const SETTLE_MS = 3_000
const CONNECTIONS = 32

/** Resident memory of `serve` and `reconcile`, and their time to readiness. */
export async function memoryFigures (bench: Bench): Promise<Figure[]> {
  const { configs, services } = bench.effort
  const both = { configs, services }
  return [
    ...await memoryOf(bench, { title: 'serve, idle', population: { configs: 0, services: 0 }, target: 110 }),
    ...await memoryOf(bench, {
      title: `serve, ${configs} configurations`,
      population: { configs, services: 0 },
      target: 130,
      readyTarget: 2_000,
      andThen: async (product) => await afterReviews(product, bench)
    }),
    ...await memoryOf(bench, {
      title: `serve, ${services} services`, population: { configs: 10, services }, target: 250, readyTarget: 15_000
    }),
    ...await memoryOf(bench, {
      title: `reconcile, ${services} services and ${configs} configurations`,
      population: both,
      command: 'reconcile',
      target: 300
    })
  ]
}

interface Measurement {
  readonly title: string
  readonly population: Population
  readonly command?: 'reconcile'
  /** Upper limit of resident memory in MiB. */
  readonly target: number
  /** Upper limit of the time to readiness in milliseconds. */
  readonly readyTarget?: number
  readonly andThen?: (product: BenchProduct) => Promise<Figure[]>
}

async function memoryOf ({ workplace, program }: Bench, measurement: Measurement): Promise<Figure[]> {
  const { title, population, command = 'serve', target, readyTarget, andThen } = measurement
  const product = await startProduct({ workplace, program, ...population, command })
  await delay(SETTLE_MS)
  const figures = [
    { name: `resident, ${title}`, value: product.resident(), unit: 'MiB', target },
    { name: `start to ready, ${title}`, value: product.readyAfter, unit: 'ms', target: readyTarget },
    ...await andThen?.(product) ?? []
  ]
  await product.stop()
  return figures
}

async function afterReviews (product: BenchProduct, { workplace: { ca }, effort }: Bench): Promise<Figure[]> {
  const { configs, manyReviews } = effort
  const requests = requestsOf({ path: MUTATE, bytes: 3 * KIB, configs })
  const connections = await openConnections({ url: product.url, ca }, CONNECTIONS)
  const warm = Math.round(manyReviews / 10)
  await closedLoop(connections, requests, warm)
  await delay(SETTLE_MS)
  const before = product.resident()
  await closedLoop(connections, requests, manyReviews)
  for (const connection of connections) connection.close()
  await delay(SETTLE_MS)
  const gained = product.resident() - before
  return [
    { name: `resident, serve, after ${warm} reviews`, value: before, unit: 'MiB' },
    { name: `resident, serve, gained by ${manyReviews} more reviews`, value: gained, unit: 'MiB', target: 5 }
  ]
}
