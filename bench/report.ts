import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'
import type { Effort, Figure } from './experiments.ts'
import { ROOT, SEPARATE_CORES } from './measured-server.ts'

export interface Report {
  readonly date: string
  readonly commit: string
  readonly machine: object
  readonly program: readonly string[]
  readonly effort: Effort
  readonly figures: readonly Figure[]
}

export function reportOf (figures: readonly Figure[], { program, effort }: Pick<Report, 'program' | 'effort'>): Report {
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

/** The figures as a Markdown table. */
export function tableOf (figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, unit, target }) =>
    `| ${name} | ${rounded(value)} ${unit} | ${target === undefined ? '' : `≤ ${target} ${unit}: ${value <= target ? 'met' : 'missed'}`} |`)
  return ['| figure | measured | target |', '|---|---|---|', ...rows].join('\n')
}

function rounded (value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2)
}
