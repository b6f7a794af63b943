import { newEditor, type Editor } from './editor.ts'
import { element, elementOf } from './elements.ts'
import { EXAMPLES } from './examples.ts'
import { examine } from './examine.ts'
import { outcomeView, summaryText } from './outcome-view.ts'
import { fromFragment, toFragment } from './shared-state.ts'
import { TEXT_NAMES, type TextName, type Texts } from './texts.ts'

const outcome = elementOf('outcome', HTMLElement)
const summary = elementOf('summary', HTMLElement)
const chosen = elementOf('example', HTMLSelectElement)
const shared = elementOf('shared', HTMLElement)

const editors: Readonly<Record<TextName, Editor>> = {
  configs: newEditor(elementOf('configs', HTMLElement), { labelledBy: 'configs-title', onChange: changed }),
  services: newEditor(elementOf('services', HTMLElement), { labelledBy: 'services-title', onChange: changed })
}

let due = false

/** Once for all edits of one frame. */
function changed (): void {
  if (due) return
  due = true
  requestAnimationFrame(() => {
    due = false
    show()
  })
}

function texts (): Texts {
  return { configs: editors.configs.text, services: editors.services.text }
}

function show (): void {
  performance.mark('examined-from')
  const examination = examine(texts())
  const remarks = [...examination.faults, ...examination.objects.flatMap((object) => object.remarks)]
  for (const name of TEXT_NAMES) editors[name].mark(remarks.filter(({ text }) => text === name))
  summary.textContent = summaryText(examination)
  outcome.replaceChildren(
    ...outcomeView(examination, {
      onChosen: ({ text, position }) => { editors[text].show(position) }
    })
  )
  performance.measure('examined', 'examined-from')
}

function load ({ configs, services }: Texts): void {
  editors.configs.replace(configs)
  editors.services.replace(services)
}

async function share (): Promise<void> {
  location.hash = await toFragment(texts())
  try {
    await navigator.clipboard.writeText(location.href)
    shared.textContent = 'The link is copied.'
  } catch {
    shared.textContent = 'The link is in the address bar.'
  }
}

async function loadShared (): Promise<boolean> {
  const given = await fromFragment(location.hash.slice(1))
  if (given === undefined) return false
  const now = texts()
  if (now.configs !== given.configs || now.services !== given.services) load(given)
  chosen.value = ''
  return true
}

function followTheme (): void {
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const follow = (): void => { for (const name of TEXT_NAMES) editors[name].setDark(dark.matches) }
  dark.addEventListener('change', follow)
  follow()
}

chosen.append(
  element('option', { value: '' }, '…'),
  ...EXAMPLES.map(({ name }) => element('option', { value: name }, name))
)
chosen.addEventListener('change', () => {
  const example = EXAMPLES.find(({ name }) => name === chosen.value)
  if (example !== undefined) load(example)
})
elementOf('share', HTMLButtonElement).addEventListener('click', () => { share().catch(reportError) })
addEventListener('hashchange', () => { loadShared().catch(reportError) })
followTheme()

const FIRST = 'custom-path'
const first = EXAMPLES.find(({ name }) => name === FIRST)
if (!await loadShared() && first !== undefined) {
  chosen.value = FIRST
  load(first)
}
