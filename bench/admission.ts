/** `npm run bench`: the product beside two floors. `npm run bench -- --help` prints the flags. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import {
  controllerRuntimeFigures, growthFigures, mutatingFigures, sizesFigures, validatingFigures
} from './experiments/cpu.ts'
import { latencyFigures } from './experiments/latency.ts'
import { memoryFigures } from './experiments/memory.ts'
import { profiled } from './experiments/profile.ts'
import { leaveServerCore, ROOT } from './support/measured-server.ts'
import { aWorkplace, shippedProgram } from './support/product.ts'
import { reportOf, tableOf, type Bench, type Effort, type Figure } from './support/report.ts'

const EXPERIMENTS: Readonly<Record<string, (bench: Bench) => Promise<Figure[]>>> = {
  mutating: mutatingFigures,
  sizes: sizesFigures,
  validating: validatingFigures,
  growth: growthFigures,
  latency: latencyFigures,
  memory: memoryFigures
}
/** Experiments to name by `--only`. */
const FURTHER_EXPERIMENTS: typeof EXPERIMENTS = { 'controller-runtime': controllerRuntimeFigures }

const HELP = `npm run bench -- [flags]
  --only NAMES            experiments, separated by commas: mutating, sizes, validating, growth,
                          latency, memory (all of these), controller-runtime (needs Go)
  --quick                 short run: 2,000 configurations, 10,000 services, windows of 3 s
  --window N              length of a latency window in seconds (12)
  --rounds N              rounds of CPU measurements (7)
  --reviews N             3 KB reviews per round (6000)
  --many N                reviews before the last memory measurement (1000000)
  --program="FLAGS FILE"  Node's arguments for the product (those of the image)
  --node-flags="FLAGS"    further flags of Node for the product and the floors
  --profile               write CPU profiles of the product and a floor, and print the top functions; no figures
  --out FILE              results as JSON (bench/results/DATE.json)
`

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(EXPERIMENTS).join(',') },
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
    for (const experiment of experiments()) {
      const found = await experiment(bench)
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

function experiments (): Array<(bench: Bench) => Promise<Figure[]>> {
  return flags.only.split(',').map((name) => {
    const experiment = EXPERIMENTS[name] ?? FURTHER_EXPERIMENTS[name]
    if (experiment === undefined) throw new Error(`--only: no experiment "${name}"`)
    return experiment
  })
}

function words (text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}

if (flags.help) process.stdout.write(HELP)
else await run()
