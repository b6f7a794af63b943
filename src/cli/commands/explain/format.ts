import { keyText } from '../../../api/object-meta.ts'
import type { ConfigCandidate, Explanation } from '../../../core/settings/explain.ts'
import { configTitle } from '../../../core/settings/runtime-config.ts'
import type { ReferenceCheck } from '../../../kube/objects/check-references.ts'
import { isJsonObject, type JsonObject } from '../../../platform/json.ts'
import { oneLine } from '../../../platform/printable.ts'
import { painter, table, wrapped, type Paint, type Style } from '../../output/terminal.ts'

export interface Explained {
  readonly explanation: Explanation
  /** Undefined without --check. */
  readonly checks?: readonly ReferenceCheck[]
  /** Undefined if all could be read. */
  readonly unreadable?: readonly UnreadableKind[]
}

/** A kind of configurations that the user may not read. */
export interface UnreadableKind { readonly kind: ConfigCandidate['kind'], readonly reason: string }

/** For people: the configuration, a table of the settings, the parts of the path, and the checks. */
export function toText ({ explanation, checks, unreadable = [] }: Explained, colors: boolean): string {
  const paint = painter(colors)
  const isUnknown = explanation.config === undefined && unreadable.length > 0
  const filled = explanation.filled.map(({ field, value, from }) => [field, valueText(value), from.join(' and ')])
  return [
    `${paint('bold', oneLine(`AIMService ${explanation.namespace}/${explanation.name}`))}\n`,
    configText(explanation, unreadable),
    ...unreadable.map(({ reason }) => `${oneLine(reason)}\n`),
    ...(explanation.settings.length === 0 ? [] : ['\n', settingsTable(explanation, paint)]),
    ...(isUnknown ? [] : ['\n', pathText(explanation, paint)]),
    ...(filled.length === 0 ? [] : ['\n', headed(['FILLED FIELD', 'VALUE', 'FROM'], filled, paint)]),
    ...(checks === undefined ? [] : ['\n', checksTable(checks, paint)])
  ].join('')
}

const OUTDATED = 'The block differs from what admission would write now. ' +
  'The reconciler updates it, and so does the next change of the service.\n'

function configText (
  { lookedAt, config, configNameFrom, current }: Explanation, unreadable: readonly UnreadableKind[]
): string {
  const name = oneLine(lookedAt[0]?.name ?? '')
  const reason = `spec.runtimeConfigName is ${configNameFrom === 'service' ? '' : 'not set, so '}${name}`
  const missing = unreadable.length === 0
    ? 'missing, so no settings are injected'
    : 'unknown, because the service has no block of it'
  const used = config === undefined ? missing : oneLine(config)
  return `Configuration: ${used} (${reason})\n` +
    lookedAt.map((candidate) => `  ${oneLine(configTitle(candidate))}: ${useOf(candidate, unreadable)}\n`).join('') +
    (current === undefined ? '' : current ? 'The block is up to date.\n' : OUTDATED)
}

function useOf ({ kind, found, used }: ConfigCandidate, unreadable: readonly UnreadableKind[]): string {
  if (unreadable.some((each) => each.kind === kind)) {
    return used ? 'may not be read, so the settings are those of the block' : 'may not be read'
  }
  if (used) return 'found, used as a whole'
  return found ? 'found, not used: the configuration of the namespace takes precedence' : 'not found'
}

function settingsTable ({ settings }: Explanation, paint: Paint): string {
  const rows = settings.map(({ setting, value, from, passedOver }) => {
    const others = passedOver.map((one) => `${one.from}: ${one.value === undefined ? 'not set' : valueText(one.value)}`)
    return [setting, valueText(value), from.join(' and '), others.join('; ')]
  })
  return headed(['SETTING', 'VALUE', 'FROM', 'PASSED OVER'], rows, paint)
}

function headed (head: readonly string[], rows: readonly (readonly string[])[], paint: Paint): string {
  return table(wrapped([head, ...rows], MAX_COLUMNS), (text, { row }) => row === 0 ? paint('bold', text) : text)
}

const MAX_COLUMNS = 100

function valueText (value: unknown): string {
  if (value === undefined) return '-'
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(valueText).join(', ')
  return isJsonObject(value) && typeof value['name'] === 'string' ? referenceText(value) : JSON.stringify(value)
}

/** A gateway or secret: `kgateway-system/kserve-gateway, section https, port 443`. */
function referenceText (reference: JsonObject): string {
  const text = (key: string): string => {
    const value = reference[key]
    return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
  }
  const labelled = (label: string, key: string): string[] => text(key) === '' ? [] : [`${label} ${text(key)}`]
  const kind = ['', 'Gateway'].includes(text('kind')) ? '' : `${text('kind')} `
  return [
    kind + keyText({ namespace: text('namespace'), name: text('name') }).replace(/^\//, ''),
    ...(text('group') === GATEWAY_GROUP ? [] : labelled('group', 'group')),
    ...labelled('section', 'sectionName'),
    ...labelled('port', 'port')
  ].join(', ')
}

const GATEWAY_GROUP = 'gateway.networking.k8s.io'

function pathText ({ path }: Explanation, paint: Paint): string {
  const result = {
    path: oneLine(path.path ?? ''),
    disabled: 'none, routing is not enabled',
    pending: 'none yet',
    invalid: 'none, the template cannot be rendered',
    conflict: 'none, another service holds it'
  }[path.kind]
  const rows = path.parts.map(({ source, kind, yields, inPath }) =>
    [source, kind === 'pending' ? `waits for ${yields}` : kind === 'text' ? '' : yields, inPath])
  const style = path.kind === 'invalid' || path.kind === 'conflict' ? 'red' : 'bold'
  return `Path: ${paint(style, result)}\n${headed(['TEMPLATE', 'YIELDS', 'IN THE PATH'], rows, paint)}` +
    path.problems.map((problem) => `  ${oneLine(problem)}\n`).join('')
}

const STYLES: Readonly<Record<ReferenceCheck['verdict'], Style>> = {
  usable: 'green',
  missing: 'red',
  unusable: 'red',
  unknown: 'yellow'
}

function checksTable (checks: readonly ReferenceCheck[], paint: Paint): string {
  if (checks.length === 0) return 'The settings name no object to check.\n'
  const rows = checks.map(({ setting, object, verdict, reason }) => [setting, object, verdict, reason])
  return table([['SETTING', 'OBJECT', 'CHECK', 'WHY'], ...rows], (text, { row, column }) => {
    const verdict = checks[row - 1]?.verdict
    return verdict !== undefined && column === 2 ? paint(STYLES[verdict], text) : row === 0 ? paint('bold', text) : text
  })
}
