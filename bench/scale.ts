/**
 * `npm run bench:scale -- --measured FILE`: estimates rollouts in large clusters by a simulation. FILE holds lines of
 * `npm run bench:rollout`: the smallest and the largest calibrate the model, and all are compared with it.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

/** Last line of `bench:rollout`. */
interface MeasuredRollout {
  readonly services: number
  readonly statusesSeconds: number
  readonly cpuSeconds: Readonly<Record<string, number>>
  readonly userApplies: { readonly busy: number }
}

/** CPU of rolling out one service in milliseconds, by program. */
interface Cost { readonly apiServer: number, readonly serve: number, readonly reconcile: number }

/** Machines of the programs, and settings of the reconciler. */
interface Setting {
  readonly title: string
  /** Cores of the API server with etcd, of `serve`, and of each reconciler; undefined if all share two cores. */
  readonly cores: { readonly apiServer: number, readonly serve: number, readonly reconcile: number } | undefined
  /** Reconcilers that share the services; each has its own Lease, connections, and rate. */
  readonly shards: number
  /** In-flight writes of one reconciler. */
  readonly connections: number
  /** Services per second of one reconciler. */
  readonly rate: number
  /** Latency of a write without CPU, in milliseconds: network and the disk of etcd. */
  readonly latency: number
}

const SHARED: Setting = {
  title: 'two shared cores, as measured',
  cores: undefined,
  shards: 1,
  connections: 2,
  rate: 150,
  latency: 0
}
const OWN = { apiServer: 8, serve: 2, reconcile: 1 }
const SETTINGS: readonly Setting[] = [
  SHARED,
  { ...SHARED, title: 'API server with 8 cores, etcd on a separate disk, defaults', cores: OWN, latency: 5 },
  { ...SHARED, title: 'the same, --rollout-rate 500', cores: OWN, latency: 5, rate: 500 },
  {
    ...SHARED,
    title: 'the same, --rollout-rate 500, 8 connections',
    cores: OWN,
    latency: 5,
    rate: 500,
    connections: 8
  },
  {
    ...SHARED,
    title: 'the same, 4 shards',
    cores: { ...OWN, reconcile: 4 },
    latency: 5,
    rate: 500,
    connections: 8,
    shards: 4
  }
]
const SIZES = [1_000, 10_000, 100_000, 1_000_000]
/** Writes of the reconciler per service: one triggers admission, one writes the status. */
const WRITES = 2
/** Share of the API server's CPU that the write with admission takes; the status takes the rest. */
const ADMITTED = 0.6

/** Measured CPU of one service. An apply of a user counts as half a service. */
function costOf ({ services, cpuSeconds, userApplies }: MeasuredRollout): Cost {
  const units = services + userApplies.busy / WRITES
  const per = (seconds: number): number => seconds * 1_000 / units
  const { etcd = 0, 'kube-apiserver': api = 0, serve = 0, reconcile = 0, load = 0 } = renamed(cpuSeconds)
  return { apiServer: per(api + etcd + load), serve: per(serve), reconcile: per(reconcile) }
}

/** Cost at any size: linear in the logarithm of the number of services, through the smallest and largest runs. */
function costAt (services: number, [smallest, largest]: readonly [MeasuredRollout, MeasuredRollout]): Cost {
  const [low, high] = [costOf(smallest), costOf(largest)]
  const span = Math.log10(largest.services / smallest.services)
  const share = span === 0 ? 0 : Math.log10(services / smallest.services) / span
  const between = (program: keyof Cost): number => low[program] + share * (high[program] - low[program])
  return { apiServer: between('apiServer'), serve: between('serve'), reconcile: between('reconcile') }
}

function renamed (cpu: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(cpu).map(([name, seconds]) => [name.endsWith('main.ts') ? 'serve' : name, seconds])
  )
}

/** A queue that several cores serve. */
class Station {
  readonly #freeAt: number[]

  constructor (cores: number) { this.#freeAt = Array.from({ length: cores }, () => 0) }

  /** Completion time of work that arrives at `from` and takes `takes` milliseconds. */
  serve (from: number, takes: number): number {
    const first = this.#freeAt.reduce((best, free, at) => free < (this.#freeAt[best] ?? Infinity) ? at : best, 0)
    const done = Math.max(from, this.#freeAt[first] ?? 0) + takes
    this.#freeAt[first] = done
    return done
  }
}

/**
 * Seconds until every block and every status has a change. The rate limit releases services; each is admitted again and
 * its status written, over connections with one write at a time. Service times are exponential, from a fixed seed.
 */
function simulated (services: number, cost: Cost, setting: Setting): number {
  const random = randomFrom(services)
  const shared = new Station(2)
  const { cores, shards } = setting
  const apiServer = cores === undefined ? shared : new Station(cores.apiServer)
  const serve = cores === undefined ? shared : new Station(cores.serve)
  const reconcile = cores === undefined ? shared : new Station(cores.reconcile)
  const steps: ReadonlyArray<(now: number) => number> = [
    (now) => reconcile.serve(now, exponential(random, cost.reconcile / WRITES)),
    (now) => apiServer.serve(now, exponential(random, cost.apiServer * ADMITTED)),
    (now) => serve.serve(now, exponential(random, cost.serve)) + setting.latency,
    (now) => reconcile.serve(now, exponential(random, cost.reconcile / WRITES)),
    (now) => apiServer.serve(now, exponential(random, cost.apiServer * (1 - ADMITTED))) + setting.latency
  ]
  const connections = Array.from({ length: setting.connections * shards }, () => ({ now: 0, step: steps.length }))
  for (let [begun, end] = [0, 0]; ;) {
    // The earliest connection is next, so that work arrives at the stations in order of time.
    const connection = connections.reduce((first, other) => other.now < first.now ? other : first)
    if (connection.now === Infinity) return end / 1_000
    if (connection.step < steps.length) {
      connection.now = steps[connection.step]?.(connection.now) ?? 0
      connection.step++
      end = Math.max(end, connection.now)
    } else if (begun < services) {
      connection.now = Math.max(connection.now, begun++ * 1_000 / (setting.rate * shards))
      connection.step = 0
    } else connection.now = Infinity
  }
}

function exponential (random: () => number, mean: number): number {
  return -Math.log(1 - random()) * mean
}

/** Pseudo-random numbers from 0 to 1. Source: mulberry32. */
function randomFrom (seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6D2B79F5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function shown (seconds: number): string {
  return seconds < 300 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`
}

const { values: { measured: file } } = parseArgs({ options: { measured: { type: 'string' } } })
if (file === undefined) throw new Error('--measured FILE is required: lines of `npm run bench:rollout`')
const lines = readFileSync(file, 'utf8').split('\n').filter((line) => line.startsWith('{'))
const runs = lines.map((line) => JSON.parse(line) as MeasuredRollout) // written by bench:rollout
const sorted = runs.toSorted((a, b) => a.services - b.services)
const [smallest, largest] = [sorted[0], sorted.at(-1)]
if (smallest === undefined || largest === undefined) throw new Error(`${file} has no line of bench:rollout`)
const cost = (services: number): Cost => costAt(services, [smallest, largest])
const print = (line: string): void => { process.stdout.write(`${line}\n`) }
const COLUMNS = [
  'services', 'CPU of one, ms: API server with etcd', 'serve', 'reconcile', 'measured', 'model', 'model / measured'
]
print(`| ${COLUMNS.join(' | ')} |`)
print('|---|---|---|---|---|---|---|')
for (const run of sorted) {
  const { services, statusesSeconds } = run
  const { apiServer, serve, reconcile } = costOf(run)
  const model = simulated(services, cost(services), SHARED)
  const costs = [apiServer, serve, reconcile].map((ms) => ms.toFixed(1))
  const times = [shown(statusesSeconds), shown(model), (model / statusesSeconds).toFixed(2)]
  print(`| ${[services, ...costs, ...times].join(' | ')} |`)
}
print(`\n| | ${SIZES.join(' | ')} |\n|---|${SIZES.map(() => '---|').join('')}`)
for (const setting of SETTINGS) {
  const cells = SIZES.map((size) => shown(simulated(size, cost(size), setting)))
  print(`| ${[setting.title, ...cells].join(' | ')} |`)
}
