import { diffLines } from 'diff'
import { stringify } from 'yaml'
import { EFFECTS, effectSummary, type Prediction } from '../src/core/rules/what-if.ts'
import type { ExplainedPath, Explanation } from '../src/core/settings/explain.ts'
import { objectTitle } from '../src/offline/local-object.ts'
import { counted } from '../src/platform/printable.ts'
import type { ExaminedTexts, ExaminedObject, Remark, WhatIf } from './examine.ts'
import type { Fix } from './fixes.ts'

export interface OutcomeViewOptions {
  readonly fixes: ReadonlyMap<Remark, Fix | undefined>
  /** Called when the user selects the place of a message. */
  readonly onChosen: (remark: Remark) => void
  /** Called when the user selects a fix. */
  readonly onFixed: (remark: Remark, fix: Fix) => void
}

/** A browser takes seconds to lay out thousands. */
const MAX_SHOWN = 200

/** One element per object, the refused ones first, after the faults of the texts. */
export function outcomeView ({ objects, faults }: ExaminedTexts, options: OutcomeViewOptions): HTMLElement[] {
  const title = element('h3', {}, 'Invalid manifests')
  const faultsView = element('article', { class: 'refused' }, title, remarkList(faults, options))
  const isRefused = ({ outcome }: ExaminedObject): boolean => outcome.faults.length > 0
  const ordered = [...objects.filter(isRefused), ...objects.filter((object) => !isRefused(object))]
  const shown = ordered.slice(0, MAX_SHOWN).map((object) => objectView(object, options))
  const rest = ordered.length - shown.length
  return [
    ...(faults.length === 0 ? [] : [faultsView]),
    ...shown,
    ...(rest === 0 ? [] : [element('p', {}, `… and ${rest} more objects`)])
  ]
}

/** `2 admitted (1 with warnings), 0 refused`. */
export function summaryText ({ objects, faults }: ExaminedTexts): string {
  const refused = objects.filter(({ outcome }) => outcome.faults.length > 0).length
  const warned = objects.filter(({ outcome }) => outcome.faults.length === 0 && outcome.warnings.length > 0).length
  const invalid = faults.length === 0 ? '' : `, ${counted(faults.length, 'invalid place')}`
  const warnings = warned === 0 ? '' : ` (${warned} with warnings)`
  return `${objects.length - refused} admitted${warnings}, ${refused} refused${invalid}`
}

function objectView (object: ExaminedObject, options: OutcomeViewOptions): HTMLElement {
  const { outcome: { given, faults, warnings, patch }, remarks, explanation } = object
  const verdict = faults.length > 0 ? 'refused' : warnings.length > 0 ? 'warned' : 'admitted'
  const words = { refused: 'refused', warned: 'admitted with warnings', admitted: 'admitted' }
  return element('article', { class: verdict },
    element('h3', {}, `${objectTitle(given)} `, element('span', { class: 'verdict' }, words[verdict])),
    ...(remarks.length === 0 ? [] : [remarkList(remarks, options)]),
    ...(patch.length === 0 ? [] : [diffView(object)]),
    ...(explanation === undefined ? [] : [pathView(explanation.path), settingsView(explanation)]))
}

function remarkList (remarks: readonly Remark[], { fixes, onChosen, onFixed }: OutcomeViewOptions): HTMLElement {
  return element('ul', { class: 'remarks' }, ...remarks.map((remark) => {
    const { level, field, message, position } = remark
    const label = element('strong', {}, level === 'error' ? 'Refused: ' : 'Warning: ')
    const place = button('place', `line ${position.line}`, () => { onChosen(remark) })
    const path = field === '' ? [] : [element('code', {}, field), ' ']
    const fix = fixes.get(remark)
    const act = fix === undefined ? [] : [' ', button('fix', fix.title, () => { onFixed(remark, fix) })]
    return element('li', { class: level }, label, ...path, message, ' ', place, ...act)
  }))
}

function button (name: string, title: string, act: () => void): HTMLElement {
  const created = element('button', { type: 'button', class: name }, title)
  created.addEventListener('click', act)
  return created
}

/** Each service that other configurations change, the broken ones first; the others are counted. */
export function whatIfView ({ predictions, leftOut }: WhatIf, isSame: boolean): HTMLElement[] {
  if (predictions === undefined) {
    return [element('p', { class: 'refused' }, 'A changed configuration is refused: see Result.')]
  }
  const shown = EFFECTS.flatMap((effect) => predictions.filter((prediction) => prediction.effect === effect))
  const rest = leftOut === 0 ? '' : `; ${leftOut} refused ${leftOut === 1 ? 'one is' : 'ones are'} left out`
  const same = isSame ? ' The configurations are the same as before: change one.' : ''
  return [
    element('p', { role: 'status', class: 'counts' }, `${effectSummary(predictions)}${rest}.${same}`),
    ...shown.slice(0, MAX_SHOWN).map(effectView)
  ]
}

function effectView ({ service, effect, before, after }: Prediction): HTMLElement {
  const paths = before.path === after.path
    ? [pathText(after.path)]
    : [pathText(before.path), ' → ', pathText(after.path)]
  return element('article', { class: `effect ${effect}` },
    element('h3', {}, `${service.namespace}/${service.name} `, element('span', { class: 'verdict' }, effect)),
    element('p', {}, ...paths),
    ...(after.problem === undefined ? [] : [element('p', { class: 'problem' }, after.problem)]))
}

function pathText (path: string | undefined): HTMLElement {
  return path === undefined ? element('span', {}, 'no path') : element('code', {}, path)
}

/** The changes from the written to the admitted object. */
function diffView ({ outcome: { given, object } }: ExaminedObject): HTMLElement {
  const lines = diffLines(toYaml(given.written), toYaml(object)).flatMap(({ value, added, removed }) => {
    const [sign, name] = added ? ['+', 'ins'] as const : removed ? ['-', 'del'] as const : [' ', 'span'] as const
    return value.trimEnd().split('\n').map((line) => element(name, {}, `${sign} ${line}\n`))
  })
  const diff = element('pre', { class: 'diff', tabindex: '0' }, ...lines)
  return element('details', { open: '' }, element('summary', {}, 'Admitted object'), diff)
}

function pathView (path: ExplainedPath): HTMLElement {
  const result = {
    path: path.path ?? '',
    disabled: 'none: routing is disabled',
    pending: 'none yet',
    conflict: 'none: another service holds it',
    invalid: 'none: the template is invalid'
  }[path.kind]
  const rows = path.parts.map(({ source, kind, yields, inPath }) => {
    const text = { text: '', value: yields, pending: `waits for ${yields}`, invalid: yields }[kind]
    return [element('code', {}, source), text, element('code', {}, inPath)]
  })
  return element('details', { open: '' }, element('summary', {}, 'Path: ', element('code', {}, result)),
    table(['Template', 'Value', 'In the path'], rows))
}

function settingsView ({ config, settings }: Explanation): HTMLElement {
  if (config === undefined) return element('p', {}, 'The runtime configuration is missing: no settings are written.')
  const rows = settings.map(({ setting, value, from }) => [
    element('code', {}, setting),
    typeof value === 'string' || value === undefined ? value ?? '' : JSON.stringify(value),
    from.join(' and ')
  ])
  return element('details', {}, element('summary', {}, `Source of each setting (${config})`),
    table(['Setting', 'Value', 'Source'], rows))
}

function table (head: readonly string[], rows: ReadonlyArray<ReadonlyArray<Node | string>>): HTMLElement {
  const header = element('tr', {}, ...head.map((title) => element('th', { scope: 'col' }, title)))
  const body = rows.map((row) => element('tr', {}, ...row.map((cell) => element('td', {}, cell))))
  const content = element('table', {}, element('thead', {}, header), element('tbody', {}, ...body))
  return element('div', { class: 'table', tabindex: '0', role: 'group', 'aria-label': head.join(', ') }, content)
}

/** Strings become text nodes, never markup. */
function element (
  name: string, attributes: Readonly<Record<string, string>> = {}, ...children: ReadonlyArray<Node | string>
): HTMLElement {
  const created = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) created.setAttribute(attribute, value)
  created.append(...children)
  return created
}

function toYaml (object: object): string {
  return stringify(object, { indentSeq: false, lineWidth: 0, aliasDuplicateObjects: false })
}
