import { diffLines } from 'diff'
import { stringify } from 'yaml'
import type { ExplainedPath, Explanation } from '../src/core/settings/explain.ts'
import { objectTitle } from '../src/offline/local-object.ts'
import { element } from './elements.ts'
import type { Examination, ExaminedObject, Remark } from './examine.ts'

export interface OutcomeViewOptions {
  /** A message was chosen: its place is to be shown. */
  readonly onChosen: (remark: Remark) => void
}

/** Everything that came of the texts, as elements. */
export function outcomeView ({ objects, faults }: Examination, options: OutcomeViewOptions): HTMLElement[] {
  return [
    ...(faults.length === 0
      ? []
      : [element('article', { class: 'refused' }, element('h3', {}, 'Cannot be read'), remarkList(faults, options))]),
    ...objects.map((object) => objectView(object, options))
  ]
}

/** One sentence: how many of each. */
export function summaryText ({ objects, faults }: Examination): string {
  const refused = objects.filter(({ outcome }) => outcome.faults.length > 0).length
  const warned = objects.filter(({ outcome }) => outcome.faults.length === 0 && outcome.warnings.length > 0).length
  const unread =
    faults.length === 0 ? '' : `, ${faults.length} ${faults.length === 1 ? 'place' : 'places'} cannot be read`
  return `${objects.length - refused} admitted${warned === 0 ? '' : ` (${warned} with warnings)`}, ${refused} refused${unread}`
}

function objectView (object: ExaminedObject, options: OutcomeViewOptions): HTMLElement {
  const { outcome: { given, faults, warnings, patch }, remarks, explanation } = object
  const verdict = faults.length > 0 ? 'refused' : warnings.length > 0 ? 'warned' : 'admitted'
  const words = { refused: 'refused', warned: 'admitted, with warnings', admitted: 'admitted' }
  return element('article', { class: verdict },
    element('h3', {}, `${objectTitle(given)} `, element('span', { class: 'verdict' }, words[verdict])),
    ...(remarks.length === 0 ? [] : [remarkList(remarks, options)]),
    ...(patch.length === 0 ? [] : [diffView(object)]),
    ...(explanation === undefined ? [] : [pathView(explanation.path), settingsView(explanation)]))
}

function remarkList (remarks: readonly Remark[], { onChosen }: OutcomeViewOptions): HTMLElement {
  return element('ul', { class: 'remarks' }, ...remarks.map((remark) => {
    const place = element('button', { type: 'button', class: 'place' }, `line ${remark.position.line}`)
    place.addEventListener('click', () => { onChosen(remark) })
    const field = remark.field === '' ? [] : [element('code', {}, remark.field), ' ']
    return element(
      'li',
      { class: remark.level },
      element('strong', {}, remark.level === 'error' ? 'Refused: ' : 'Warning: '),
      ...field,
      remark.message,
      ' ',
      place
    )
  }))
}

/** As written and as admitted, line by line. */
function diffView ({ outcome: { given, object } }: ExaminedObject): HTMLElement {
  const lines = diffLines(toYaml(given.written), toYaml(object)).flatMap(({ value, added, removed }) => {
    const [sign, name] = added ? ['+', 'ins'] as const : removed ? ['-', 'del'] as const : [' ', 'span'] as const
    return value.trimEnd().split('\n').map((line) => element(name, {}, `${sign} ${line}\n`))
  })
  return element(
    'details',
    { open: '' },
    element('summary', {}, 'As admitted'),
    element('pre', { class: 'diff', tabindex: '0' }, ...lines)
  )
}

function pathView (path: ExplainedPath): HTMLElement {
  const result = {
    path: path.path ?? '',
    disabled: 'none: routing is not enabled',
    pending: 'none yet',
    invalid: 'none: the template cannot be rendered'
  }[path.kind]
  const rows = path.parts.map(({ source, kind, yields, inPath }) => {
    const told = { text: '', value: yields, pending: `waits for ${yields}`, invalid: yields }[kind]
    return [element('code', {}, source), told, element('code', {}, inPath)]
  })
  return element('details', { open: '' }, element('summary', {}, 'Path: ', element('code', {}, result)),
    table(['Template', 'Yields', 'In the path'], rows))
}

function settingsView ({ config, settings }: Explanation): HTMLElement {
  if (settings.length === 0) return element('p', {}, 'No runtime configuration of that name: nothing is injected.')
  const rows = settings.map(({ setting, value, from }) => [
    element('code', {}, setting),
    value === undefined ? '' : valueText(value),
    from.join(' and ')
  ])
  return element(
    'details',
    {},
    element('summary', {}, `Where each setting comes from (${config ?? ''})`),
    table(['Setting', 'Value', 'From'], rows)
  )
}

function table (head: readonly string[], rows: ReadonlyArray<ReadonlyArray<Node | string>>): HTMLElement {
  return element('div', { class: 'table', tabindex: '0', role: 'group', 'aria-label': head.join(', ') }, element('table', {},
    element('thead', {}, element('tr', {}, ...head.map((title) => element('th', { scope: 'col' }, title)))),
    element('tbody', {}, ...rows.map((row) => element('tr', {}, ...row.map((cell) => element('td', {}, cell)))))))
}

function valueText (value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function toYaml (object: object): string {
  return stringify(object, { indentSeq: false, lineWidth: 0, aliasDuplicateObjects: false })
}
