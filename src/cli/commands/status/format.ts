import type { RuntimeConfigStatus } from '../../../api/runtime-config.ts'
import { configTitle, type RuntimeConfig } from '../../../core/settings/runtime-config.ts'
import { oneLine } from '../../../platform/printable.ts'
import { painter, table, type Style } from '../../output/terminal.ts'

/** How far a configuration is rolled out, as its status says. */
export interface Rollout extends Pick<RuntimeConfig, 'kind' | 'namespace' | 'name' | 'hash'> {
  readonly services: NonNullable<RuntimeConfigStatus['services']>
  /** The reason of the condition that matters most, or `Pending`. */
  readonly state: string
  readonly message: string
}

/** In the order of the output: what needs a user comes first. Others are last. */
const STATES: ReadonlyMap<string, Style> = new Map([
  ['Halted', 'red'],
  ['RolloutAnnotationInvalid', 'red'],
  ['PathTemplateInvalid', 'red'],
  ['Paused', 'yellow'],
  ['CanaryReached', 'yellow'],
  ['InProgress', 'cyan'],
  ['Pending', 'dim'],
  ['RolledOut', 'green']
])
const ORDER = [...STATES.keys()]

/** Whether only a user can move the rollout on. A pause and a canary are what a user asked for. */
export function isHeld ({ state }: Rollout): boolean {
  return STATES.get(state) === 'red'
}

/** One line for each configuration. */
export function toLines (rollouts: readonly Rollout[]): string {
  return table([...rollouts].sort(byUrgency).map((rollout) => [...cells(rollout), reason(rollout)]))
}

/** For a terminal: bars, and what to do below them. */
export function toView (rollouts: readonly Rollout[], colors: boolean, errors: readonly string[] = []): string[] {
  const paint = painter(colors)
  const sorted = [...rollouts].sort(byUrgency)
  const rows = sorted.map((rollout) => {
    const [title = '', ...rest] = cells(rollout)
    return [title, bar(rollout), ...rest]
  })
  const head = ['CONFIGURATION', 'PROGRESS', 'CURRENT', 'FAILING', 'STATE']
  const [first = '', ...lines] = table([head, ...rows], (text, { row, column }) => {
    const { state = '', services: { failing } = { failing: 0 } } = sorted[row - 1] ?? {}
    if (row === 0) return paint('dim', text)
    if (column === 3) return failing > 0 ? paint('red', text) : text
    return column === 1 || column === 4 ? paint(STATES.get(state) ?? 'dim', text) : text
  }).trimEnd().split('\n')
  return [
    first,
    ...lines.flatMap((line, at) => {
      const message = sorted[at] === undefined ? '' : reason(sorted[at])
      return message === '' ? [line] : [line, `  ${message}`]
    }),
    ...errors.map((error) => paint('red', oneLine(error)))
  ]
}

function byUrgency (a: Rollout, b: Rollout): number {
  const order = ({ state }: Rollout): number => ORDER.includes(state) ? ORDER.indexOf(state) : ORDER.length
  return order(a) - order(b) || (configTitle(a) < configTitle(b) ? -1 : 1)
}

function cells (rollout: Rollout): string[] {
  const { services: { total, current, failing }, state } = rollout
  return [configTitle(rollout), `${current}/${total}`, `${failing} failing`, state]
}

/** The message of a state, which says how to go on; empty if the name of the state says enough. */
function reason ({ state, message }: Rollout): string {
  return state === 'RolledOut' || state === 'InProgress' ? '' : oneLine(message)
}

const WIDTH = 20

/** Full only if every service is current. */
function bar ({ services: { total, current }, state }: Rollout): string {
  const part = total > 0 ? Math.min(1, current / total) : state === 'RolledOut' ? 1 : 0
  const done = Math.floor(part * WIDTH)
  return `${'█'.repeat(done)}${'░'.repeat(WIDTH - done)} ${String(Math.floor(part * 100)).padStart(3)}%`
}
