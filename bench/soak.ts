/**
 * `npm run soak`: mixed load with occasional faults; exits with 1 if the product grows or fails.
 * `npm run soak -- --help` prints the flags.
 */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { parseArgs } from 'node:util'
import { closedLoop, openConnections, openLoop, requestOf } from './support/load.ts'
import { leaveServerCore } from './support/measured-server.ts'
import { requestsOf } from './support/objects.ts'
import { aWorkplace, startProduct, type BenchProduct } from './support/product.ts'
import type { SelfReport } from './support/self-report.ts'
import { percentile, slope } from './support/statistics.ts'

const HELP = `npm run soak -- [flags]
  --minutes N      duration (2)
  --rate N         reviews per second (200)
  --fault-every N  seconds between faults (20; 60 suits long runs)
  --configs N      runtime configurations (2000)
  --program FILE   file that Node runs (src/main.ts)
`

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '2' },
    rate: { type: 'string', default: '200' },
    'fault-every': { type: 'string', default: '20' },
    configs: { type: 'string', default: '2000' },
    program: { type: 'string', default: 'src/main.ts' },
    help: { type: 'boolean', default: false }
  }
})
const [MINUTES, RATE, FAULT_EVERY, CONFIGS] = [
  Number(flags.minutes),
  Number(flags.rate),
  Number(flags['fault-every']),
  Number(flags.configs)
]

/** Seconds of load between two samples. */
const WINDOW = 5
const CONNECTIONS = 16
/** Share of the run without checks: pools fill and V8 compiles. */
const SETTLING = 0.4
/**
 * Limits of growth: heap in MiB per hour, and noise over the run in MiB; handles, descriptors and connections in all.
 */
const HEAP_GROWTH = { perHour: 1, noise: 2 }
const COUNT_GROWTH = 4

/** State of the process after the load of a window. */
interface Sample extends SelfReport { readonly hours: number, readonly resident: number, readonly descriptors: number }

interface Target {
  readonly product: BenchProduct
  readonly ca: string
  /** File of the product's self-report. */
  readonly reportFile: string
}

const FAULTS: Readonly<Record<string, (target: Target) => Promise<void>>> = {
  'configurations change': async ({ product }) => {
    for (let at = 0; at < 500; at++) await product.change(at % CONFIGS, Date.now())
  },
  'connections reset in the middle of a review': async (target) => {
    await hostile(target, 50, (socket) => {
      socket.write(requestOf('/mutate/aimservices', '{"kind":'.repeat(500)).subarray(0, 300))
    })
  },
  'silent sockets': async (target) => { await hostile(target, 100, () => undefined) },
  'bodies that are not reviews': async (target) => {
    await hostile(target, 50, (socket) => {
      for (const body of ['{', '[]', '{"a":1}', '\u0000']) socket.write(requestOf('/mutate/aimservices', body))
    })
  },
  'bytes that are not HTTP': async (target) => {
    await hostile(target, 50, (socket) => { socket.write('\u0000\u0001 garbage\r\n\r\n') })
  }
}

/** Opens `count` connections, acts on each, and resets them. */
async function hostile (target: Target, count: number, act: (socket: TLSSocket) => void): Promise<void> {
  const { product: { url }, ca } = target
  await Promise.all(Array.from({ length: count }, async () => {
    const socket = connect({ host: url.hostname, port: Number(url.port), ca })
    socket.on('error', () => {}) // expected on a hostile socket
    socket.resume()
    await once(socket, 'secureConnect')
    act(socket)
    await delay(500)
    socket.destroy()
  }))
}

async function sample ({ product, reportFile }: Target, hours: number): Promise<Sample> {
  await rm(reportFile, { force: true })
  process.kill(product.pid, 'SIGUSR2')
  while (!existsSync(reportFile)) await delay(10)
  const report = JSON.parse(await readFile(reportFile, 'utf8')) as SelfReport // written by self-report.ts
  return { hours, resident: product.resident(), descriptors: product.descriptors(), ...report }
}

async function soak (target: Target): Promise<{ samples: Sample[], latencies: number[], failures: string[] }> {
  const { product: { url }, ca } = target
  const mixed = [
    requestsOf({ path: '/mutate/aimservices', bytes: 3_072, configs: CONFIGS }),
    requestsOf({ path: '/validate/aimservices', bytes: 3_072, configs: CONFIGS }),
    requestsOf({ path: '/mutate/aimservices', bytes: 100 * 1_024, operation: 'UPDATE', configs: CONFIGS })
  ]
  const requests = Array.from({ length: 300 }, (_, at) => mixed[at % 20 === 0 ? 2 : at % 2] ?? []).flatMap(
    (kind, at) => kind[at % kind.length] ?? []
  )
  const connections = await openConnections({ url, ca }, CONNECTIONS)
  const [samples, latencies, failures]: [Sample[], number[], string[]] = [[], [], []]
  const faults = Object.entries(FAULTS)
  const started = performance.now()
  for (let window = 0, fault = 0; window < MINUTES * 60 / WINDOW; window++) {
    await closedLoop(connections, requests, CONNECTIONS) // on each: the server closes idle connections
    const load = openLoop({ connections, requests, rate: RATE, seconds: WINDOW })
    const [name, act] = faults[fault % faults.length] ?? []
    if (act !== undefined && window * WINDOW >= fault * FAULT_EVERY) {
      process.stdout.write(`fault: ${name ?? ''}\n`)
      await act(target).catch((error: unknown) => { failures.push(`${name ?? ''}: ${String(error)}`) })
      fault++
    }
    latencies.push(...await load)
    const seen = await sample(target, (performance.now() - started) / 3_600_000)
    samples.push(seen)
    const { hours, heap, resident, handles, descriptors, connections: open } = seen
    process.stdout.write(`${Math.round(hours * 3_600)} s: heap ${heap.toFixed(1)} MiB, ` +
      `resident ${resident.toFixed(0)} MiB, handles ${handles}, descriptors ${descriptors}, connections ${open}\n`)
  }
  for (const connection of connections) connection.close()
  return { samples, latencies, failures }
}

/** Reasons why the run fails. */
function growths (samples: readonly Sample[]): string[] {
  const settled = samples.slice(Math.floor(samples.length * SETTLING))
  const [first, last] = [settled[0], settled.at(-1)]
  if (first === undefined || last === undefined) return ['the run was too short']
  const hours = last.hours - first.hours
  const perHour = slope(settled.map(({ hours, heap }) => [hours, heap]))
  const allowed = HEAP_GROWTH.perHour + HEAP_GROWTH.noise / hours
  process.stdout.write(
    `heap growth: ${perHour.toFixed(1)} MiB per hour, limit ${allowed.toFixed(1)} ` +
    `(${(perHour / allowed).toFixed(2)} ×)\n`
  )
  const counted = (['handles', 'descriptors', 'connections'] as const).filter(
    (what) => last[what] > first[what] + COUNT_GROWTH
  )
  return [
    ...(perHour > allowed ? ['the heap grows'] : []),
    ...counted.map((what) => `${what} grow from ${first[what]} to ${last[what]}`)
  ]
}

async function run (): Promise<void> {
  await leaveServerCore()
  const workplace = await aWorkplace()
  const reportFile = process.env['AIM_ADMISSION_SELF_REPORT'] = path.join(workplace.dir, 'self-report')
  const program = ['--expose-gc', '--import', './bench/support/self-report.ts', flags.program]
  const product = await startProduct({ workplace, program, configs: CONFIGS, services: 1_000 })
  try {
    const { samples, latencies, failures } = await soak({ product, ca: workplace.ca, reportFile })
    process.stdout.write(
      `reviews: ${latencies.length}, no failures; p99 ${percentile(latencies, 0.99).toFixed(1)} ms, ` +
      `longest ${percentile(latencies, 1).toFixed(1)} ms\n`
    )
    const why = [...failures, ...growths(samples)]
    process.stdout.write(why.length === 0 ? 'passed: no growth\n' : `failed: ${why.join('; ')}\n`)
    if (why.length > 0) process.exitCode = 1
  } finally {
    await product.stop()
    await workplace.remove()
  }
}

if (flags.help) process.stdout.write(HELP)
else await run()
