import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'
import { ROOT, SEPARATE_CORES } from './measured-server.ts'
import type { Workplace } from './product.ts'

/** Size of a run. */
export interface Effort {
  readonly rounds: number
  /** 3 KB reviews per server and round. */
  readonly reviews: number
  /** Length of a latency window in seconds, and the number of windows of each kind. */
  readonly window: number
  readonly windows: number
  /** Reviews before memory is measured for the last time. */
  readonly manyReviews: number
  /** Objects in the largest population. */
  readonly configs: number
  readonly services: number
}

export interface Bench {
  readonly workplace: Workplace
  /** Node's arguments for the product: flags and file. */
  readonly program: readonly string[]
  /** Node's flags for the floors. */
  readonly nodeFlags: readonly string[]
  readonly effort: Effort
}

/** One measured figure. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** Upper limit. */
  readonly target?: number | undefined
}

export interface Report {
  readonly date: string
  readonly commit: string
  readonly machine: object
  readonly program: readonly string[]
  readonly effort: Effort
  readonly figures: readonly Figure[]
}

export function reportOf (figures: readonly Figure[], { program, effort }: Pick<Bench, 'program' | 'effort'>): Report {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim()
  const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ', with changes'
  const [cpu] = cpus()
  return {
    date: new Date().toISOString(),
    commit: git('rev-parse', '--short', 'HEAD') + changed,
    machine: {
      cpu: cpu?.model.trim(),
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 1_024 ** 3),
      linux: release(),
      node: process.version,
      serversAndLoad: SEPARATE_CORES ? 'on separate cores' : 'on shared cores'
    },
    program,
    effort,
    figures
  }
}

/** Figures as a Markdown table. */
export function tableOf (figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, unit, target }) => {
    const verdict = target === undefined ? '' : `≤ ${target} ${unit}: ${value <= target ? 'met' : 'missed'}`
    return `| ${name} | ${value >= 100 ? value.toFixed(0) : value.toFixed(2)} ${unit} | ${verdict} |`
  })
  return ['| figure | measured | target |', '|---|---|---|', ...rows].join('\n')
}
