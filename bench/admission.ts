/** `npm run bench`: the product beside the two floors. `npm run bench -- --help` tells the flags. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import {
  growthFigures, latencyFigures, memoryFigures, mutatingFigures, sizesFigures, validatingFigures, type Effort,
  type Figure
} from './experiments.ts'
import { leaveServerCore, ROOT } from './measured-server.ts'
import { aWorkplace, shippedProgram } from './product.ts'
import { profiled } from './profile.ts'
import { reportOf, tableOf } from './report.ts'

const EXPERIMENTS = {
  mutating: mutatingFigures, sizes: sizesFigures, validating: validatingFigures, growth: growthFigures, latency: latencyFigures, memory: memoryFigures
} as const
type Experiment = keyof typeof EXPERIMENTS

const HELP = `npm run bench -- [flags]
  --only NAMES                       of mutating, sizes, validating, growth, latency, memory, by commas; all without it
  --quick                            short: 2,000 configurations, 10,000 services, windows of 3 s
  --window N                         seconds of a window of latency (12)
  --rounds N                         rounds of CPU (7)
  --reviews N                        reviews of 3 KB in a round (6000)
  --many N                           reviews before the last look at the memory (1000000)
  --program="FLAGS FILE"             what Node runs as the product, flags of its own included (what the image runs)
  --node-flags="FLAGS"               of Node, for the product and the floors alike
  --profile                          no figures: writes CPU profiles of the product and a floor under the same load, and prints what they spend their time on
  --out FILE                         where the results go, as JSON (bench/results/DATE.json)
`

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(EXPERIMENTS).join() },
    quick: { type: 'boolean', default: false },
    window: { type: 'string' },
    rounds: { type: 'string' },
    reviews: { type: 'string' },
    many: { type: 'string' },
    program: { type: 'string' },
    'node-flags': { type: 'string', default: '' },
    profile: { type: 'boolean', default: false },
    out: { type: 'string' },
    help: { type: 'boolean', default: false }
  }
})

function effort (): Effort {
  const { quick } = flags
  const number = (given: string | undefined, short: number, long: number): number =>
    given === undefined ? (quick ? short : long) : Number(given)
  return {
    rounds: number(flags.rounds, 3, 7),
    reviews: number(flags.reviews, 2_000, 6_000),
    window: number(flags.window, 3, 12),
    windows: quick ? 1 : 3,
    manyReviews: number(flags.many, 20_000, 1_000_000),
    configs: quick ? 2_000 : 10_000,
    services: quick ? 10_000 : 100_000
  }
}

async function run (): Promise<void> {
  await leaveServerCore()
  const nodeFlags = words(flags['node-flags'])
  const program = [...nodeFlags, ...flags.program === undefined ? await shippedProgram() : words(flags.program)]
  const bench = { workplace: await aWorkplace(), program, nodeFlags, effort: effort() }
  try {
    if (flags.profile) {
      process.stdout.write(await profiled(bench))
      return
    }
    const figures: Figure[] = []
    for (const name of flags.only.split(',') as Experiment[]) { // an unknown one fails at once
      const found = await EXPERIMENTS[name](bench)
      process.stdout.write(`${tableOf(found)}\n\n`)
      figures.push(...found)
    }
    const report = reportOf(figures, bench)
    const out = path.resolve(ROOT, flags.out ?? `bench/results/${report.date.replaceAll(':', '-')}.json`)
    mkdirSync(path.dirname(out), { recursive: true })
    writeFileSync(out, JSON.stringify(report, undefined, 2) + '\n')
    process.stdout.write(`commit ${report.commit}, ${JSON.stringify(report.machine)}\nresults: ${out}\n`)
  } finally {
    await bench.workplace.remove()
  }
}

function words (text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}

if (flags.help) process.stdout.write(HELP)
else await run()
