import type { Candidate, ExplainedSetting, Explanation, ConfigCandidate } from '../../../core/settings/explain.ts'
import type { ReferenceCheck } from '../../../kube/objects/check-references.ts'
import { painter, table, type Paint, type Style } from '../../output/paint.ts'

/** What is told of one service. */
export interface Explained {
  readonly explanation: Explanation
  /** Undefined where the cluster was not asked. */
  readonly checks: readonly ReferenceCheck[] | undefined
}

/**
 * For people: the configuration, a table of the settings, the path piece by piece, and what became of looking for what
 * they name.
 */
export function toExplanation ({ explanation, checks }: Explained, colour: boolean): string {
  const paint = painter(colour)
  return [
    `${paint('bold', `AIMService ${explanation.namespace}/${explanation.name}`)}\n`,
    configText(explanation),
    ...(explanation.settings.length === 0 ? [] : ['\n', settingsTable(explanation, paint)]),
    '\n', pathText(explanation, paint),
    ...(checks === undefined ? [] : ['\n', checksTable(checks, paint)])
  ].join('')
}

function configText ({ lookedAt, config, configNameFrom, current }: Explanation): string {
  const name = lookedAt[0]?.name ?? ''
  const why =
    configNameFrom === 'service' ? 'spec.runtimeConfigName says' : 'spec.runtimeConfigName is not set, which means'
  return `Configuration: ${config ?? 'missing, so nothing is injected'} (${why} ${name})\n` +
    lookedAt.map((place) => `  ${placeName(place)}: ${impactOf(place)}\n`).join('') +
    (current === undefined ? '' : current ? 'Its block is up to date.\n' : 'Its block is not what admission would write now; the next change of the service, or the reconciler, brings it up to date.\n')
}

function placeName ({ kind, namespace, name }: ConfigCandidate): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`
}

function impactOf ({ found, used }: ConfigCandidate): string {
  if (used) return 'there, and counts whole'
  return found ? 'there, but passed over whole: that of the namespace goes first' : 'not there'
}

function settingsTable ({ settings }: Explanation, paint: Paint): string {
  const rows = settings.map((setting) => [
    setting.setting,
    valueText(setting.value),
    originText(setting),
    setting.passedOver.map(passedOverText).join('; ')
  ])
  return headed(['SETTING', 'VALUE', 'FROM', 'PASSED OVER'], rows, paint)
}

function headed (head: readonly string[], rows: readonly (readonly string[])[], paint: Paint): string {
  return table([head, ...rows], (text, { row }) => row === 0 ? paint('bold', text) : text)
}

function valueText (value: unknown): string {
  if (value === undefined) return '-'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function originText ({ from, field }: ExplainedSetting): string {
  if (from.includes('unset')) return 'unset'
  return `${from.join(' and ')}${field === '' ? '' : ` ${field}`}`
}

function passedOverText ({ from, value }: Candidate): string {
  return value === undefined ? `${from}: not set` : `${from}: ${valueText(value)}`
}

function pathText ({ path }: Explanation, paint: Paint): string {
  const result = {
    path: path.path ?? '',
    disabled: 'none, since routing is not enabled',
    pending: 'none yet',
    invalid: 'none, since the template cannot be rendered',
    conflict: 'none, since another service holds it'
  }[path.kind]
  const rows = path.parts.map(({ source, kind, yields, inPath }) => [
    source,
    kind === 'pending' ? `waits for ${yields}` : kind === 'text' ? '' : yields,
    inPath
  ])
  return `Path: ${paint(path.kind === 'invalid' || path.kind === 'conflict' ? 'red' : 'bold', result)}\n${headed(['TEMPLATE', 'YIELDS', 'IN THE PATH'], rows, paint)}` +
    path.problems.map((problem) => `  ${problem}\n`).join('')
}

const STYLES: Readonly<Record<ReferenceCheck['verdict'], Style>> = {
  usable: 'green',
  missing: 'red',
  unusable: 'red',
  unknown: 'yellow'
}

function checksTable (checks: readonly ReferenceCheck[], paint: Paint): string {
  if (checks.length === 0) return 'The settings name nothing that could be checked.\n'
  const rows = checks.map(({ setting, object, verdict, reason }) => [setting, object, verdict, reason])
  return table([['SETTING', 'OBJECT', 'CHECK', 'WHY'], ...rows], (text, { row, column }) => {
    const verdict = checks[row - 1]?.verdict
    return verdict !== undefined && column === 2 ? paint(STYLES[verdict], text) : row === 0 ? paint('bold', text) : text
  })
}
