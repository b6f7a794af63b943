/**
 * `npm run bench:scale -- --measured FILE`: what a roll-out takes in clusters that cannot be had here. FILE holds lines
 * of `npm run bench:rollout`: the smallest and the largest calibrate the model, and all are compared with it, so that
 * what is said of larger clusters is said by a model that was checked.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

/** What `bench:rollout` prints in one line. */
interface MeasuredRollout {
  readonly services: number
  readonly statusesSeconds: number
  readonly cpuSeconds: Readonly<Record<string, number>>
  readonly userApplies: { readonly busy: number }
}

/** CPU that carrying a change to one service takes, in milliseconds, by program. */
interface Cost { readonly apiServer: number, readonly serve: number, readonly reconcile: number }

/** Where the programs run, and what the reconciler is told. */
interface Setting {
  readonly title: string
  /** Cores of the API server with its etcd, of each `serve`, and of each reconciler; undefined where all share two. */
  readonly cores: { readonly apiServer: number, readonly serve: number, readonly reconcile: number } | undefined
  /** Reconcilers that share the services, each with a Lease, connections and a rate of its own. */
  readonly shards: number
  /** Writes of one reconciler that are on their way at once. */
  readonly connections: number
  /** Services a second of one reconciler. */
  readonly rate: number
  /** What a write takes beside CPU, in milliseconds: network, and etcd's disk. */
  readonly latency: number
}

const SHARED: Setting = {
  title: 'two cores for all, as measured',
  cores: undefined,
  shards: 1,
  connections: 2,
  rate: 150,
  latency: 0
}
const OWN = { apiServer: 8, serve: 2, reconcile: 1 }
const SETTINGS: readonly Setting[] = [
  SHARED,
  { ...SHARED, title: 'API server of 8 cores, etcd on a disk of its own, defaults', cores: OWN, latency: 5 },
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
/** Of the reconciler, for one service: one that has admission see it anew, and its status. */
const WRITES = 2
/** Of the API server's CPU for a service, that of the write that runs admission; the rest is that of its status. */
const ADMITTED = 0.6

/**
 * The CPU of one service: what was measured, less what users' applies took, which cost as much as half a service each.
 */
function costOf ({ services, cpuSeconds, userApplies }: MeasuredRollout): Cost {
  const units = services + userApplies.busy / WRITES
  const per = (seconds: number): number => seconds * 1_000 / units
  const { etcd = 0, 'kube-apiserver': api = 0, serve = 0, reconcile = 0, load = 0 } = renamed(cpuSeconds)
  return { apiServer: per(api + etcd + load), serve: per(serve), reconcile: per(reconcile) }
}

/**
 * At any size: the cost grows with the logarithm of the number of services, through the smallest and the largest that
 * were measured.
 */
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

/** A place where work waits for a free core. */
class Station {
  readonly #freeAt: number[]

  constructor (cores: number) {
    this.#freeAt = Array.from({ length: cores }, () => 0)
  }

  /** When work that comes then, and takes so long, is done; in milliseconds. */
  serve (from: number, takes: number): number {
    const first = this.#freeAt.reduce((best, free, at) => free < (this.#freeAt[best] ?? Infinity) ? at : best, 0)
    const done = Math.max(from, this.#freeAt[first] ?? 0) + takes
    this.#freeAt[first] = done
    return done
  }
}

/**
 * Seconds until every service and every status has a change: each service is readmitted when its turn in the pacing has
 * come, and its status is written afterwards, over connections that carry one write at a time. Service times are spread
 * exponentially, from a seed.
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
    // whoever is earliest goes on first, so that work comes to the stations in the order of time
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

/** Numbers from 0 to 1, the same for the same seed. Source: mulberry32. */
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
if (file === undefined) throw new Error('give --measured FILE, with lines of `npm run bench:rollout`')
const lines = readFileSync(file, 'utf8').split('\n').filter((line) => line.startsWith('{'))
const runs = lines.map((line) => JSON.parse(line) as MeasuredRollout) // as bench:rollout writes it
const sorted = runs.toSorted((a, b) => a.services - b.services)
const [smallest, largest] = [sorted[0], sorted.at(-1)]
if (smallest === undefined || largest === undefined) throw new Error(`${file} holds no line of bench:rollout`)
const cost = (services: number): Cost => costAt(services, [smallest, largest])
const print = (line: string): void => { process.stdout.write(`${line}\n`) }
print(
  '| services | CPU of one, ms: API server with etcd | serve | reconcile | measured | model | model / measured |\n|---|---|---|---|---|---|---|'
)
for (const run of sorted) {
  const { services, statusesSeconds } = run
  const { apiServer, serve, reconcile } = costOf(run)
  const model = simulated(services, cost(services), SHARED)
  const costs = [apiServer, serve, reconcile].map((ms) => ms.toFixed(1))
  print(
    `| ${[services, ...costs, shown(statusesSeconds), shown(model), (model / statusesSeconds).toFixed(2)].join(' | ')} |`
  )
}
print(`\n| | ${SIZES.join(' | ')} |\n|---|${SIZES.map(() => '---|').join('')}`)
for (const setting of SETTINGS) { print(`| ${setting.title} | ${SIZES.map((size) => shown(simulated(size, cost(size), setting))).join(' | ')} |`) }
