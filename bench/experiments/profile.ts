import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { closedLoop, openConnections } from '../support/load.ts'
import { ROOT, startServer } from '../support/measured-server.ts'
import { requestsOf } from '../support/objects.ts'
import { floorArgs, startProduct } from '../support/product.ts'
import type { Bench } from '../support/report.ts'
import { KIB, MUTATE } from './cpu.ts'

const CONNECTIONS = 8
/** Number of functions to print. */
const TOP = 40

interface Frame { readonly functionName: string, readonly url: string, readonly lineNumber: number }

interface Profile {
  readonly nodes: ReadonlyArray<{ readonly id: number, readonly callFrame: Frame }>
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/**
 * Puts the product and bare Fastify under load, and writes a CPU profile of each for the DevTools of a browser.
 * Returns the functions with the most self time.
 */
export async function profiled (bench: Bench): Promise<string> {
  const { workplace, program, effort: { configs, reviews } } = bench
  const dir = path.join(ROOT, 'bench/results/profiles')
  mkdirSync(dir, { recursive: true })
  const flags = (name: string): string[] => ['--cpu-prof', `--cpu-prof-dir=${path.join(dir, name)}`]
  const servers = {
    product: await startProduct({ workplace, program: [...flags('product'), ...program], configs, services: 0 }),
    fastify: await startServer({ name: 'Fastify', args: [...flags('fastify'), ...floorArgs('fastify', workplace)] })
  }
  const requests = requestsOf({ path: MUTATE, bytes: 3 * KIB, configs })
  const tables: string[] = []
  for (const [name, server] of Object.entries(servers)) {
    const connections = await openConnections({ url: server.url, ca: workplace.ca }, CONNECTIONS)
    await closedLoop(connections, requests, 5 * reviews)
    for (const connection of connections) connection.close()
    await server.stop()
    tables.push(topOf(path.join(dir, name), 5 * reviews))
  }
  return tables.join('\n')
}

/** Functions of the newest profile in a folder by self time, in microseconds per review. */
function topOf (dir: string, reviews: number): string {
  const file = path.join(dir, readdirSync(dir).filter((name) => name.endsWith('.cpuprofile')).toSorted().at(-1) ?? '')
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8')) as Profile // written by Node
  const titles = new Map(nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) =>
    [id, `${functionName || '(anonymous)'} ${url.replace(`file://${ROOT}/`, '')}${url === '' ? '' : `:${lineNumber + 1}`}`]))
  const spent = new Map<string, number>()
  for (const [at, id] of samples.entries()) {
    const title = titles.get(id) ?? ''
    spent.set(title, (spent.get(title) ?? 0) + (timeDeltas[at] ?? 0))
  }
  const rows = [...spent].toSorted(([, a], [, b]) => b - a).slice(0, TOP)
    .map(([title, time]) => `${(time / reviews).toFixed(2).padStart(9)}  ${title}`)
  return `${file}\n µs/review  function\n${rows.join('\n')}\n`
}
